#include "engine/calibration/json_row.h"

#include <algorithm>
#include <vector>

#include "engine/checkpoint/message_text.h"
#include "engine/error.h"
#include "engine/text/unicode.h"

namespace oneshot {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kDeepest = 100;    // copying and writing a JSON value recurse
constexpr int kMostKeys = 1000;  // an object that keeps the order is searched from its start

/// `at`: a byte of the text, from 0.
[[noreturn]] void throw_at(const RowPlace& place,
                           std::string_view text,
                           size_t at,
                           const std::string& what) {
  const std::string_view before = text.substr(0, std::min(at, text.size()));
  const size_t newline = before.rfind('\n');
  const auto column = static_cast<int64_t>(
      newline == std::string_view::npos ? before.size() : before.size() - newline - 1);
  const int64_t first = newline == std::string_view::npos ? place.column : 1;
  const int64_t line = place.line + std::count(before.begin(), before.end(), '\n');
  throw Error(ErrorCode::Checkpoint,
              one_line(place.file) + ":" + std::to_string(line) + ":" +
                  std::to_string(first + column) + ": " + what);
}

/// What the parser would get wrong, or say less about.
void check_bytes(std::string_view text, const RowPlace& place) {
  if (const size_t zero = text.find('\0'); zero != std::string_view::npos) {
    throw_at(place, text, zero, "holds a zero byte; is this a text file?");
  }
}

[[noreturn]] void throw_not_json(std::string_view text, const RowPlace& place, size_t at) {
  if (const auto invalid = first_invalid_byte(text)) {
    throw_at(place, text, *invalid, "not valid UTF-8; convert the file");
  }
  throw_at(place, text, at > 0 ? at - 1 : 0, "not valid JSON");
}

}  // namespace

std::string RowPlace::text() const {
  return one_line(file) + (line > 0 ? ":" + std::to_string(line) : "");
}

Json parse_json_row(std::string_view text, const RowPlace& place) {
  check_bytes(text, place);
  std::vector<int> keys;  // of the open objects
  const auto check = [&](int depth, Json::parse_event_t event, Json& /*parsed*/) {
    if (depth > kDeepest) {
      throw Error(ErrorCode::Checkpoint,
                  place.text() + ": nested deeper than " + std::to_string(kDeepest));
    }
    if (event == Json::parse_event_t::object_start) {
      keys.push_back(0);
    } else if (event == Json::parse_event_t::object_end) {
      keys.pop_back();
    } else if (event == Json::parse_event_t::key && ++keys.back() > kMostKeys) {
      throw Error(
          ErrorCode::Checkpoint,
          place.text() + ": an object with more than " + std::to_string(kMostKeys) + " keys");
    }
    return true;
  };
  try {
    return Json::parse(text, check);
  } catch (const Json::parse_error& error) {
    throw_not_json(text, place, error.byte);
  } catch (const Json::out_of_range&) {
    throw Error(ErrorCode::Checkpoint, place.text() + ": not valid JSON, a number is too large");
  }
}

void check_json_row(std::string_view text, const RowPlace& place) {
  check_bytes(text, place);
  if (!Json::accept(text)) {
    parse_json_row(text, place);               // says where
    throw_not_json(text, place, text.size());  // not reached: both read the same grammar
  }
}

}  // namespace oneshot
