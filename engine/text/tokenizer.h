// Text to token ids and back, as a checkpoint's tokenizer.json says.
// The ids and the text are those of the library `tokenizers` of Hugging Face on the same file.
// Goals: every part of the file is honoured or refused by name. Non-goals: training, offsets,
// padding, pairs of texts, model types other than BPE.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace oneshot {

/// Cheap to copy. All functions may be called from many threads at once.
class Tokenizer {
 public:
  /// Reads tokenizer.json in the folder; tokenizer_config.json is not looked at.
  /// throws Checkpoint when the file is missing or damaged, Unsupported for a model type or a
  /// component that is not known here; both name the file and the place in it.
  static Tokenizer from_folder(const std::filesystem::path& folder);

  /// The same from the parsed file; `file` is its name in messages.
  static Tokenizer from_json(const nlohmann::json& json, const std::string& file);

  /// The ids of a text; with `add_special_tokens` those that the file's post-processor puts around
  /// it. Added tokens are found in the text itself, special ones too.
  /// throws Checkpoint when the text is not valid UTF-8, naming the byte.
  std::vector<int32_t> encode(std::string_view text, bool add_special_tokens) const;

  /// The first ids of a text, at most `longest`; special tokens count and are never cut off.
  /// As the library truncates on the right.
  /// throws as encode() does, and Checkpoint when the special tokens alone are more than `longest`.
  std::vector<int32_t> encode_first(std::string_view text,
                                    bool add_special_tokens,
                                    int64_t longest) const;

  /// The text of ids; bytes that are not valid UTF-8 become U+FFFD. Ids without a token, such as
  /// those that pad a model's vocabulary, give nothing.
  std::string decode(std::span<const int32_t> ids, bool skip_special_tokens) const;

  int64_t vocabulary_size() const;  // tokens, added ones included
  std::optional<int32_t> id_of(std::string_view token) const;
  std::optional<std::string> token_of(int32_t id) const;  // as the file spells it
  bool is_special(int32_t id) const;

 private:
  struct Parts;
  explicit Tokenizer(std::shared_ptr<const Parts> parts);

  std::shared_ptr<const Parts> parts_;
};

}  // namespace oneshot
