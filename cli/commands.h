// One function a subcommand. They print results to standard output and throw Error.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "engine/evaluate/sampler.h"

namespace oneshot::cli {

/// What `run`, `check` and `plan` share.
struct RecipeArguments {
  std::filesystem::path recipe;
  std::filesystem::path model;         // empty: not given
  std::filesystem::path vision_tower;  // empty: the recipe's, or none
  std::vector<std::string> overrides;  // --set key=value
  std::string device = "cpu";
  int threads = 0;                 // 0: one for each processor
  std::optional<uint64_t> memory;  // bytes
  bool json = false;
};

struct RunArguments {
  std::filesystem::path output;
  bool overwrite = false;
  bool restart = false;
  bool hash = false;
  bool quiet = false;
  std::filesystem::path log;  // empty: none
};

void run_command(const RecipeArguments& recipe, const RunArguments& run);
void check_command(const RecipeArguments& recipe);
void plan_command(const RecipeArguments& recipe);
void inspect_command(const std::filesystem::path& folder, bool json);

struct EvalArguments {
  std::filesystem::path folder;
  std::filesystem::path text, choices;  // empty: not measured
  std::filesystem::path against;        // empty: compared with none
  std::filesystem::path tokenizer;      // empty: the checkpoint's own
  std::filesystem::path vision_tower;   // empty: inside the checkpoint or none
  int64_t sequence_length = 512;
  int64_t samples = 0;  // 0: all
  bool weight_only = false;
  std::string device = "cpu";
  int threads = 0;
  std::optional<uint64_t> memory;  // bytes
  bool json = false;
};

void eval_command(const EvalArguments& arguments);

struct GenerateArguments {
  std::filesystem::path folder;
  std::string prompt;
  std::vector<std::filesystem::path> images;
  std::filesystem::path tokenizer;     // empty: the checkpoint's own
  std::filesystem::path vision_tower;  // empty: inside the checkpoint or none
  int64_t max_tokens = 64;
  SamplingOptions sampling;
  bool chat = false;
  bool weight_only = false;
  std::string device = "cpu";
  int threads = 0;
  std::optional<uint64_t> memory;  // bytes
  bool json = false;
};

void generate_command(const GenerateArguments& arguments);

/// what: modifiers, schemes, formats, models or kernels.
void list_command(const std::string& what);

/// markdown: the reference for people in place of the JSON Schema.
void schema_command(bool markdown);

}  // namespace oneshot::cli
