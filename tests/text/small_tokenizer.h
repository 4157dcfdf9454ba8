// tokenizer.json in a few lines, to be changed by a test.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "engine/text/tokenizer.h"

namespace oneshot {

/// Letters a b c, the merges "a b" → ab and "ab c" → abc, <s> as an added token.
inline nlohmann::json small_tokenizer() {
  return nlohmann::json::parse(R"({
    "added_tokens": [{"id": 5, "content": "<s>", "special": true, "normalized": false,
                      "single_word": false, "lstrip": false, "rstrip": false}],
    "normalizer": null, "pre_tokenizer": null, "post_processor": null, "decoder": {"type": "Fuse"},
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "c": 2, "ab": 3, "abc": 4},
              "merges": [["a", "b"], ["ab", "c"]]}})");
}

/// The small tokenizer with one part replaced: with("/decoder", …).
inline nlohmann::json with(const std::string& pointer, nlohmann::json value) {
  nlohmann::json json = small_tokenizer();
  json[nlohmann::json::json_pointer(pointer)] = std::move(value);
  return json;
}

inline Tokenizer read(const nlohmann::json& json) {
  return Tokenizer::from_json(json, "m/tokenizer.json");
}

}  // namespace oneshot
