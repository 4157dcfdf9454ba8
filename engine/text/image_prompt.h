// From a text with image marks to token ids with a place for each token that an image takes up.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "engine/graph/image_family.h"
#include "engine/text/tokenizer.h"

namespace oneshot {

/// Does what the family's processor does with a text. An id stands for each row of hidden states;
/// those of images are
/// - Llava, Qwen2Vl: copies of the image token's id that config.json names;
/// - Mllama: that id once an image, which takes up no more of the text;
/// - LlavaOriginal: copies of -200; Phi3V: of -k for image k, from 1; CogVlm2: of -1.
/// Sources: Transformers 5.17 (LlavaProcessor, Qwen2VLProcessor, MllamaProcessor), LLaVA's
/// tokenizer_image_token, the processors in the repositories of Phi-3.5-vision and CogVLM2.
class ImagePrompt {
 public:
  /// `tokenizer_folder` names the special tokens.
  /// throws Unsupported for a config.json of no such family; Checkpoint for a tokenizer without the
  /// family's image token, or one under another id than config.json says.
  ImagePrompt(const nlohmann::json& config,
              Tokenizer tokenizer,
              const std::filesystem::path& tokenizer_folder);

  ImageFamily family() const { return family_; }

  /// True when the text begins with the tokenizer's bos_token: then Transformers has the tokenizer
  /// add no special tokens to what a chat template wrote.
  bool begins_with_bos(const std::string& text) const;

  /// image_tokens: how many each image takes up, in the order of the text. `special_tokens`: those
  /// that the tokenizer adds by itself.
  /// Mllama: a text without bos_token gets it, behind the marks that it begins with. LlavaOriginal
  /// and Phi3V: what stands between marks is tokenized on its own; a BOS stays before the first
  /// piece only (LlavaOriginal), or wherever the tokenizer puts it (Phi3V). CogVlm2: bos_token, the
  /// image, the text without special tokens.
  /// throws Checkpoint when the text has not one mark for each image, or is not valid UTF-8.
  std::vector<int32_t> ids(const std::string& text,
                           bool special_tokens,
                           std::span<const int64_t> image_tokens) const;

  /// True for ids of images, as ids() gives them.
  bool is_place(int32_t id) const { return id < 0 || id == image_id_; }

 private:
  std::vector<int32_t> expanded(const std::string& text,
                                bool special_tokens,
                                std::span<const int64_t> image_tokens) const;
  std::vector<int32_t> llava_pieces(const std::string& text,
                                    bool special_tokens,
                                    std::span<const int64_t> image_tokens) const;
  std::vector<int32_t> phi3_pieces(const std::string& text,
                                   bool special_tokens,
                                   std::span<const int64_t> image_tokens) const;
  std::vector<int32_t> image_first(const std::string& text,
                                   std::span<const int64_t> image_tokens) const;

  ImageFamily family_;
  Tokenizer tokenizer_;
  std::string bos_;        // bos_token; empty: the tokenizer names none
  int32_t image_id_ = -1;  // of the image token; -1: the family has none
};

}  // namespace oneshot
