#include "engine/memory_budget.h"

#include <algorithm>
#include <numeric>

#include "engine/error.h"
#include "engine/format.h"

namespace oneshot {
namespace {

// Measured with `make bench` (peak RSS) and rounded up.
constexpr uint64_t kBaseBytes = 224ULL << 20;  // the program and LibTorch
constexpr uint64_t kBytesPerTensor = 2048;     // headers, names, plan
constexpr uint64_t kCopiesOfSlice = 4;    // source, rewritten rows, codes, packed, ATen temporaries
constexpr int64_t kSliceBytes = 2 << 20;  // fits the caches; larger brings nothing
constexpr int64_t kSmallestSliceBytes = 64 << 10;
constexpr uint64_t kWantedBytes = 1ULL << 30;  // what many threads share unless told otherwise

uint64_t slice_cost(const Plan& plan) {
  uint64_t largest = static_cast<uint64_t>(plan.slice_bytes);
  for (const PlannedModule& module : plan.modules) {
    if (module.scheme) {
      const auto row_bytes = static_cast<uint64_t>(module.columns) * dtype_bits(module.dtype) / 8;
      largest = std::max(largest, row_bytes * static_cast<uint64_t>(row_alignment(plan, module)));
    }
  }
  return largest * kCopiesOfSlice;
}

}  // namespace

int64_t row_alignment(const Plan& plan, const PlannedModule& module) {
  int64_t alignment = 1;
  if (module.scheme) {
    alignment = std::max<int64_t>(1, module.scheme->weights.block_rows);
    for (const PlannedOutput& output : plan.outputs) {
      alignment = std::lcm(alignment, output.format->row_alignment(*module.scheme));
    }
  }
  return alignment;
}

int64_t rows_per_slice(const Plan& plan, const PlannedModule& module) {
  const int64_t row_bytes = std::max<int64_t>(1, module.columns * dtype_bits(module.dtype) / 8);
  const int64_t alignment = row_alignment(plan, module);
  return std::max<int64_t>(1, plan.slice_bytes / row_bytes / alignment) * alignment;
}

void plan_memory(Plan& plan, int threads, std::optional<uint64_t> memory) {
  plan.threads = threads;
  const uint64_t base = kBaseBytes + kBytesPerTensor * (plan.modules.size() + plan.kept.size());
  const auto peak = [&] { return base + slice_cost(plan) * static_cast<uint64_t>(threads); };
  for (plan.slice_bytes = kSliceBytes;
       peak() > memory.value_or(kWantedBytes) && plan.slice_bytes > kSmallestSliceBytes;) {
    plan.slice_bytes /= 2;
  }
  plan.peak_memory_bytes = peak();
  if (memory && plan.peak_memory_bytes > *memory) {
    throw Error(ErrorCode::Resource,
                "--memory " + std::to_string(*memory) + ": this run needs " +
                    std::to_string(plan.peak_memory_bytes) + " bytes with " +
                    std::to_string(threads) + " threads; give more memory or fewer --threads");
  }
}

}  // namespace oneshot
