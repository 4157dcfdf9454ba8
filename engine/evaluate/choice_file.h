// Questions with choices or with short answers, a JSON object a line.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "engine/text/tokenizer.h"

namespace oneshot {

/// Turns a text into what the model reads, with places for its images.
class ContextReader {
 public:
  virtual ~ContextReader() = default;
  /// With the special tokens that the tokenizer itself adds. "<image>" in the text is the place of
  /// an image. throws Checkpoint when there is not one place for each, or an image cannot be read.
  virtual std::vector<int32_t> ids(const std::string& text,
                                   std::span<const std::filesystem::path> images) const = 0;
};

/// A question as the model reads it: with choices, or with answers.
struct ChoiceItem {
  std::vector<int32_t> context;               // one or more tokens, with places of the images
  std::vector<std::filesystem::path> images;  // files, in their order in the context
  std::vector<std::vector<int32_t>> choices;  // two or more, of one or more tokens; or none
  std::vector<int64_t> characters;            // of each choice, Unicode code points
  size_t answer = 0;                          // index of the right choice
  std::vector<std::string> answers;           // that people gave, one or more; or none
  std::string category;                       // empty: none
  std::string where;                          // FILE:LINE

  bool has_choices() const { return answers.empty(); }
};

/// Rows of {context, choices, answer, category?, image?} or {context, answers, category?, image?},
/// also in one file; other keys are not looked at, empty lines are skipped. `answers` is a text or
/// a list of texts. An image is a path beginning at the file's folder, or a list of such. The
/// context has the special tokens that the tokenizer itself adds; a choice is tokenized on its own,
/// without any. An empty context is right when the tokenizer adds a token to it. throws Checkpoint
/// with FILE:LINE for a row that is damaged, has both choices and answers or neither, fewer than
/// two choices, an answer that is none of them, no answers, or a context or choice without tokens;
/// and what `contexts` throws.
std::vector<ChoiceItem> read_choice_file(const std::filesystem::path& file,
                                         const Tokenizer& tokenizer,
                                         const ContextReader& contexts);

}  // namespace oneshot
