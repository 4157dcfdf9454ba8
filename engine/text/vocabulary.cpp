#include "engine/text/vocabulary.h"

#include "engine/checkpoint/message_text.h"

namespace oneshot {

Vocabulary::Vocabulary(const Component& model) {
  const nlohmann::json& entries = model.value("vocab");
  if (!entries.is_object()) {
    model.throw_damaged("'vocab' is no object of tokens and their ids");
  }
  ids_.reserve(entries.size());
  tokens_.reserve(entries.size());
  for (const auto& [token, value] : entries.items()) {
    const int32_t id = model.read_id(value, "model.vocab." + token);
    const auto added = ids_.emplace(token, id).first;
    const auto [holder, is_new] = tokens_.emplace(id, &added->first);
    if (!is_new) {
      model.throw_damaged("the tokens " + in_quotes(*holder->second) + " and " + in_quotes(token) +
                          " have one id, " + std::to_string(id));
    }
  }
}

std::optional<int32_t> Vocabulary::id_of(std::string_view token) const {
  const auto found = ids_.find(token);
  return found == ids_.end() ? std::nullopt : std::optional(found->second);
}

const std::string* Vocabulary::token_of(int32_t id) const {
  const auto found = tokens_.find(id);
  return found == tokens_.end() ? nullptr : found->second;
}

}  // namespace oneshot
