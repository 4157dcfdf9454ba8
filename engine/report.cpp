#include "engine/report.h"

#include <sys/resource.h>

#include "engine/format.h"
#include "engine/plan.h"
#include "engine/tuned_blocks.h"
#include "engine/version.h"

namespace oneshot {
namespace {

nlohmann::json blocks_json(const Report& report) {
  nlohmann::json blocks = nlohmann::json::array();
  for (const BlockReport& block : report.blocks) {
    blocks.push_back({{"name", block.name},
                      {"losses", block.losses},
                      {"best", block.best},
                      {"seconds", block.seconds},
                      {"failure", block.failure}});
  }
  return blocks;
}

}  // namespace

void summarize_plan(const Plan& plan, Report& report) {
  for (const PlannedModule& module : plan.modules) {
    report.bytes_before += module.bytes_before;
    if (module.scheme) {
      ++report.quantized[module.scheme->name];
    } else if (module.weight != nullptr) {
      ++report.left[module.rule];
    }
  }
  for (const PlannedOutput& output : plan.outputs) {
    report.formats.push_back(output.format->name());
  }
  report.bytes_after = plan.outputs.front().layout.total_bytes();
  report.planned_memory_bytes = plan.peak_memory_bytes;
  report.threads = plan.threads;
  report.warnings.insert(report.warnings.end(), plan.warnings.begin(), plan.warnings.end());
}

void summarize_tuning(const TunedBlocks& tuned, Report& report) {
  std::string flat;  // blocks whose loss did not fall
  size_t failed = 0;
  for (const TunedBlock* block : tuned.in_order()) {
    report.blocks.push_back(
        {block->name, block->losses, block->best, block->seconds, block->failure});
    report.unseen.insert(report.unseen.end(), block->unseen.begin(), block->unseen.end());
    failed += block->failure.empty() ? 0 : 1;
    if (block->failure.empty() && block->losses.size() > 1 && block->best == 0) {
      flat += (flat.empty() ? "" : ", ") + block->name;
    }
  }
  if (!flat.empty()) {
    report.warnings.push_back("tuning did not lower the loss of " + flat +
                              "; is the learning rate too high?");
  }
  if (failed > 0) {
    report.warnings.push_back(std::to_string(failed) +
                              " blocks could not be tuned and were rounded to nearest (see "
                              "report.json)");
  }
}

nlohmann::json report_json(const Report& report) {
  return {
      {"engine_version", kEngineVersion},
      {"up_to_date", report.up_to_date},
      {"output", report.output},
      {"formats", report.formats},
      {"quantized", report.quantized},
      {"left", report.left},
      {"bytes_before", report.bytes_before},
      {"bytes_after", report.bytes_after},
      {"calibration_samples", report.samples},
      {"calibration_dtype", report.calibration_dtype},
      {"blocks", blocks_json(report)},
      {"unseen", report.unseen},
      {"seconds", report.seconds},
      {"phase_seconds", report.phase_seconds},
      {"peak_memory_bytes", report.peak_memory_bytes},
      {"planned_memory_bytes", report.planned_memory_bytes},
      {"threads", report.threads},
      {"instruction_set", report.instruction_set},
      {"evaluation", report.evaluation ? *report.evaluation : nlohmann::json()},
      {"warnings", report.warnings},
      {"left_out_files", report.left_out_files},
  };
}

uint64_t peak_memory_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<uint64_t>(usage.ru_maxrss) * 1024;
}

}  // namespace oneshot
