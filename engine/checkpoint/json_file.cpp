#include "engine/checkpoint/json_file.h"

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "engine/checkpoint/input_file.h"
#include "engine/checkpoint/message_text.h"
#include "engine/error.h"

namespace oneshot {
namespace {

using Json = nlohmann::json;

constexpr uint64_t kLargestBytes = uint64_t{256} << 20;
constexpr int kDeepest = 100;  // copying and writing a JSON value recurse

[[noreturn]] void throw_bad(const std::string& where, const std::string& what) {
  throw Error(ErrorCode::Checkpoint, one_line(where) + ": " + what);
}

/// ":3:14" of the byte before `position`, counted from 1.
std::string line_and_column(std::string_view text, size_t position) {
  size_t at = std::min(position > 0 ? position - 1 : 0, text.size());
  std::string_view before = text.substr(0, at);
  size_t newline = before.rfind('\n');
  size_t column = newline == std::string_view::npos ? at + 1 : at - newline;
  return ":" + std::to_string(std::count(before.begin(), before.end(), '\n') + 1) + ":" +
         std::to_string(column);
}

Json parse(std::string_view text, const std::string& file, RepeatedKeys repeated) {
  std::vector<std::set<std::string>> keys;  // of the open objects
  auto check = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (depth > kDeepest) {
      throw_bad(file, "nested deeper than " + std::to_string(kDeepest));
    }
    if (repeated == RepeatedKeys::LastCounts) {
      return true;
    }
    if (event == Json::parse_event_t::object_start) {
      keys.emplace_back();
    } else if (event == Json::parse_event_t::object_end) {
      keys.pop_back();
    } else if (event == Json::parse_event_t::key &&
               !keys.back().insert(parsed.get<std::string>()).second) {
      throw_bad(file, "holds " + in_quotes(parsed.get<std::string>()) + " twice");
    }
    return true;
  };
  // The parser would take a zero byte for the end.
  size_t zero = text.find('\0');
  if (zero != std::string_view::npos) {
    throw_bad(file + line_and_column(text, zero + 1), "not valid JSON");
  }
  try {
    return Json::parse(text, check);
  } catch (const Json::parse_error& error) {
    throw_bad(file + line_and_column(text, error.byte), "not valid JSON");
  } catch (const Json::out_of_range&) {
    throw_bad(file, "not valid JSON, a number is too large");
  }
}

}  // namespace

Json read_json_object(const std::filesystem::path& file, RepeatedKeys repeated) {
  InputFile input(file, InputFile::Access::Read);
  if (input.size() > kLargestBytes) {
    throw_bad(file.string(), std::to_string(input.size()) + " bytes are too many for such a file");
  }
  std::vector<std::byte> bytes;
  input.read(0, input.size(), bytes);
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), input.size());
  Json value = parse(text, file.string(), repeated);
  if (!value.is_object()) {
    throw_bad(file.string(),
              std::string("holds JSON ") + value.type_name() + ", expected an object");
  }
  return value;
}

}  // namespace oneshot
