// The command line. Errors become one line on standard error and an exit code here, and nowhere
// else.
#include <malloc.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <functional>
#include <new>

#include "cli/commands.h"
#include "engine/error.h"
#include "engine/nearest_word.h"
#include "engine/version.h"

namespace oneshot::cli {
namespace {

constexpr std::array kCommands{
    "run", "check", "plan", "eval", "generate", "inspect", "list", "schema"};

/// What the subcommands are filled into.
struct Arguments {
  RecipeArguments recipe;
  RunArguments run;
  EvalArguments eval;
  GenerateArguments generate;
  std::filesystem::path folder;
  bool json = false;
  bool markdown = false;
  std::string list;
};

void add_threads(CLI::App& command, int& to) {
  command.add_option("--threads", to, "threads to use; default: all processors")
      ->check(CLI::Range(1, 4096));
}

void add_memory(CLI::App& command, std::optional<uint64_t>& to) {
  command.add_option("--memory", to, "most memory to use, such as 8GiB")
      ->transform(CLI::AsSizeValue(true))
      ->type_name("SIZE");
}

void add_vision_tower(CLI::App& command, std::filesystem::path& to) {
  command
      .add_option("--vision-tower",
                  to,
                  "folder of the vision tower, where it is a checkpoint of its own and not inside "
                  "the model's folder")
      ->type_name("DIR");
}

void add_recipe_options(CLI::App& command, RecipeArguments& to, bool model_required) {
  command.add_option("RECIPE", to.recipe, "the recipe, a YAML file")->required();
  auto* model = command.add_option("--model", to.model, "folder of the checkpoint to quantize");
  if (model_required) {
    model->required();
  }
  command.add_option("--set", to.overrides, "override an option: modifiers.0.group_size=64")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  add_vision_tower(command, to.vision_tower);
  add_threads(command, to.threads);
  add_memory(command, to.memory);
}

void add_run(CLI::App& app, Arguments& to) {
  CLI::App* run = app.add_subcommand("run", "quantize a checkpoint as a recipe says");
  add_recipe_options(*run, to.recipe, true);
  run->add_option("--output", to.run.output, "folder to write; exists only when it is complete")
      ->required();
  run->add_option("--device", to.recipe.device, "where to compute: cpu")->capture_default_str();
  run->add_flag("--overwrite", to.run.overwrite, "replace an existing output");
  run->add_flag(
      "--restart", to.run.restart, "do not resume an interrupted run (data-free runs never do)");
  run->add_flag("--hash", to.run.hash, "put hashes of whole weight files into oneshot.lock.json");
  run->add_flag("--json", to.recipe.json, "print the report as JSON");
  run->add_flag("--quiet", to.run.quiet, "no progress and no summary");
  run->add_option("--log", to.run.log, "write events to this file, one JSON object a line");
  run->callback([&to] { run_command(to.recipe, to.run); });
}

/// What eval and generate share.
template <class Arguments>
void add_run_options(CLI::App& command, Arguments& to) {
  command.add_flag(
      "--weight-only", to.weight_only, "leave activations as they are, whatever the config says");
  command.add_option(
      "--tokenizer", to.tokenizer, "folder of the tokenizer, where it is not the checkpoint's own");
  add_vision_tower(command, to.vision_tower);
  command.add_option("--device", to.device, "where to compute: cpu")->capture_default_str();
  add_threads(command, to.threads);
  add_memory(command, to.memory);
  command.add_flag("--json", to.json, "print the result as JSON");
}

void add_eval(CLI::App& app, EvalArguments& to) {
  CLI::App* eval = app.add_subcommand("eval", "measure how good a checkpoint is, quantized or not");
  eval->add_option("DIR", to.folder, "folder of a checkpoint")->required();
  eval->add_option("--text", to.text, "text file to measure the perplexity on");
  eval->add_option(
          "--choices",
          to.choices,
          "questions to measure the accuracy on: {context, choices, answer, category, "
          "image} a line; the largest log-likelihood wins, for accuracy_normalized divided "
          "by the characters of the choice; or {context, answers, category, image}: what "
          "the model writes is compared with the answers of people, as VQA and TextVQA do")
      ->type_name("FILE.jsonl");
  eval->add_option("--against",
                   to.against,
                   "checkpoint that this one was made from: how far its predictions and the "
                   "outputs of its blocks are from it, on the text")
      ->type_name("DIR");
  eval->add_option(
          "--samples", to.samples, "evenly spaced windows and questions to score; default: all")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 40));
  eval->add_option("--sequence-length", to.sequence_length, "tokens of a window")
      ->check(CLI::Range(int64_t{2}, int64_t{1} << 20))
      ->capture_default_str();
  add_run_options(*eval, to);
  eval->callback([&to] { eval_command(to); });
}

