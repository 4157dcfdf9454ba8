// `evaluation:` of a recipe: the source is measured before a run, its output after.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "engine/checkpoint_model.h"
#include "engine/evaluate/choice_file.h"
#include "engine/evaluate/sequence_pass.h"
#include "engine/models/model_source.h"
#include "engine/prompt_reader.h"

namespace oneshot {

class RunListener;

/// What is measured, and how much worse it may become.
struct EvaluationRequest {
  std::optional<std::filesystem::path> text, choices;             // files
  std::optional<std::string> generate;                            // a prompt, continued greedily
  int64_t samples = 0;                                            // windows and questions; 0: all
  int64_t sequence_length = 512;                                  // tokens of a window
  std::optional<double> max_perplexity_ratio;                     // after ÷ before
  std::optional<std::filesystem::path> tokenizer;                 // folder; nothing: the source's
  std::string where;                                              // of `evaluation:`, for messages
  std::function<std::vector<std::unique_ptr<Format>>()> formats;  // that an output may be in
};

/// throws Unsupported when the model cannot be run.
void check_evaluation(const EvaluationRequest& request, const ModelSource& source);

struct EvaluationSetup {
  std::filesystem::path source;
  int threads = 1;
  std::optional<uint64_t> memory;      // bytes
  std::filesystem::path vision_tower;  // folder; empty: inside the source or none
};

/// Measures the source when it is made, and the output when that is written.
class RunEvaluation {
 public:
  /// throws Checkpoint for a file that is missing, damaged or too short, and what the measurements
  /// throw. All arguments outlive it but for `setup`.
  RunEvaluation(const EvaluationRequest& request,
                const EvaluationSetup& setup,
                RunListener& listener);

  /// {before: {perplexity, …, accuracy, …, generated}, after: …, perplexity_ratio}, each where it
  /// was asked for. throws Failed when the perplexity rose by more than the recipe allows.
  nlohmann::json compare_with(const std::filesystem::path& output);

 private:
  nlohmann::json measure(const std::filesystem::path& folder);
  std::string generated(CheckpointModel& model);

  const EvaluationRequest& request_;
  RunListener& listener_;
  EvaluationSetup setup_;
  EvaluationResources resources_;
  nlohmann::json config_;  // of the source
  PromptReader prompts_;
  std::vector<int32_t> text_;        // ids
  std::vector<ChoiceItem> choices_;  // empty: none
  nlohmann::json before_;
};

}  // namespace oneshot
