// What a run did, for people and for report.json.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace oneshot {

struct Plan;
class TunedBlocks;

/// What tuning a block came to.
struct BlockReport {
  std::string name;
  std::vector<double> losses;  // by iteration
  int64_t best = 0;            // the iteration that was kept
  double seconds = 0;
  std::string failure;  // why it was rounded to nearest instead; empty: it was not
};

struct Report {
  bool up_to_date = false;  // the output was there already, made by the very same job
  std::string output;       // path of the output folder
  std::vector<std::string> formats;
  std::map<std::string, size_t> quantized;     // scheme → modules
  std::map<std::string, size_t> left;          // rule → modules with a weight
  uint64_t bytes_before = 0, bytes_after = 0;  // of all weight files
  size_t samples = 0;                          // that the run was calibrated on
  std::string calibration_dtype;               // that the model was run in: "bfloat16"; empty: none
  std::vector<BlockReport> blocks;             // that were tuned, in model order
  std::vector<std::string> unseen;             // modules that no calibration sample went through
  double seconds = 0;
  std::map<std::string, double> phase_seconds;  // "plan", "calibration", "weights", "files"
  uint64_t peak_memory_bytes = 0;               // resident set, measured
  uint64_t planned_memory_bytes = 0;
  int threads = 1;
  std::string instruction_set;
  std::shared_ptr<const nlohmann::json> evaluation;  // before and after; null: not measured
  std::vector<std::string> warnings;
  std::vector<std::string> left_out_files;  // of the source, not copied
};

/// Counts what a plan does: quantized, left, bytes.
void summarize_plan(const Plan& plan, Report& report);

/// Losses of the blocks; warns of those that tuning made no better.
void summarize_tuning(const TunedBlocks& tuned, Report& report);

nlohmann::json report_json(const Report& report);

/// The highest resident set of this process so far, in bytes.
uint64_t peak_memory_bytes();

}  // namespace oneshot
