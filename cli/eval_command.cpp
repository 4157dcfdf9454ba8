// oneshot eval: how good a checkpoint is, quantized or not.
#include <ATen/Parallel.h>

#include <chrono>
#include <cstdio>

#include "cli/commands.h"
#include "cli/console_listener.h"
#include "cli/job.h"
#include "cli/text.h"
#include "engine/checkpoint/text_file.h"
#include "engine/checkpoint_model.h"
#include "engine/error.h"
#include "engine/evaluation_json.h"
#include "engine/evaluation_memory.h"
#include "engine/prompt_reader.h"
#include "engine/report.h"
#include "engine/score_questions.h"

namespace oneshot::cli {
namespace {

void check_arguments(const EvalArguments& arguments) {
  if (arguments.text.empty() && arguments.choices.empty()) {
    throw Error(ErrorCode::Recipe,
                "oneshot: nothing to evaluate on; give --text or --choices; see `oneshot eval "
                "--help`");
  }
  if (!arguments.against.empty() && arguments.text.empty()) {
    throw Error(ErrorCode::Recipe, "oneshot: --against needs --text; see `oneshot eval --help`");
  }
}

/// What is measured on, read before anything is computed.
struct Inputs {
  Inputs(const EvalArguments& arguments, const CheckpointModel& model)
      : prompts({arguments.folder,
                 arguments.tokenizer.empty() ? arguments.folder : arguments.tokenizer,
                 model.tower_folder()},
                model.config()) {
    if (!arguments.text.empty()) {
      text = prompts.tokenizer().encode(read_text_file(arguments.text, "--text"), false);
    }
    if (!arguments.choices.empty()) {
      choices = read_choice_file(arguments.choices, prompts.tokenizer(), prompts);
    }
  }

  PromptReader prompts;
  std::vector<int32_t> text;        // ids; empty: none
  std::vector<ChoiceItem> choices;  // empty: none
};

struct Results {
  std::optional<PerplexityResult> perplexity;
  std::optional<ChoicesResult> choices;
  std::optional<DivergenceResult> divergence;
};

/// Measures what was asked for, and shows how far it is.
class Evaluation {
 public:
  explicit Evaluation(const EvalArguments& arguments)
      : arguments_(arguments), log_({}), listener_(arguments.json, log_) {
    resources_.threads = thread_count(arguments.threads);
    resources_.progress = [this](int64_t done, int64_t total) {
      listener_.on_progress(
          {"evaluating", static_cast<uint64_t>(done), static_cast<uint64_t>(total), "steps"});
      return !listener_.cancelled();
    };
  }

  Results run(CheckpointModel& model, CheckpointModel* against, const Inputs& inputs) {
    Results results;
    const PerplexityOptions options{arguments_.sequence_length, arguments_.samples};
    if (against != nullptr) {
      give_memory({&model, against});
      results.divergence = divergence({model.graph(), model.weights()},
                                      {against->graph(), against->weights()},
                                      inputs.text,
                                      options,
                                      resources_);
    } else if (!arguments_.text.empty()) {
      give_memory({&model});
      results.perplexity =
          perplexity(model.graph(), model.weights(), inputs.text, options, resources_);
    }
    if (!inputs.choices.empty()) {
      results.choices = score_questions(model,
                                        inputs.choices,
                                        {inputs.prompts, arguments_.samples, arguments_.memory},
                                        resources_);
    }
    return results;
  }

 private:
  void give_memory(const std::vector<CheckpointModel*>& models) {
    resources_.tokens_at_once =
        tokens_at_once({models, arguments_.sequence_length, resources_.threads, arguments_.memory});
  }

  const EvalArguments& arguments_;
  RunLog log_;
  ConsoleListener listener_;
  EvaluationResources resources_;
};

void print_perplexity(const PerplexityResult& result, int64_t sequence_length) {
  std::printf("perplexity  %.4f (%lld tokens in %lld windows of %lld)\n",
              result.perplexity,
              static_cast<long long>(result.tokens),
              static_cast<long long>(result.windows),
              static_cast<long long>(sequence_length));
}

void print_divergence(const DivergenceResult& result) {
  std::printf("against     perplexity %.4f, KL %.6f per token, the same likeliest token %.2f %%\n",
              result.reference_perplexity.perplexity,
              result.kl,
              100 * result.top1_agreement);
  std::vector<std::vector<std::string>> rows{{"block", "output error"}};
  for (size_t i = 0; i < result.block_error.size(); ++i) {
    char error[32];
    std::snprintf(error, sizeof error, "%.3e", result.block_error[i]);
    rows.push_back({std::to_string(i), error});
  }
  std::printf("%s", table_text(rows, {true, true}).c_str());
}

void print_choices(const ChoicesResult& result) {
  const auto line = [](const ChoiceCount& count) {
    std::printf("%.2f %% of %lld items (%.2f %% by the character)",
                100 * count.accuracy(),
                static_cast<long long>(count.items),
                100 * count.accuracy_normalized());
  };
  std::printf("accuracy    ");
  line(result.all);
  std::printf("\n");
  for (const auto& [category, count] : result.by_category) {
    std::printf("            ");
    line(count);
    std::printf(": %s\n", category.c_str());
  }
}

void print_results(const Results& results, const std::string& format, int64_t sequence_length) {
  std::printf("format      %s\n", format.empty() ? "not quantized" : format.c_str());
  if (results.perplexity) {
    print_perplexity(*results.perplexity, sequence_length);
  }
  if (results.divergence) {
    print_perplexity(results.divergence->perplexity, sequence_length);
    print_divergence(*results.divergence);
  }
  if (results.choices) {
    print_choices(*results.choices);
  }
}

}  // namespace

void eval_command(const EvalArguments& arguments) {
  const auto start = std::chrono::steady_clock::now();
  check_device(arguments.device);
  check_arguments(arguments);
  at::set_num_threads(
      1);  // the threads have sequences of their own, and do not wait for each other
  CheckpointModel model(
      arguments.folder, all_formats(), arguments.weight_only, at::kFloat, arguments.vision_tower);
  std::optional<CheckpointModel> against;
  if (!arguments.against.empty()) {
    against.emplace(arguments.against,
                    all_formats(),
                    arguments.weight_only,
                    at::kFloat,
                    arguments.vision_tower);
  }
  const Inputs inputs(arguments, model);

  catch_interrupts();
  const Results results = Evaluation(arguments).run(model, against ? &*against : nullptr, inputs);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (arguments.json) {
    nlohmann::json json{{"seconds", seconds}, {"peak_memory_bytes", peak_memory_bytes()}};
    const auto add = [&](const auto& result) {
      if (result) {
        add_to_json(*result, json);
      }
    };
    add(results.perplexity);
    add(results.choices);
    add(results.divergence);
    std::printf("%s\n", json.dump(2).c_str());
    return;
  }
  print_results(results, model.format(), arguments.sequence_length);
  std::printf("took        %s, peak memory %s\n",
              seconds_text(seconds).c_str(),
              bytes_text(peak_memory_bytes()).c_str());
}

}  // namespace oneshot::cli
