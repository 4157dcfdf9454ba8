#include "engine/memory_budget.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "engine/available_memory.h"
#include "engine/error.h"
#include "engine/format.h"
#include "engine/tuning_memory.h"

namespace oneshot {
namespace {

// Measured with `make bench` (peak RSS) and rounded up.
constexpr uint64_t kBaseBytes = 224ULL << 20;  // the program and LibTorch
constexpr uint64_t kBytesPerTensor = 2048;     // headers, names, plan
constexpr uint64_t kCopiesOfSlice = 4;    // source, rewritten rows, codes, packed, ATen temporaries
constexpr int64_t kSliceBytes = 2 << 20;  // fits the caches; larger brings nothing
constexpr int64_t kSmallestSliceBytes = 64 << 10;
constexpr int64_t kSlicesPerBand = 4;          // 8 MiB: still in the caches when it is written
constexpr uint64_t kBandsAtATime = 2;          // threads work on neighbouring rows
constexpr uint64_t kModelBytes = 128 << 20;    // a model, and what its products are made with
constexpr uint64_t kCopiesOfSample = 6;        // states, projections, products of the MLP
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

/// What formats that transpose gather.
uint64_t band_cost(const Plan& plan) {
  uint64_t cost = 0;
  for (const PlannedOutput& output : plan.outputs) {
    cost += output.format->transposes() ? plan.band_bytes : 0;
  }
  return cost * kBandsAtATime;
}

/// "model.layers.12" of "model.layers.12.mlp.up_proj"; empty for what is in no layer.
std::string layer_of(const std::string& module) {
  for (size_t begin = 0, end = 0; begin < module.size(); begin = end + 1) {
    end = std::min(module.find('.', begin), module.size());
    if (begin > 0 && std::all_of(module.begin() + static_cast<std::ptrdiff_t>(begin),
                                 module.begin() + static_cast<std::ptrdiff_t>(end),
                                 [](char c) { return c >= '0' && c <= '9'; })) {
      return module.substr(0, end);
    }
  }
  return "";
}

/// The largest block, in float32 at most, twice: as it is read, and as it is computed with.
uint64_t block_cost(const Plan& plan) {
  std::map<std::string, uint64_t> elements;
  for (const PlannedModule& module : plan.modules) {
    elements[layer_of(module.name)] += static_cast<uint64_t>(module.rows * module.columns);
  }
  elements.erase("");
  uint64_t largest = 0;
  for (const auto& [layer, count] : elements) {
    largest = std::max(largest, count);
  }
  return largest * (sizeof(float) + sizeof(uint16_t));
}

/// What one sample takes while a block computes: what goes in and out of its widest Linear, some
/// times over.
uint64_t sample_cost(const Plan& plan, const PlanRequest& request) {
  int64_t widest = 0;
  for (const PlannedModule& module : plan.modules) {
    if (module.kind == ModuleKind::Linear && !layer_of(module.name).empty()) {
      widest = std::max({widest, module.rows, module.columns});
    }
  }
  return static_cast<uint64_t>(widest * request.sequence_length) * sizeof(float) * kCopiesOfSample;
}

uint64_t states_cost(const Plan& plan, const PlanRequest& request) {
  const bool exact = plan.cast == Dtype::F32;
  return static_cast<uint64_t>(request.samples * request.sequence_length * request.hidden_size) *
         (exact ? sizeof(float) : sizeof(uint16_t));
}

void check_budget(const Plan& plan, const PlanRequest& request) {
  if (request.memory && plan.peak_memory_bytes > *request.memory) {
    throw Error(ErrorCode::Resource,
                "--memory " + std::to_string(*request.memory) + ": this run needs " +
                    std::to_string(plan.peak_memory_bytes) + " bytes with " +
                    std::to_string(request.threads) +
                    " threads; give more memory or fewer --threads");
  }
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

void plan_memory(Plan& plan, const PlanRequest& request) {
  plan.threads = request.threads;
  const uint64_t base = kBaseBytes + kBytesPerTensor * (plan.modules.size() + plan.kept.size());
  const auto threads = static_cast<uint64_t>(request.threads);
  const auto peak = [&] {
    plan.band_bytes = static_cast<uint64_t>(plan.slice_bytes * kSlicesPerBand);
    return base + slice_cost(plan) * threads + band_cost(plan);
  };
  for (plan.slice_bytes = kSliceBytes;
       peak() > request.memory.value_or(kWantedBytes) && plan.slice_bytes > kSmallestSliceBytes;) {
    plan.slice_bytes /= 2;
  }
  plan.peak_memory_bytes = peak();
  check_budget(plan, request);
  if (request.samples == 0 || plan_tuning_memory(plan, request, base)) {
    return;
  }
  const uint64_t working =
      base + kModelBytes + block_cost(plan) + sample_cost(plan, request) * threads;
  plan.peak_memory_bytes = std::max(plan.peak_memory_bytes, working);
  check_budget(plan, request);
  const uint64_t budget = request.memory.value_or(available_memory() / 2);
  plan.state_memory_bytes =
      std::min(states_cost(plan, request), budget > working ? budget - working : 0);
  const uint64_t used = working + plan.state_memory_bytes;
  const uint64_t images =
      sizeof(uint16_t) *
      static_cast<uint64_t>(request.samples * request.image_rows * request.hidden_size);
  plan.image_memory_bytes = std::min(images, budget > used ? budget - used : 0);
  plan.peak_memory_bytes = std::max(plan.peak_memory_bytes, used + plan.image_memory_bytes);
}

}  // namespace oneshot
