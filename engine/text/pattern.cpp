#include "engine/text/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <optional>

#include "engine/checkpoint/message_text.h"
#include "engine/error.h"
#include "engine/text/unicode.h"

namespace oneshot {
namespace {

constexpr size_t kJitStackBytes = size_t{8} << 20;

struct FreePcre2 {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
  void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
  void operator()(pcre2_jit_stack* stack) const { pcre2_jit_stack_free(stack); }
};
template <class T>
using Owned = std::unique_ptr<T, FreePcre2>;

/// What a thread needs to match any pattern; the ovector holds the whole match only.
struct Matcher {
  Owned<pcre2_match_data> data{pcre2_match_data_create(1, nullptr)};
  Owned<pcre2_match_context> context{pcre2_match_context_create(nullptr)};
  Owned<pcre2_jit_stack> stack;

  /// PCRE2 begins with 32 KiB of machine stack, which is enough for nearly all texts.
  void enlarge_stack() {
    stack.reset(pcre2_jit_stack_create(32 << 10, kJitStackBytes, nullptr));
    pcre2_jit_stack_assign(context.get(), nullptr, stack.get());
  }
};

Matcher& matcher_of_thread() {
  thread_local Matcher matcher;
  return matcher;
}

/// A class escape as Oniguruma means it, as members of a class; nothing for other escapes.
/// PCRE2 has U+180E among \s and no marks among \w.
const char* members_of(char escape) {
  switch (escape) {
    case 's':
      return R"(\p{White_Space})";
    case 'S':
      return R"(\P{White_Space})";
    case 'w':
      return R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc})";
    default:
      return nullptr;
  }
}

/// The expression, written for Oniguruma, as PCRE2 is to read it.
/// throws Unsupported where the two differ in a way that is not spelled out here.
std::string for_pcre2(const std::string& expression) {
  const auto refuse = [&](const std::string& what) {
    throw Error(ErrorCode::Unsupported,
                what + " in the regular expression " + in_quotes(expression));
  };
  std::string translated;
  bool in_class = false;
  for (size_t i = 0; i < expression.size(); ++i) {
    const char byte = expression[i];
    const char next = i + 1 < expression.size() ? expression[i + 1] : '\0';
    if (byte == '\\') {
      if (std::string_view("hHWbBRXGKZzyYO").find(next) != std::string_view::npos) {
        refuse(std::string("\\") + next);
      }
      const char* members = members_of(next);
      translated += members == nullptr ? expression.substr(i, 2)
                    : in_class         ? members
                                       : "[" + std::string(members) + "]";
      ++i;
      continue;
    }
    if (in_class && (byte == '[' || (byte == '&' && next == '&'))) {
      refuse(std::string("a class made of classes"));
    }
    if (!in_class && byte == '(' && expression.compare(i, 3, "(?m") == 0) {
      refuse("(?m");
    }
    in_class = byte == '[' || (in_class && byte != ']');
    translated += byte;
  }
  return translated;
}

}  // namespace

struct Pattern::Regex {
  Owned<pcre2_code> code;
  std::string expression;

  /// False when nothing matches from `start` on.
  bool find(std::string_view text, size_t start, Range& match) const {
    Matcher& matcher = matcher_of_thread();
    const auto run = [&] {
      return pcre2_match(code.get(),
                         reinterpret_cast<PCRE2_SPTR>(text.data()),
                         text.size(),
                         start,
                         PCRE2_NO_UTF_CHECK,
                         matcher.data.get(),
                         matcher.context.get());
    };
    int result = run();
    if (result == PCRE2_ERROR_JIT_STACKLIMIT && matcher.stack == nullptr) {
      matcher.enlarge_stack();
      result = run();
    }
    if (result == PCRE2_ERROR_NOMATCH) {
      return false;
    }
    if (result < 0) {
      throw Error(ErrorCode::Unsupported,
                  "the tokenizer's pattern " + in_quotes(expression) + " needs too many steps on " +
                      "a text of " + std::to_string(text.size()) + " bytes; split the text");
    }
    const size_t* offsets = pcre2_get_ovector_pointer(matcher.data.get());
    match = {offsets[0], offsets[1]};
    return true;
  }
};

Pattern::Pattern(const Component& owner) {
  const std::optional<Component> pattern = owner.part("pattern");
  if (!pattern) {
    owner.throw_damaged("has no 'pattern'");
  }
  if (pattern->has("String")) {
    literal_ = pattern->text("String");
    if (literal_.empty()) {
      pattern->throw_damaged("the string is empty");
    }
    return;
  }
  const std::string expression = pattern->text("Regex");
  try {
    regex_ = regex(expression).regex_;
  } catch (const Error& error) {
    pattern->throw_unsupported(error.what());
  }
}

Pattern Pattern::regex(const std::string& expression) {
  const std::string translated = for_pcre2(expression);
  int error = 0;
  size_t offset = 0;
  Owned<pcre2_code> code(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()),
                                       translated.size(),
                                       PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE,  // ^ as Oniguruma
                                       &error,
                                       &offset,
                                       nullptr));
  if (code == nullptr) {
    PCRE2_UCHAR message[256] = {};
    pcre2_get_error_message(error, message, sizeof message);
    throw Error(ErrorCode::Unsupported,
                "the regular expression " + in_quotes(expression) + " (" +
                    reinterpret_cast<const char*>(message) + " at byte " + std::to_string(offset) +
                    ")");
  }
  pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE);  // where there is no JIT it is interpreted
  Pattern pattern;
  pattern.regex_ = std::make_shared<const Regex>(Regex{std::move(code), expression});
  return pattern;
}

void Pattern::find_all(std::string_view text, std::vector<Range>& matches) const {
  if (regex_ == nullptr) {
    for (size_t at = text.find(literal_); at != std::string_view::npos;
         at = text.find(literal_, at + literal_.size())) {
      matches.push_back({at, at + literal_.size()});
    }
    return;
  }
  size_t start = 0;
  std::optional<size_t> last_end;
  Range match;
  while (start <= text.size() && regex_->find(text, start, match)) {
    if (match.begin == match.end && last_end == match.end) {  // an empty one right after another
      start += start < text.size() ? character_at(text, start).bytes : 1;
      continue;
    }
    matches.push_back(match);
    start = match.end;
    last_end = match.end;
  }
}

}  // namespace oneshot
