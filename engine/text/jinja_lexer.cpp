#include "engine/text/jinja_lexer.h"

#include <algorithm>
#include <optional>

#include "engine/text/jinja_text.h"

namespace oneshot::jinja {
namespace {

constexpr size_t kNowhere = std::string_view::npos;

std::string with_plain_newlines(std::string_view source) {
  std::string text;
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      text += '\n';
      i += i + 1 < source.size() && source[i + 1] == '\n' ? 1 : 0;
    } else {
      text += source[i];
    }
  }
  if (!text.empty() && text.back() == '\n') {
    text.pop_back();
  }
  return text;
}

class Lexer {
 public:
  explicit Lexer(std::string source) : source_(std::move(source)), text_(source_) {}

  std::vector<Token> run() {
    while (at_ < text_.size()) {
      read_data();
    }
    add(TokenKind::End);
    return std::move(tokens_);
  }

 private:
  std::string source_;
  std::string_view text_;
  size_t at_ = 0;
  size_t counted_ = 0;  // up to here the newlines are in line_
  int line_ = 1;
  bool line_starting_ = true;  // the last tag ended with a newline
  std::vector<Token> tokens_;
  std::string open_;  // the closing brackets that are still to come

  int line() {
    line_ += static_cast<int>(
        std::count(text_.begin() + static_cast<std::ptrdiff_t>(counted_),
                   text_.begin() + static_cast<std::ptrdiff_t>(std::max(at_, counted_)),
                   '\n'));
    counted_ = std::max(at_, counted_);
    return line_;
  }

  [[noreturn]] void fail_here(const std::string& message) {
    throw Failure(ErrorCode::Checkpoint, message, line());
  }

  Token& add(TokenKind kind, std::string text = "") {
    tokens_.push_back({kind, line(), std::move(text), {}});
    return tokens_.back();
  }

  bool looking_at(std::string_view what, size_t at) const {
    return text_.substr(std::min(at, text_.size())).starts_with(what);
  }

  size_t behind_spaces(size_t at) const {
    return text_.size() - strip(text_.substr(std::min(at, text_.size())), true, false).size();
  }

  /// Where the tag that starts at `at` goes on behind its sign, which is "-", "+" or nothing.
  size_t behind_sign(size_t at, char& sign) const {
    sign = at < text_.size() && (text_[at] == '-' || text_[at] == '+') ? text_[at] : ' ';
    return sign == ' ' ? at : at + 1;
  }

  /// Behind the end of a tag at `at`, `-%}` with the spaces behind it, `%}` with one newline where
  /// `trims`; nowhere when it is no end.
  size_t behind_end(size_t at, std::string_view mark, bool trims, bool plus = true) const {
    if (at < text_.size() && text_[at] == '-' && looking_at(mark, at + 1)) {
      return behind_spaces(at + 1 + mark.size());
    }
    if (plus && at < text_.size() && text_[at] == '+' && looking_at(mark, at + 1)) {
      return at + 1 + mark.size();
    }
    if (!looking_at(mark, at)) {
      return kNowhere;
    }
    size_t end = at + mark.size();
    return trims && looking_at("\n", end) ? end + 1 : end;
  }

  /// Behind `word` and the end of its block, when the tag at `at` is that; else nowhere.
  size_t behind_word(size_t at, std::string_view word, bool trims) const {
    at = behind_spaces(at);
    if (!looking_at(word, at)) {
      return kNowhere;
    }
    return behind_end(behind_spaces(at + word.size()), "%}", trims, trims);
  }

  /// The text from at_ to the tag at `tag`, as its sign and lstrip_blocks leave it.
  void add_data(size_t tag, char sign, bool is_variable) {
    std::string_view data = text_.substr(at_, tag - at_);
    if (sign == '-') {
      data = strip(data, false, true);
    } else if (sign != '+' && !is_variable) {
      size_t newline = data.rfind('\n');
      size_t start = newline == kNowhere ? 0 : newline + 1;
      if ((start > 0 || line_starting_) && strip(data.substr(start)).empty()) {
        data = data.substr(0, start);
      }
    }
    if (!data.empty()) {
      add(TokenKind::Data, std::string(data));
    }
  }

  void end_tag(size_t end) {
    line_starting_ = end > 0 && text_[end - 1] == '\n';
    at_ = end;
  }

  size_t next_tag() const {
    for (size_t at = text_.find('{', at_); at != kNowhere; at = text_.find('{', at + 1)) {
      if (looking_at("{%", at) || looking_at("{{", at) || looking_at("{#", at)) {
        return at;
      }
    }
    return kNowhere;
  }

