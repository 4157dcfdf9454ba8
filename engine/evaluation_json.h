// What was measured, as `oneshot eval --json` and report.json say it.
#pragma once

#include <nlohmann/json.hpp>

#include "engine/evaluate/choices.h"
#include "engine/evaluate/divergence.h"

namespace oneshot {

/// perplexity, tokens (predicted), windows
void add_to_json(const PerplexityResult& result, nlohmann::json& json);

/// accuracy, accuracy_normalized, items, by_category (each with the same three)
void add_to_json(const ChoicesResult& result, nlohmann::json& json);

/// kl, top1_agreement, block_error, and the perplexity
void add_to_json(const DivergenceResult& result, nlohmann::json& json);

}  // namespace oneshot
