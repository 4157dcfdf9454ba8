// The tokens of a checkpoint that have a part to play: its configs name them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "engine/text/tokenizer.h"

namespace oneshot {

/// The text of a token that tokenizer_config.json names, such as "eos_token"; nothing when the
/// folder has no such file, or the file no such token. throws Checkpoint when it is damaged.
std::optional<std::string> special_token(const std::filesystem::path& folder,
                                         const std::string& key);

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
