#include "engine/run_evaluation.h"

#include <malloc.h>

#include "engine/aten_threads.h"
#include "engine/checkpoint/json_file.h"
#include "engine/checkpoint/text_file.h"
#include "engine/checkpoint/vision_tower.h"
#include "engine/error.h"
#include "engine/evaluate/generate.h"
#include "engine/evaluate/kept_weights.h"
#include "engine/evaluation_json.h"
#include "engine/evaluation_memory.h"
#include "engine/models/registry.h"
#include "engine/run_listener.h"
#include "engine/score_questions.h"
#include "engine/text/end_tokens.h"

namespace oneshot {
namespace {

constexpr int64_t kGeneratedTokens = 64;

EvaluationResources resources_of(const EvaluationSetup& setup, RunListener& listener) {
  EvaluationResources resources;
  resources.threads = setup.threads;
  resources.progress = [&listener](int64_t done, int64_t total) {
    listener.on_progress(
        {"evaluating", static_cast<uint64_t>(done), static_cast<uint64_t>(total), "steps"});
    return !listener.cancelled();
  };
  return resources;
}

std::filesystem::path tower_of(const EvaluationSetup& setup, const nlohmann::json& config) {
  const std::filesystem::path inner = inner_tower_folder(setup.source, config);
  return setup.vision_tower.empty() && !inner.empty() ? setup.source / inner : setup.vision_tower;
}

}  // namespace

void check_evaluation(const EvaluationRequest& request, const ModelSource& source) {
  try {
    make_model(source);
  } catch (const Error& error) {
    throw Error(error.code(), request.where + ": evaluation: " + error.what());
  }
}

RunEvaluation::RunEvaluation(const EvaluationRequest& request,
                             const EvaluationSetup& setup,
                             RunListener& listener)
    : request_(request),
      listener_(listener),
      setup_(setup),
      resources_(resources_of(setup, listener)),
      config_(read_json_object(setup.source / "config.json")),
      prompts_({setup.source, request.tokenizer.value_or(setup.source), tower_of(setup, config_)},
               config_) {
  if (request_.text) {
    text_ = prompts_.tokenizer().encode(read_text_file(*request_.text, "text"), false);
  }
  if (request_.choices) {
    choices_ = read_choice_file(*request_.choices, prompts_.tokenizer(), prompts_);
  }
  before_ = measure(setup_.source);
}

nlohmann::json RunEvaluation::compare_with(const std::filesystem::path& output) {
  nlohmann::json result{{"before", before_}, {"after", measure(output)}};
  if (!request_.text) {
    return result;
  }
  const double before = result["before"]["perplexity"];
  const double after = result["after"]["perplexity"];
  const double ratio = after / before;
  result["perplexity_ratio"] = ratio;
  const bool is_good = !request_.max_perplexity_ratio || ratio <= *request_.max_perplexity_ratio;
  if (!is_good) {  // not a number is not good
    throw Error(
        ErrorCode::Failed,
        request_.where + ": evaluation: the perplexity went from " + nlohmann::json(before).dump() +
            " to " + nlohmann::json(after).dump() + ", " + nlohmann::json(ratio).dump() +
            " times as much, and " + "max_perplexity_ratio is " +
            nlohmann::json(*request_.max_perplexity_ratio).dump() + "; no output was written");
  }
  return result;
}

nlohmann::json RunEvaluation::measure(const std::filesystem::path& folder) {
  const AtenThreads one(1);  // others have sequences of their own
  CheckpointModel model(
      folder, request_.formats(), /*weight_only=*/false, at::kFloat, setup_.vision_tower);
  nlohmann::json measured = nlohmann::json::object();
  if (request_.text) {
    malloc_trim(0);  // what was measured before has left much that is free
    resources_.tokens_at_once =
        tokens_at_once({{&model}, request_.sequence_length, setup_.threads, setup_.memory});
    const PerplexityOptions options{request_.sequence_length, request_.samples};
    add_to_json(perplexity(model.graph(), model.weights(), text_, options, resources_), measured);
  }
  if (!choices_.empty()) {
    malloc_trim(0);
    add_to_json(
        score_questions(model, choices_, {prompts_, request_.samples, setup_.memory}, resources_),
        measured);
  }
  if (request_.generate) {
    malloc_trim(0);
    measured["generated"] = generated(model);
  }
  malloc_trim(0);
  return measured;
}

std::string RunEvaluation::generated(CheckpointModel& model) {
  const std::vector<int32_t> prompt = prompts_.ids(*request_.generate, {});
  GenerationOptions options;
  options.max_tokens = kGeneratedTokens;
  options.end_tokens = end_tokens({setup_.source, &model.config(), prompts_.folders().tokenizer},
                                  prompts_.tokenizer());
  const int64_t tokens = static_cast<int64_t>(prompt.size()) + kGeneratedTokens;
  const Weights weights =
      kept_weights(model.weights(), kept_weight_bytes(model, tokens, setup_.memory));
  const AtenThreads threads(generation_threads(model, setup_.threads));
  const Generation result = generate(
      model.graph(), weights, prompt, options, [&](int32_t) { return !listener_.cancelled(); });
  return prompts_.tokenizer().decode(result.ids, true);
}

}  // namespace oneshot
