#include "engine/text/special_tokens.h"

#include "engine/checkpoint/json_file.h"
#include "engine/text/component.h"

namespace oneshot {
namespace {

using Json = nlohmann::json;

/// The file, or an empty object when it is not there.
Json read_optional(const std::filesystem::path& file) {
  return std::filesystem::exists(file) ? read_json_object(file) : Json::object();
}

}  // namespace

nlohmann::ordered_json special_tokens(const std::filesystem::path& folder) {
  nlohmann::ordered_json named = nlohmann::ordered_json::object();
  for (const char* name : {"tokenizer_config.json", "special_tokens_map.json"}) {
    const std::filesystem::path file = folder / name;
    const Json json = read_optional(file);
    const Component config(json, file.string(), "");
    for (const char* key : {"bos_token",
                            "eos_token",
                            "unk_token",
                            "sep_token",
                            "pad_token",
                            "cls_token",
                            "mask_token"}) {
      if (!config.has(key) || named.contains(key)) {
        continue;
      }
      const bool is_object = config.value(key).is_object();  // {"content": "<s>", …}
      named[key] = is_object ? config.part(key)->text("content") : config.text(key);
    }
  }
  return named;
}

}  // namespace oneshot