void add_generate(CLI::App& app, GenerateArguments& to) {
  CLI::App* generate = app.add_subcommand("generate", "continue a text with a checkpoint");
  generate->add_option("DIR", to.folder, "folder of a checkpoint")->required();
  generate->add_option("--prompt", to.prompt, "the text to continue")->required();
  generate
      ->add_option(
          "--image",
          to.images,
          "an image that the text is about, where it says <image>, else in front; again for "
          "more images")
      ->allow_extra_args(false);
  generate->add_flag("--chat", to.chat, "ask the prompt as a user, through the chat template");
  generate->add_option("--max-tokens", to.max_tokens, "most tokens to add")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 20))
      ->capture_default_str();
  generate->add_option("--temperature", to.sampling.temperature, "0: always the likeliest token")
      ->check(CLI::Range(0.0, 100.0))
      ->capture_default_str();
  generate->add_option("--top-k", to.sampling.top_k, "draw from that many of the likeliest; 0: all")
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 31))
      ->capture_default_str();
  generate
      ->add_option("--top-p",
                   to.sampling.top_p,
                   "draw from as many of the likeliest as have this probability together")
      ->check(CLI::Range(1e-9, 1.0))
      ->capture_default_str();
  generate->add_option("--seed", to.sampling.seed, "the same seed draws the same tokens")
      ->capture_default_str();
  add_run_options(*generate, to);
  generate->callback([&to] { generate_command(to); });
}

void add_commands(CLI::App& app, Arguments& to) {
  add_run(app, to);
  add_eval(app, to.eval);
  add_generate(app, to.generate);
  CLI::App* check = app.add_subcommand("check", "check a recipe, and whether it fits a checkpoint");
  add_recipe_options(*check, to.recipe, false);
  check->callback([&to] { check_command(to.recipe); });

  CLI::App* plan =
      app.add_subcommand("plan", "say what every tensor becomes, by which rule, and its bytes");
  add_recipe_options(*plan, to.recipe, true);
  plan->add_flag("--json", to.recipe.json, "print the plan as JSON");
  plan->callback([&to] { plan_command(to.recipe); });

  CLI::App* inspect =
      app.add_subcommand("inspect", "say what is in a checkpoint; exit 3 when it is damaged");
  inspect->add_option("DIR", to.folder, "folder of a checkpoint")->required();
  inspect->add_flag("--json", to.json, "print it as JSON");
  inspect->callback([&to] { inspect_command(to.folder, to.json); });

  CLI::App* list = app.add_subcommand("list", "list what is built in");
  list->add_option("WHAT", to.list, "modifiers, schemes, formats, models or kernels")
      ->required()
      ->check(CLI::IsMember({"modifiers", "schemes", "formats", "models", "kernels"}));
  list->callback([&to] { list_command(to.list); });

  CLI::App* schema = app.add_subcommand("schema", "print the JSON Schema of recipes, for editors");
  schema->add_flag("--markdown", to.markdown, "print the reference for people instead");
  schema->callback([&to] { schema_command(to.markdown); });
}

/// `oneshot RECIPE …` is short for `oneshot run RECIPE …`. throws Recipe for a word that is neither
/// a command nor looks like a file.
std::vector<std::string> with_command(int argc, char** argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  if (words.empty() || words.front().starts_with("-") ||
      std::find(kCommands.begin(), kCommands.end(), words.front()) != kCommands.end()) {
    return words;
  }
  const std::string& word = words.front();
  if (word.find('.') == std::string::npos && !std::filesystem::exists(word)) {
    const std::vector<std::string> commands(kCommands.begin(), kCommands.end());
    const std::optional<std::string> near = nearest(word, commands);
    throw Error(ErrorCode::Recipe,
                "oneshot: '" + word + "' is no command" +
                    (near ? ", did you mean '" + *near + "'?" : "; see `oneshot --help`"));
  }
  words.insert(words.begin(), "run");
  return words;
}

int fail(int code, const std::string& message) {
  std::fflush(stdout);
  std::fprintf(stderr, "%s\n", message.c_str());
  return code;
}

int parse_and_run(int argc, char** argv) {
  CLI::App app("oneshot: quantize Hugging Face checkpoints as a recipe says", "oneshot");
  app.set_version_flag("--version", std::string("oneshot ") + kEngineVersion);
  app.require_subcommand(1);
  Arguments arguments;
  add_commands(app, arguments);
  std::vector<std::string> words = with_command(argc, argv);
  std::reverse(words.begin(), words.end());  // CLI11 takes them from the back
  try {
    app.parse(words);
  } catch (const CLI::Success& done) {
    return app.exit(done);  // --help, --version
  } catch (const CLI::ParseError& wrong) {
    const auto used = app.get_subcommands();
    const std::string help =
        used.empty() ? "oneshot --help" : "oneshot " + used.front()->get_name() + " --help";
    return fail(static_cast<int>(ErrorCode::Recipe),
                std::string("oneshot: ") + wrong.what() + "; see `" + help + "`");
  }
  return 0;
}

}  // namespace
}  // namespace oneshot::cli

int main(int argc, char** argv) {
  // Slices are freed and allocated all the time: keep their memory instead of mapping it anew.
  mallopt(M_MMAP_THRESHOLD, 64 << 20);
  mallopt(M_TRIM_THRESHOLD, 64 << 20);
  std::signal(SIGXFSZ,
              SIG_IGN);  // a limit on file sizes is an error of the write, as a full disk is
  try {
    return oneshot::cli::parse_and_run(argc, argv);
  } catch (const oneshot::Error& error) {
    return oneshot::cli::fail(error.exit_code(), error.what());
  } catch (const std::bad_alloc&) {
    return oneshot::cli::fail(5, "out of memory; give the run more, or fewer --threads");
  } catch (const std::exception& error) {
    const std::string text = error.what();  // LibTorch's ends with a backtrace
    return oneshot::cli::fail(1, "internal error: " + text.substr(0, text.find('\n')));
  }
}
