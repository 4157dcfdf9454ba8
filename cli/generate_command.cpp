// oneshot generate: what a checkpoint writes, quantized or not.
#include <ATen/Parallel.h>

#include <chrono>
#include <cstdio>

#include "cli/commands.h"
#include "cli/console_listener.h"
#include "cli/job.h"
#include "cli/text.h"
#include "engine/checkpoint_model.h"
#include "engine/error.h"
#include "engine/evaluate/generate.h"
#include "engine/evaluate/kept_weights.h"
#include "engine/evaluation_memory.h"
#include "engine/prompt_reader.h"
#include "engine/text/end_tokens.h"
#include "engine/text/text_stream.h"

namespace oneshot::cli {
namespace {

const char* reason_text(StopReason reason) {
  switch (reason) {
    case StopReason::EndToken:
      return "eos";
    case StopReason::MaxTokens:
      return "max_tokens";
    case StopReason::LongestText:
      return "context";
  }
  return "";
}

void print_now(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

}  // namespace

void generate_command(const GenerateArguments& arguments) {
  const auto start = std::chrono::steady_clock::now();
  check_device(arguments.device);
  const std::filesystem::path& tokenizer_folder =
      arguments.tokenizer.empty() ? arguments.folder : arguments.tokenizer;
  CheckpointModel model(
      arguments.folder, all_formats(), arguments.weight_only, at::kFloat, arguments.vision_tower);
  at::set_num_threads(generation_threads(model, thread_count(arguments.threads)));
  const PromptReader prompts({arguments.folder, tokenizer_folder, model.tower_folder()},
                             model.config());
  const Tokenizer& tokenizer = prompts.tokenizer();
  const std::vector<int32_t> prompt = arguments.chat
                                          ? prompts.chat_ids(arguments.prompt, arguments.images)
                                          : prompts.ids(arguments.prompt, arguments.images);
  const ImageInput images =
      arguments.images.empty() ? ImageInput{} : prompts.load(arguments.images);
  GenerationOptions options;
  options.max_tokens = arguments.max_tokens;
  options.sampling = arguments.sampling;
  options.end_tokens = end_tokens({arguments.folder, &model.config(), tokenizer_folder}, tokenizer);
  const int64_t tokens = static_cast<int64_t>(prompt.size()) + options.max_tokens;
  const Weights weights =
      kept_weights(model.weights(), kept_weight_bytes(model, tokens, arguments.memory));

  catch_interrupts();
  RunLog log({});
  ConsoleListener listener(arguments.json, log);
  TextStream stream(tokenizer);
  const auto on_token = [&](int32_t id) {
    const std::string text = stream.add(id);
    if (!arguments.json) {
      print_now(text);
    }
    return !listener.cancelled();
  };
  const Generation result = generate(
      model.graph(), weights, prompt, options, on_token, images.empty() ? nullptr : &images);
  if (!arguments.json) {
    print_now(stream.finish() + "\n");
    return;
  }
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const nlohmann::json json{{"prompt", arguments.prompt},
                            {"text", stream.text()},
                            {"tokens", result.ids.size()},
                            {"prompt_tokens", prompt.size()},
                            {"seconds", seconds},
                            {"tokens_per_second", static_cast<double>(result.ids.size()) / seconds},
                            {"stopped_by", reason_text(result.stopped_by)}};
  std::printf("%s\n", json.dump(2).c_str());
}

}  // namespace oneshot::cli
