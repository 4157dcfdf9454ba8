// Templates that are a form for each role: the JSON files of auto-round, and those of the families.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/graph/image_family.h"

namespace oneshot {

/// A form is a text with "{{content}}", the first of which a message's content is put in for. An
/// empty one: the template has no such role.
struct PromptTemplate {
  std::string name;  // in messages: a file, or "the built-in template of llava"
  std::string model_type = "user_define";
  std::string format_user;
  std::string format_assistant;
  std::string format_system = "{{content}}";
  std::string format_function;
  std::string format_observation;             // what a tool answered
  std::optional<std::string> default_system;  // said where a conversation says nothing itself
  std::vector<std::pair<std::string, std::string>> replace_tokens;  // old and new, in contents
  bool extra_encode = false;        // false: only replace_tokens counts, the chat template renders
  std::vector<std::string> unused;  // keys that were given and change nothing
};

/// The template in a JSON file with the keys of auto-round: model_type, format_user,
/// format_assistant, format_system, format_function, format_observation, format_separator,
/// default_system, replace_tokens (a flat list), extra_encode (also "True" and "False"),
/// default_dataset, processor. As in auto-round format_separator changes nothing; neither do
/// default_dataset and processor here: the recipe names the dataset, the model its processor.
/// throws Checkpoint, naming the file and the key, for an unknown key with the nearest known one, a
/// value of the wrong kind and a form without "{{content}}".
PromptTemplate read_prompt_template(const std::filesystem::path& file);
PromptTemplate parse_prompt_template(const nlohmann::json& json, const std::string& file);

/// What a family's own conversations look like. `eos_token` ends an answer of LLaVA; "</s>" when it
/// is empty.
/// Sources: vicuna_v1 of LLaVA, the prompt of llava-hf's model card, and the chat templates of
/// Qwen2-VL, Llama-3.2-Vision and Phi-3.5-vision; CogVLM2's is the one that auto-round uses.
PromptTemplate family_template(ImageFamily family, const std::string& eos_token);

/// The messages with replace_tokens done, one pair after the other, in contents that are texts; for
/// model_type "llava" auto-round does none.
nlohmann::ordered_json with_replaced_tokens(const PromptTemplate& form,
                                            const nlohmann::ordered_json& messages);

/// The text of messages {role, content} whose contents are texts: the default system unless a
/// system begins, then each message in the form of its role.
/// throws Checkpoint for an unknown role, for one that the template has no form for and tool_calls.
std::string render(const PromptTemplate& form, const nlohmann::ordered_json& messages);

}  // namespace oneshot
