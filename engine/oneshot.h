// A run: open → plan → weights through the modifiers into the formats → report. Read this first.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/calibration/calibration_data.h"
#include "engine/format.h"
#include "engine/modifier.h"
#include "engine/report.h"
#include "engine/run_evaluation.h"
#include "engine/run_listener.h"

namespace oneshot {

/// What a recipe asks for, as the engine needs it. Made by the command line from the recipe.
struct Job {
  std::vector<std::unique_ptr<Modifier>> modifiers;  // in order of execution
  std::vector<std::unique_ptr<Format>>
      formats;                          // one: straight into the output; several: sub-folders
  std::optional<Dtype> cast;            // `model.dtype`
  uint64_t shard_size = 5'000'000'000;  // bytes of tensor data in a file
  std::optional<CalibrationRequest> calibration;
  std::filesystem::path tokenizer;     // folder; empty: the model's own
  std::filesystem::path vision_tower;  // folder; empty: inside the model's or none
  std::optional<EvaluationRequest> evaluation;
  std::string resolved_recipe;        // YAML, every default filled in
  std::vector<std::string> warnings;  // about the recipe
};

struct RunOptions {
  std::filesystem::path model;
  std::filesystem::path output;
  int threads = 1;
  std::optional<uint64_t> memory;  // budget in bytes
  bool overwrite = false;          // replace an existing output
  bool restart = false;            // throw away the progress of a run that was cut off
  bool hash_contents = false;      // the lock file holds hashes of whole weight files
};

/// The plan of a job for a checkpoint. Reads no weights.
Plan plan_job(const Job& job,
              const SourceCheckpoint& source,
              int threads,
              std::optional<uint64_t> memory);

/// Runs a job. When it returns, the output folder is complete and on the disk; when it throws,
/// there is none (or the old one, untouched). throws Error
Report run_job(const Job& job, const RunOptions& options, RunListener& listener);

}  // namespace oneshot
