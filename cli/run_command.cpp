// oneshot run: the main job.
#include <algorithm>
#include <cstdio>

#include "cli/commands.h"
#include "cli/console_listener.h"
#include "cli/job.h"
#include "cli/text.h"
#include "engine/error.h"
#include "recipes/inputs.h"

namespace oneshot::cli {
namespace {

std::string counted(const std::map<std::string, size_t>& counts) {
  std::string text;
  for (const auto& [what, count] : counts) {
    text += (text.empty() ? "" : ", ") + std::to_string(count) + " × " + what;
  }
  return text.empty() ? "nothing" : text;
}

/// One measurement, before and after.
void print_change(const nlohmann::json& evaluation, const char* key, const char* label) {
  const nlohmann::json& before = evaluation["before"];
  if (!before.contains(key)) {
    return;
  }
  std::printf("%-10s %.4f → %.4f\n",
              label,
              before[key].get<double>(),
              evaluation["after"][key].get<double>());
}

void print_evaluation(const nlohmann::json& evaluation) {
  print_change(evaluation, "perplexity", "perplexity");
  print_change(evaluation, "accuracy", "accuracy");
  if (evaluation["before"].contains("generated")) {
    std::printf("wrote      %s\n", evaluation["before"]["generated"].dump().c_str());
    std::printf("writes     %s\n", evaluation["after"]["generated"].dump().c_str());
  }
}

/// "tuned      30 blocks, loss 37 % lower (median)".
void print_tuning(const Report& report) {
  std::vector<double> ratios;
  size_t failures = 0;
  for (const BlockReport& block : report.blocks) {
    failures += block.failure.empty() ? 0 : 1;
    if (block.failure.empty() && !block.losses.empty() && block.losses.front() > 0) {
      ratios.push_back(block.losses[static_cast<size_t>(block.best)] / block.losses.front());
    }
  }
  std::printf("tuned      %zu blocks", report.blocks.size());
  if (!ratios.empty()) {
    const auto middle = ratios.begin() + static_cast<std::ptrdiff_t>(ratios.size() / 2);
    std::nth_element(ratios.begin(), middle, ratios.end());
    std::printf(", loss %.0f %% lower (median)", 100 * (1 - *middle));
  }
  if (failures > 0) {
    std::printf(", %zu rounded to nearest instead", failures);
  }
  std::printf("\n");
}

void print_summary(const Report& report) {
  if (report.up_to_date) {
    std::printf("up to date: %s was made from the same recipe and checkpoint\n",
                report.output.c_str());
    return;
  }
  if (report.samples > 0) {
    std::printf(
        "calibrated on %zu samples, in %s\n", report.samples, report.calibration_dtype.c_str());
  }
  if (!report.blocks.empty()) {
    print_tuning(report);
  }
  const double ratio =
      static_cast<double>(report.bytes_after) / static_cast<double>(report.bytes_before);
  std::printf("quantized  %s\n", counted(report.quantized).c_str());
  std::printf("left       %s\n", counted(report.left).c_str());
  std::printf("weights    %s → %s (%.1f %%)\n",
              bytes_text(report.bytes_before).c_str(),
              bytes_text(report.bytes_after).c_str(),
              100 * ratio);
  if (report.evaluation) {
    print_evaluation(*report.evaluation);
  }
  std::printf("took       %s on %d threads (%s), peak memory %s\n",
              seconds_text(report.seconds).c_str(),
              report.threads,
              report.instruction_set.c_str(),
              bytes_text(report.peak_memory_bytes).c_str());
  if (!report.left_out_files.empty()) {
    std::printf("not copied %zu other files of the source (listed in report.json)\n",
                report.left_out_files.size());
  }
  std::printf("output     %s\n", report.output.c_str());
}

}  // namespace

void run_command(const RecipeArguments& arguments, const RunArguments& run) {
  check_device(arguments.device);
  const recipes::Recipe recipe = read_recipe(arguments);
  const Job job = make_job(recipe);
  if (const auto missing = recipes::missing_inputs(recipe); !missing.empty()) {
    throw Error(ErrorCode::Checkpoint, missing.front() + "; is the path right?");
  }
  RunOptions options;
  options.model = arguments.model;
  options.output = run.output;
  options.threads = thread_count(arguments.threads);
  options.memory = arguments.memory;
  options.overwrite = run.overwrite;
  options.restart = run.restart;
  options.hash_contents = run.hash;

  catch_interrupts();
  RunLog log(run.log);
  ConsoleListener listener(run.quiet, log);
  log.add("start",
          {{"recipe", recipe.file},
           {"model", options.model.string()},
           {"output", options.output.string()}});
  listener.on_warnings(job.warnings);
  Report report;
  try {
    report = run_job(job, options, listener);
  } catch (const std::exception& failure) {
    listener.finish();
    log.add("error", {{"message", failure.what()}});
    if (listener.tuned_blocks() > 0) {
      std::fprintf(stderr,
                   "kept %zu tuned blocks: the same command goes on behind them\n",
                   listener.tuned_blocks());
    }
    throw;
  }
  listener.finish();
  log.add("done", report_json(report));
  if (arguments.json) {
    std::printf("%s\n", report_json(report).dump(2).c_str());
  } else if (!run.quiet) {
    print_summary(report);
  }
}

}  // namespace oneshot::cli
