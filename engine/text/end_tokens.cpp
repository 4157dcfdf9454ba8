#include "engine/text/end_tokens.h"

#include <limits>

#include "engine/checkpoint/json_file.h"
#include "engine/error.h"
#include "engine/text/special_tokens.h"

namespace oneshot {
namespace {

using nlohmann::json;

constexpr const char* kEndTokenId = "eos_token_id";

int32_t read_id(const json& value, const std::string& file) {
  if (!value.is_number_integer() || value.get<int64_t>() < 0 ||
      value.get<int64_t>() > std::numeric_limits<int32_t>::max()) {
    throw Error(ErrorCode::Checkpoint,
                file + ": eos_token_id must be a token id or a list of them, found " +
                    value.dump().substr(0, 80));
  }
  return value.get<int32_t>();
}

/// The ids that a config names; nothing when it names none.
std::vector<int32_t> named_ids(const json& config, const std::string& file) {
  std::vector<int32_t> ids;
  const auto found = config.find(kEndTokenId);
  if (found == config.end() || found->is_null()) {
    return ids;
  }
  if (!found->is_array()) {
    return {read_id(*found, file)};
  }
  for (const json& id : *found) {
    ids.push_back(read_id(id, file));
  }
  return ids;
}

std::vector<int32_t> ids_of_model(const EndTokenSources& sources) {
  const std::filesystem::path file = sources.model / "generation_config.json";
  if (std::filesystem::exists(file)) {
    std::vector<int32_t> ids = named_ids(read_json_object(file), file.string());
    if (!ids.empty()) {
      return ids;
    }
  }
  std::vector<int32_t> ids = named_ids(*sources.config, "config.json");
  const auto text_part = sources.config->find("text_config");
  if (ids.empty() && text_part != sources.config->end() && text_part->is_object()) {
    ids = named_ids(*text_part, "config.json: text_config");
  }
  return ids;
}

}  // namespace

std::vector<int32_t> end_tokens(const EndTokenSources& sources, const Tokenizer& tokenizer) {
  std::vector<int32_t> ids = ids_of_model(sources);
  if (ids.empty()) {
    const nlohmann::ordered_json named = special_tokens(sources.tokenizer);
    const auto token = named.find("eos_token");
    const std::optional<int32_t> id =
        token != named.end() ? tokenizer.id_of(token->get<std::string>()) : std::nullopt;
    if (id) {
      ids.push_back(*id);
    }
  }
  return ids;
}

}  // namespace oneshot
