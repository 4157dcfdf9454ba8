// Runs a recipe on a checkpoint inside the test, through the same code as the command line.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "cli/job.h"
#include "engine/checkpoint/input_file.h"
#include "engine/checkpoint/safetensors.h"
#include "tests/support/temporary_folder.h"

namespace oneshot {

inline std::filesystem::path tiny_llama() {
  return ONESHOT_EXAMPLE_MODELS "/tiny-llama";
}
inline std::filesystem::path test_model(const std::string& name) {
  return std::filesystem::path(ONESHOT_TEST_DATA) / "models" / name;
}

/// The job of a recipe text, as `oneshot run` makes it.
inline Job job_of(const TemporaryFolder& folder, const std::string& recipe) {
  write_file(folder.path() / "recipe.yaml", recipe);
  cli::RecipeArguments arguments;
  arguments.recipe = folder.path() / "recipe.yaml";
  return cli::make_job(cli::read_recipe(arguments));
}

/// "version: 1" and one quantize modifier with these options, in flow style: "scheme: W4A16".
inline std::string quantize_recipe(const std::string& options) {
  return "version: 1\nmodifiers:\n  - quantize: {" + options + "}\n";
}

struct RunSetup {
  std::string recipe;
  std::filesystem::path model = tiny_llama();
  std::string output = "out";
  int threads = 2;
  bool overwrite = false;
  bool restart = false;
  bool hash = false;
};

inline Report run_recipe(const TemporaryFolder& folder,
                         const RunSetup& setup,
                         RunListener* listener = nullptr) {
  RunListener silent;
  const Job job = job_of(folder, setup.recipe);
  RunOptions options;
  options.model = setup.model;
  options.output = folder.path() / setup.output;
  options.threads = setup.threads;
  options.overwrite = setup.overwrite;
  options.restart = setup.restart;
  options.hash_contents = setup.hash;
  return run_job(job, options, listener != nullptr ? *listener : silent);
}

/// The bytes of every tensor of a safetensors file.
inline std::map<std::string, std::string> tensor_bytes_of(const std::filesystem::path& file) {
  const std::string text = read_file(file);
  const SafetensorsHeader header = read_safetensors_header(InputFile(file));
  std::map<std::string, std::string> tensors;
  for (const TensorInfo& tensor : header.tensors) {
    tensors[tensor.name] = text.substr(header.data_begin + tensor.begin, tensor.bytes);
  }
  return tensors;
}

/// Everything below a folder: relative path → contents.
inline std::map<std::string, std::string> folder_contents(const std::filesystem::path& folder) {
  std::map<std::string, std::string> contents;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) {
      contents[std::filesystem::relative(entry.path(), folder).string()] = read_file(entry.path());
    }
  }
  return contents;
}

}  // namespace oneshot
