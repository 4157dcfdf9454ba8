#include "engine/report.h"

#include <sys/resource.h>

#include "engine/format.h"
#include "engine/plan.h"
#include "engine/version.h"

namespace oneshot {

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
