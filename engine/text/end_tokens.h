// The tokens that end a text.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

#include "engine/text/tokenizer.h"

namespace oneshot {

/// Where end_tokens() looks.
struct EndTokenSources {
  std::filesystem::path model;      // folder with generation_config.json
  const nlohmann::json* config;     // of the model, config.json
  std::filesystem::path tokenizer;  // folder with tokenizer_config.json
};

/// The tokens that end a text: eos_token_id of generation_config.json, one id or a list, else of
/// config.json, else the eos_token of the tokenizer, else none. throws Checkpoint for other values.
std::vector<int32_t> end_tokens(const EndTokenSources& sources, const Tokenizer& tokenizer);

}  // namespace oneshot
