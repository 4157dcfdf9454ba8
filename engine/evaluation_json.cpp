#include "engine/evaluation_json.h"

namespace oneshot {
namespace {

nlohmann::json count_json(const ChoiceCount& count) {
  return {{"accuracy", count.accuracy()},
          {"accuracy_normalized", count.accuracy_normalized()},
          {"items", count.items}};
}

}  // namespace

void add_to_json(const PerplexityResult& result, nlohmann::json& json) {
  json["perplexity"] = result.perplexity;
  json["tokens"] = result.tokens;
  json["windows"] = result.windows;
}

void add_to_json(const ChoicesResult& result, nlohmann::json& json) {
  json.update(count_json(result.all));
  json["by_category"] = nlohmann::json::object();
  for (const auto& [category, count] : result.by_category) {
    json["by_category"][category] = count_json(count);
  }
}

void add_to_json(const DivergenceResult& result, nlohmann::json& json) {
  add_to_json(result.perplexity, json);
  json["kl"] = result.kl;
  json["top1_agreement"] = result.top1_agreement;
  json["block_error"] = result.block_error;
}

}  // namespace oneshot
