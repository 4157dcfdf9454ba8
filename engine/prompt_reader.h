// Texts with images as a checkpoint's model reads them.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/evaluate/choice_file.h"
#include "engine/graph/image_input.h"
#include "engine/text/image_prompt.h"
#include "engine/text/tokenizer.h"
#include "engine/vision/image_files.h"

namespace oneshot {

/// Where what reads texts and images is.
struct PromptFolders {
  std::filesystem::path checkpoint;
  std::filesystem::path tokenizer;
  std::filesystem::path tower;  // of a tower that is a checkpoint of its own; empty: there is none
};

/// What belongs to images is opened when the first one is read.
class PromptReader : public ContextReader {
 public:
  /// config: of the checkpoint, which outlives this. throws what Tokenizer throws.
  PromptReader(PromptFolders folders, const nlohmann::json& config);

  const Tokenizer& tokenizer() const { return tokenizer_; }
  const PromptFolders& folders() const { return folders_; }

  /// With the special tokens that the tokenizer itself adds. "<image>" is the place of an image,
  /// whatever the family's mark. throws Unsupported for images where the model reads none;
  /// Checkpoint for an image that cannot be read, or when there is not one place for each.
  std::vector<int32_t> ids(const std::string& text,
                           std::span<const std::filesystem::path> images) const override;

  /// A question as the only message of a user, in the words of the checkpoint's chat template, or,
  /// where it has none, of the images' family. Images stand where "<image>" is, else in front.
  /// throws as ids(), and Checkpoint when there is no template.
  std::vector<int32_t> chat_ids(const std::string& question,
                                std::span<const std::filesystem::path> images) const;

  /// What the model reads of the images of one text. For many threads at once.
  ImageInput load(std::span<const std::filesystem::path> images) const;

 private:
  const ImagePrompt& prompt() const;
  std::string chat_text(const nlohmann::ordered_json& messages, bool has_images) const;

  PromptFolders folders_;
  const nlohmann::json& config_;
  Tokenizer tokenizer_;
  ImageFiles files_;
  mutable std::optional<ImagePrompt> prompt_;
};

}  // namespace oneshot
