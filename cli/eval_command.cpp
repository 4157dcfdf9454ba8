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
#include "engine/evaluate/perplexity.h"
#include "engine/report.h"
#include "engine/text/tokenizer.h"

namespace oneshot::cli {
namespace {

/// Shows how far the evaluation is.
class WindowProgress {
 public:
  explicit WindowProgress(bool quiet) : log_({}), listener_(quiet, log_) {}
  bool operator()(int64_t done, int64_t total) {
    listener_.on_progress(
        {"evaluating", static_cast<uint64_t>(done), static_cast<uint64_t>(total), "steps"});
    return !listener_.cancelled();
  }

 private:
  RunLog log_;
  ConsoleListener listener_;
};

}  // namespace

void eval_command(const EvalArguments& arguments) {
  const auto start = std::chrono::steady_clock::now();
  check_device(arguments.device);
  at::set_num_threads(thread_count(arguments.threads));
  const std::filesystem::path tokenizer_folder =
      arguments.tokenizer.empty() ? arguments.folder : arguments.tokenizer;
  CheckpointModel model(arguments.folder, all_formats(), arguments.weight_only);
  const Tokenizer tokenizer = Tokenizer::from_folder(tokenizer_folder);
  const std::vector<int32_t> ids =
      tokenizer.encode(read_text_file(arguments.text, "--text"), false);

  catch_interrupts();
  PerplexityResult result;
  {
    WindowProgress progress(arguments.json);
    result = perplexity(model.graph(),
                        model.weights(),
                        ids,
                        {arguments.sequence_length, arguments.samples},
                        [&](int64_t done, int64_t total) { return progress(done, total); });
  }
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (arguments.json) {
    const nlohmann::json json{{"perplexity", result.perplexity},
                              {"tokens", result.tokens},
                              {"windows", result.windows},
                              {"seconds", seconds},
                              {"peak_memory_bytes", peak_memory_bytes()}};
    std::printf("%s\n", json.dump(2).c_str());
    return;
  }
  std::printf("format      %s\n",
              model.format().empty() ? "not quantized" : model.format().c_str());
  std::printf("perplexity  %.4f (%lld tokens in %lld windows of %lld)\n",
              result.perplexity,
              static_cast<long long>(result.tokens),
              static_cast<long long>(result.windows),
              static_cast<long long>(arguments.sequence_length));
  std::printf("took        %s, peak memory %s\n",
              seconds_text(seconds).c_str(),
              bytes_text(peak_memory_bytes()).c_str());
}

}  // namespace oneshot::cli
