// The special tokens that tokenizer_config.json names. Its add_bos_token and add_eos_token are not
// read: transformers 5.17 leaves them out too where there is a tokenizer.json, which says itself
// what stands around a text.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

namespace oneshot {

/// The tokens that a tokenizer's folder names, as a chat template sees them: an object of
/// bos_token, eos_token, unk_token, sep_token, pad_token, cls_token and mask_token, each a text,
/// those that are there. From tokenizer_config.json, else special_tokens_map.json. throws
/// Checkpoint for a damaged file.
nlohmann::ordered_json special_tokens(const std::filesystem::path& folder);

}  // namespace oneshot
