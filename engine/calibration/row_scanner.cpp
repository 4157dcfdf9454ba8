#include "engine/calibration/row_scanner.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace oneshot {
namespace {

constexpr uint64_t kPieceBytes = uint64_t{1} << 20;
constexpr int kEnd = -1;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// Keys of rows: an object that holds one of them is a row, not a wrapper of rows.
constexpr std::array<std::string_view, 4> kRowKeys{
    "input_ids", "messages", "conversations", "text"};

bool is_space(int byte) {
  return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

/// The bytes of a file one by one, with the line on which they stand.
class Bytes {
 public:
  explicit Bytes(const InputFile& file) : file_(&file) {
    std::string begin;
    while (begin.size() < kByteOrderMark.size() && peek() != kEnd) {
      begin += static_cast<char>(take());
    }
    position_ = begin == kByteOrderMark ? kByteOrderMark.size() : 0;
    line_begin_ = position_;
    line_ = 1;
  }

  /// The byte that comes next; kEnd at the end of the file.
  int peek() {
    if (position_ >= file_->size()) {
      return kEnd;
    }
    if (position_ < begin_ || position_ >= begin_ + held_) {
      begin_ = position_;
      held_ = std::min(kPieceBytes, file_->size() - begin_);
      file_->read(begin_, held_, piece_);
    }
    return std::to_integer<int>(piece_[position_ - begin_]);
  }

  int take() {
    const int byte = peek();
    if (byte != kEnd) {
      ++position_;
      if (byte == '\n') {
        ++line_;
        line_begin_ = position_;
      }
    }
    return byte;
  }

  void skip_space() {
    while (is_space(peek())) {
      take();
    }
  }

  RowSpan here() const {
    return {position_, 0, line_, static_cast<int64_t>(position_ - line_begin_) + 1};
  }
  uint64_t position() const { return position_; }

 private:
  const InputFile* file_;
  uint64_t position_ = 0, line_begin_ = 0;
  int64_t line_ = 1;
  std::vector<std::byte> piece_;
  uint64_t begin_ = 0, held_ = 0;  // of the piece
};

/// Takes a string whose opening quote comes next; its raw bytes, at most the first 100.
std::string take_string(Bytes& bytes) {
  std::string text;
  bytes.take();
  for (int byte = bytes.take(); byte != kEnd && byte != '"'; byte = bytes.take()) {
    if (text.size() < 100) {
      text += static_cast<char>(byte);
    }
    if (byte == '\\') {
      bytes.take();
    }
  }
  return text;
}

/// Takes what stands before the next comma or closing bracket of the level it begins on.
RowSpan take_item(Bytes& bytes) {
  RowSpan span = bytes.here();
  uint64_t end = span.offset;  // behind the last byte that is no white space
  for (int64_t depth = 0;;) {
    const int byte = bytes.peek();
    const bool closes = byte == ']' || byte == '}';
    if (byte == kEnd || (depth == 0 && (closes || byte == ','))) {
      span.bytes = end - span.offset;
      return span;
    }
    if (byte == '"') {
      take_string(bytes);
    } else {
      depth += byte == '[' || byte == '{' ? 1 : 0;
      depth -= closes ? 1 : 0;
      bytes.take();
    }
    if (!is_space(byte)) {
      end = bytes.position();
    }
  }
}

/// Takes one value; brackets that do not match count as those that do.
RowSpan take_value(Bytes& bytes) {
  RowSpan span = bytes.here();
  int64_t depth = 0;
  do {
    const int byte = bytes.peek();
    if (byte == '"') {
      take_string(bytes);
    } else {
      depth += byte == '[' || byte == '{' ? 1 : 0;
      depth -= byte == ']' || byte == '}' ? 1 : 0;
      bytes.take();
    }
  } while (depth > 0 && bytes.peek() != kEnd);
  span.bytes = bytes.position() - span.offset;
  return span;
}

/// Takes a list whose opening bracket comes next, and its closing bracket when it is there. A list
/// that does not end, or has nothing behind a comma, gives an empty item at the end.
std::vector<RowSpan> take_list(Bytes& bytes) {
  std::vector<RowSpan> items;
  bytes.take();
  bytes.skip_space();
  if (bytes.peek() == ']') {
    bytes.take();
    return items;
  }
  for (;;) {
    bytes.skip_space();
    items.push_back(take_item(bytes));
    const int byte = bytes.peek();
    if (byte == ',') {
      bytes.take();
      continue;
    }
    if (byte == ']') {
      bytes.take();
    } else {
      items.push_back(bytes.here());
    }
    return items;
  }
}

/// The items of the only list of an object; nothing when the object is something else.
std::optional<std::vector<RowSpan>> take_wrapped_list(Bytes& bytes) {
  bytes.take();
  bytes.skip_space();
  if (bytes.peek() != '"') {
    return std::nullopt;
  }
  const std::string key = take_string(bytes);
  bytes.skip_space();
  const bool is_row = std::find(kRowKeys.begin(), kRowKeys.end(), key) != kRowKeys.end();
  if (is_row || bytes.take() != ':') {
    return std::nullopt;
  }
  bytes.skip_space();
  if (bytes.peek() != '[') {
    return std::nullopt;
  }
  std::vector<RowSpan> items = take_list(bytes);
  bytes.skip_space();
  if (bytes.take() != '}') {
    return std::nullopt;
  }
  return items;
}

/// Takes the rest of the file; the stretch is empty when there is only white space.
RowSpan take_rest(Bytes& bytes, uint64_t size) {
  bytes.skip_space();
  RowSpan rest = bytes.here();
  rest.bytes = size - rest.offset;
  return rest;
}

}  // namespace

std::vector<RowSpan> find_lines(const InputFile& file) {
  std::vector<RowSpan> rows;
  Bytes bytes(file);
  for (bytes.skip_space(); bytes.peek() != kEnd; bytes.skip_space()) {
    RowSpan row = bytes.here();
    while (bytes.peek() != '\n' && bytes.peek() != kEnd) {
      bytes.take();
    }
    row.bytes = bytes.position() - row.offset;
    rows.push_back(row);
  }
  return rows;
}

JsonLayout find_items(const InputFile& file) {
  Bytes bytes(file);
  bytes.skip_space();
  if (bytes.peek() == '[') {
    JsonLayout layout{JsonLayout::Kind::List, take_list(bytes), {}};
    layout.rest = take_rest(bytes, file.size());
    return layout;
  }
  if (bytes.peek() != '{') {
    return {JsonLayout::Kind::Value, {take_rest(bytes, file.size())}, {}};
  }
  Bytes behind = bytes;
  const RowSpan first = take_value(behind);
  if (take_rest(behind, file.size()).bytes > 0) {
    return {JsonLayout::Kind::Several, {}, {}};
  }
  if (auto items = take_wrapped_list(bytes)) {
    return {JsonLayout::Kind::List, std::move(*items), {}};
  }
  return {JsonLayout::Kind::Value, {first}, {}};
}

}  // namespace oneshot
