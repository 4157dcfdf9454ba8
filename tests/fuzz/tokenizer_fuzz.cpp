// Any bytes as tokenizer.json: refused with an Error, or a tokenizer that encodes and decodes any
// text. Input: a text, a zero byte, the JSON; without a zero byte the JSON is the text too.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/calibration/json_row.h"
#include "engine/error.h"
#include "engine/text/tokenizer.h"

namespace {

constexpr size_t kLongestText = 4096;

void check(bool claim) {
  if (!claim) {
    std::abort();
  }
}

/// Ids of a cut text begin the ids of the text, and every id has a text.
void check_text(const oneshot::Tokenizer& tokenizer, const std::string& text) {
  const std::vector<int32_t> ids = tokenizer.encode(text, false);
  const std::vector<int32_t> first = tokenizer.encode_first(text, false, 3);
  check(first.size() == std::min<size_t>(3, ids.size()));
  check(std::equal(first.begin(), first.end(), ids.begin()));
  tokenizer.encode(text, true);
  tokenizer.decode(ids, true);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string input(reinterpret_cast<const char*>(data), size);
  const size_t zero = input.find('\0');
  const std::string text = input.substr(0, std::min(zero, kLongestText));
  const std::string json = zero == std::string::npos ? input : input.substr(zero + 1);
  try {
    // Bounds the depth, as the reader of the file does.
    const nlohmann::json parsed = oneshot::parse_json_row(json, {"tokenizer.json", 1});
    check_text(oneshot::Tokenizer::from_json(parsed, "tokenizer.json"), text);
  } catch (const oneshot::Error& error) {
    check(std::string(error.what()).find('\n') == std::string::npos);
  }
  return 0;
}