  void read_data() {
    size_t tag = next_tag();
    if (tag == kNowhere) {
      add(TokenKind::Data, std::string(text_.substr(at_)));
      at_ = text_.size();
      return;
    }
    char mark = text_[tag + 1];
    char sign = ' ';
    size_t inside = behind_sign(tag + 2, sign);
    add_data(tag, sign, mark == '{');
    at_ = tag;
    size_t raw = mark == '%' ? behind_word(inside, "raw", false) : kNowhere;
    if (mark == '#') {
      skip_comment(inside);
    } else if (raw != kNowhere) {
      end_tag(raw);
      read_raw();
    } else {
      add(mark == '%' ? TokenKind::BlockBegin : TokenKind::VariableBegin);
      at_ = inside;
      read_tag(mark == '%');
    }
  }

  void skip_comment(size_t at) {
    for (size_t end = at; end < text_.size(); ++end) {
      size_t behind = behind_end(end, "#}", true);
      if (behind != kNowhere) {
        end_tag(behind);
        return;
      }
    }
    fail_here("a comment without its end");
  }

  void read_raw() {
    for (size_t tag = text_.find("{%", at_); tag != kNowhere; tag = text_.find("{%", tag + 1)) {
      char sign = ' ';
      size_t behind = behind_word(behind_sign(tag + 2, sign), "endraw", true);
      if (behind != kNowhere) {
        add_data(tag, sign, false);
        end_tag(behind);
        return;
      }
    }
    fail_here("a raw block without its end");
  }

  void read_tag(bool is_block) {
    while (true) {
      at_ = behind_spaces(at_);
      if (at_ >= text_.size()) {
        fail_here("the template ends inside a tag");
      }
      size_t end =
          open_.empty() ? behind_end(at_, is_block ? "%}" : "}}", is_block, is_block) : kNowhere;
      if (end != kNowhere) {
        add(is_block ? TokenKind::BlockEnd : TokenKind::VariableEnd);
        end_tag(end);
        return;
      }
      read_token();
    }
  }

  void read_token() {
    char first = text_[at_];
    if (first == '\'' || first == '"') {
      read_literal([&](Value& value) {
        std::string string;
        size_t size = read_string(text_.substr(at_), string);
        value = Value::text(std::move(string));
        return size;
      });
    } else if (first >= '0' && first <= '9') {
      bool allow_fraction = at_ == 0 || text_[at_ - 1] != '.';
      read_literal(
          [&](Value& value) { return read_number(text_.substr(at_), allow_fraction, value); });
    } else if (is_name_byte(first)) {
      size_t end = at_;
      while (end < text_.size() && is_name_byte(text_[end])) {
        ++end;
      }
      add(TokenKind::Name, std::string(text_.substr(at_, end - at_)));
      at_ = end;
    } else {
      read_operator();
    }
  }

  template <class Read>
  void read_literal(Read&& read) {
    Token& token = add(TokenKind::Literal);
    try {
      at_ += read(token.literal);
    } catch (const Failure& failure) {
      throw Failure(failure.code, failure.what(), token.line);
    }
  }

  static bool is_name_byte(char byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '_';
  }

  void read_operator() {
    static constexpr std::string_view kTwo[] = {"//", "**", "==", "!=", ">=", "<="};
    static constexpr std::string_view kOne = "+-*/%~[](){}><=.:|,";
    size_t size = std::any_of(std::begin(kTwo),
                              std::end(kTwo),
                              [&](std::string_view two) { return looking_at(two, at_); })
                      ? 2
                      : 1;
    char first = text_[at_];
    if (size == 1 && kOne.find(first) == kNowhere) {
      std::string character(*characters(text_.substr(at_, 4)));
      fail_here("unexpected character '" + character + "'");
    }
    size_t bracket = std::string_view("([{").find(first);
    if (bracket != kNowhere) {
      open_ += ")]}"[bracket];
    } else if (std::string_view(")]}").find(first) != kNowhere) {
      if (open_.empty() || open_.back() != first) {
        fail_here(std::string("unexpected '") + first + "'");
      }
      open_.pop_back();
    }
    add(TokenKind::Operator, std::string(text_.substr(at_, size)));
    at_ += size;
  }
};

}  // namespace

std::vector<Token> tokenize(std::string_view source) {
  return Lexer(with_plain_newlines(source)).run();
}

}  // namespace oneshot::jinja
