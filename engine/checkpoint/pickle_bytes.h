// The bytes of a pickle, taken one after the other.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/checkpoint/little_endian.h"
#include "engine/checkpoint/message_text.h"
#include "engine/checkpoint/pickle_opcodes.h"
#include "engine/error.h"

namespace oneshot {

/// All functions throw Checkpoint, naming file and place, where the bytes end too early.
class PickleBytes {
 public:
  /// Both outlive this. file: its name in messages.
  PickleBytes(std::string_view bytes, const std::string& file) : bytes_(bytes), file_(file) {}

  const std::string& file() const { return file_; }
  bool at_end() const { return at_ == bytes_.size(); }

  std::string_view take(uint64_t count) {
    if (count > bytes_.size() - at_) {
      damaged("it ends within a value");
    }
    const std::string_view taken = bytes_.substr(at_, count);
    at_ += count;
    return taken;
  }
  uint8_t next() { return static_cast<uint8_t>(take(1)[0]); }
  /// Of 8 bytes or fewer, little-endian.
  uint64_t number(uint64_t width) { return little_endian(take(width)); }

  /// Two's complement of so many bytes.
  int64_t signed_number(uint64_t width) {
    if (width > 8) {
      damaged("a number of " + std::to_string(width) + " bytes");
    }
    const std::string_view bytes = take(width);
    uint64_t number = little_endian(bytes);
    if (width > 0 && width < 8 && (static_cast<uint8_t>(bytes.back()) & 0x80) != 0) {
      number |= ~uint64_t{0} << (8 * width);
    }
    return static_cast<int64_t>(number);
  }

  /// Up to a line break, which is taken too.
  std::string_view line() {
    const size_t end = bytes_.find('\n', at_);
    const std::string_view taken = take(end == std::string_view::npos ? bytes_.size() : end - at_);
    take(1);
    return taken;
  }

  /// Takes what an opcode of the framing brings along; whether it is one.
  bool framing(uint8_t opcode) {
    constexpr uint64_t kNewestProtocol = 5;
    if (opcode == kFrame) {
      take(8);
      return true;
    }
    if (opcode != kProto) {
      return false;
    }
    const uint64_t protocol = number(1);
    if (protocol > kNewestProtocol) {
      damaged("protocol " + std::to_string(protocol) + " is not known");
    }
    return true;
  }

  [[noreturn]] void damaged(const std::string& what) const {
    throw Error(ErrorCode::Checkpoint,
                one_line(file_) + ": byte " + std::to_string(at_) + " of data.pkl: " + what +
                    "; the file is damaged or no state dict");
  }

 private:
  std::string_view bytes_;
  const std::string& file_;
  size_t at_ = 0;
};

}  // namespace oneshot
