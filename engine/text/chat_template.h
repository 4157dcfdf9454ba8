// A chat template: from a conversation to the text that a model reads.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace oneshot {

/// Renders conversations as jinja2 does in transformers: trim_blocks and lstrip_blocks, immutable
/// values, `generation` blocks passed through. Every construct outside of the subset that chat
/// templates use is refused, never guessed.
class ChatTemplate {
 public:
  /// `file` is what messages name. throws Checkpoint with file:line for wrong syntax, Unsupported
  /// with file:line for a tag, a filter or a test that is not known.
  ChatTemplate(const std::string& source, std::string file);

  /// The template of a checkpoint: chat_template.jinja, else the chat_template of
  /// chat_template.json, else that of tokenizer_config.json: a text, or a list of {name, template}
  /// of which 'default' is taken. Nothing when the folder has none.
  /// throws Checkpoint for a damaged file, and what the constructor throws.
  static std::optional<ChatTemplate> from_folder(const std::filesystem::path& folder);

  /// The text of a conversation, a list of {role, content, …}.
  /// context: an object of the variables that the template sees, such as bos_token, eos_token,
  /// tools (else none), documents (else none) and add_generation_prompt (else false). Its
  /// "strftime_now", "2024-07-26" or "2024-07-26 15:04:05", is the time that the function of this
  /// name tells; without it the function is undefined, so that a text depends on its inputs only.
  /// The order of keys shows where a template prints an object: ordered_json keeps the file's.
  /// throws Checkpoint with file:line for what the template raises, for an operation that Python
  /// refuses and for more than 10 million steps, a text of more than 64 MiB or 1 GiB of values;
  /// Unsupported with file:line for a method or a function that is not known.
  std::string render(const nlohmann::ordered_json& messages,
                     const nlohmann::ordered_json& context) const;
  std::string render(const nlohmann::json& messages, const nlohmann::json& context) const;

 private:
  struct Parsed;
  std::string file_;
  std::shared_ptr<const Parsed> parsed_;
};

}  // namespace oneshot
