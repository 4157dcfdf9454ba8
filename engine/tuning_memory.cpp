#include "engine/tuning_memory.h"

#include <algorithm>
#include <map>
#include <optional>

#include "engine/available_memory.h"
#include "engine/error.h"
#include "engine/graph/block_names.h"
#include "engine/modifier.h"

namespace oneshot {
namespace {

// Measured as peak RSS of runs on SmolLM2 and the model of the goldens, 256 and 512 tokens, 1, 8
// and 32 samples at a time. Of the inputs and outputs of a sample's Linears:
constexpr double kKeptOfSample = 0.85;   // kept until the step
constexpr double kSavedOfSample = 0.85;  // besides, while a pass is under way

/// What a block that is tuned takes, but for samples.
struct BlockSizes {
  uint64_t weights = 0;  // values of all its weights
  uint64_t tuned = 0;    // of those that are tuned
  uint64_t other = 0;    // of those whose planned dtype differs from that computed in
  uint64_t largest = 0;  // of its largest module
  int64_t features = 0;  // inputs and outputs of its Linears
};

/// The longest part of a name that ends in a number: "model.layers.12"; the whole name elsewhere.
std::string block_of(const std::string& module) {
  size_t end = 0;
  for (size_t begin = 0; begin < module.size();) {
    const size_t dot = std::min(module.find('.', begin), module.size());
    const std::string part = module.substr(begin, dot - begin);
    if (begin > 0 && part.find_first_not_of("0123456789") == std::string::npos && end == 0) {
      end = dot;
    }
    begin = dot + 1;
  }
  return end > 0 ? module.substr(0, end) : module;
}

std::map<std::string, BlockSizes> tuned_blocks(const Plan& plan) {
  std::map<std::string, BlockSizes> blocks;
  for (const PlannedModule& module : plan.modules) {
    BlockSizes& block = blocks[block_of(module.name)];
    const auto values = static_cast<uint64_t>(module.rows * module.columns);
    block.weights += values;
    if (module.kind == ModuleKind::Linear) {
      block.features += module.rows + module.columns;
    }
    if (module.tuned) {
      block.tuned += values;
      block.other += module.dtype == plan.computed_in ? 0 : values;
      block.largest = std::max(block.largest, values);
    }
  }
  std::erase_if(blocks, [](const auto& entry) { return entry.second.tuned == 0; });
  return blocks;
}

class TuningMemory {
 public:
  TuningMemory(const Plan& plan, const PlanRequest& request)
      : plan_(plan),
        request_(request),
        width_(static_cast<uint64_t>(dtype_bits(plan.computed_in)) / 8),
        blocks_(tuned_blocks(plan)) {
    for (const Modifier* modifier : request.modifiers) {
      batch_ = std::max(batch_, modifier->traits().batch_samples);
      step_ = std::max(step_, modifier->traits().step_samples);
    }
    batch_ = std::min(batch_, static_cast<size_t>(request.samples));
    step_ = std::min(step_, static_cast<size_t>(request.samples));
  }

  bool needed() const { return !blocks_.empty(); }
  size_t batch() const { return batch_; }

  uint64_t block(size_t at_once) const {
    return largest([&](const BlockSizes& block) {
      // The weight as it is, and as it is rounded, which in bfloat16 is packed for forward and
      // back; rounding (float32); codes now and the best ones.
      const uint64_t rounded = plan_.computed_in == Dtype::Bf16 ? 2 * width_ : width_;
      uint64_t bytes = block.weights * width_ + block.tuned * (rounded + 4 + 2) + block.other * 2;
      bytes += block.tuned / 8;  // scales, factors, ranges
      bytes += at_once < step_ ? block.tuned * 4 : 0;
      return std::max(bytes, block.weights * width_ + block.tuned * 2 + block.largest * 12);
    });
  }

  uint64_t states() const {
    const uint64_t width = plan_.cast == Dtype::F32 ? 4 : width_;
    return 2 * width *
           static_cast<uint64_t>(request_.samples * request_.sequence_length *
                                 request_.hidden_size);
  }

  /// What the images of all samples look like: once, or a second time where that is tuned too.
  uint64_t images() const {
    const bool twice = std::any_of(plan_.modules.begin(), plan_.modules.end(), [](const auto& one) {
      const std::optional<BlockList> list = block_list_of(one.name);
      return one.tuned && list && list->kind == BlockKind::Vision;
    });
    return (twice ? 2 : 1) * width_ *
           static_cast<uint64_t>(request_.samples * request_.image_rows * request_.hidden_size);
  }

  uint64_t activations(size_t at_once) const {
    return largest([&](const BlockSizes& block) {
      const auto sample = static_cast<double>(block.features * request_.sequence_length) *
                          static_cast<double>(width_);
      const auto passes = std::min(static_cast<size_t>(plan_.threads), at_once);
      return static_cast<uint64_t>(sample * (kKeptOfSample * static_cast<double>(at_once) +
                                             kSavedOfSample * static_cast<double>(passes)));
    });
  }

  /// The table of the embedding, whose rows are read where they lie in the source.
  uint64_t embedding() const {
    uint64_t bytes = 0;
    for (const PlannedModule& module : plan_.modules) {
      if (module.kind == ModuleKind::Embedding) {
        bytes = std::max(bytes, module.bytes_before);
      }
    }
    return bytes;
  }

 private:
  template <typename Bytes>
  uint64_t largest(const Bytes& bytes) const {
    uint64_t most = 0;
    for (const auto& [name, block] : blocks_) {
      most = std::max(most, bytes(block));
    }
    return most;
  }

  const Plan& plan_;
  const PlanRequest& request_;
  uint64_t width_;  // bytes of a value that is computed with
  std::map<std::string, BlockSizes> blocks_;
  size_t batch_ = 1, step_ = 1;  // samples
};

}  // namespace

bool plan_tuning_memory(Plan& plan, const PlanRequest& request, uint64_t base) {
  const TuningMemory memory(plan, request);
  if (!memory.needed()) {
    return false;
  }
  const uint64_t program = base + memory.embedding();
  size_t at_once = memory.batch();
  const auto working = [&] {
    return program + memory.block(at_once) + memory.activations(at_once);
  };
  while (request.memory && at_once > 1 && working() > *request.memory) {
    at_once /= 2;
  }
  if (request.memory && working() > *request.memory) {
    throw Error(ErrorCode::Resource,
                "--memory " + std::to_string(*request.memory) + ": tuning needs " +
                    std::to_string(working()) +
                    " bytes even with one sample at a time; give more "
                    "memory, fewer --threads, or a smaller sequence_length");
  }
  if (!request.memory && working() > available_memory()) {
    plan.warnings.push_back("tuning needs " + std::to_string(working()) + " bytes, and " +
                            std::to_string(available_memory()) +
                            " are free; with --memory it takes fewer samples at a time");
  }
  const uint64_t budget = request.memory.value_or(available_memory() / 2);
  plan.samples_at_once = at_once;
  plan.state_memory_bytes = std::min(memory.states(), budget > working() ? budget - working() : 0);
  const uint64_t used = working() + plan.state_memory_bytes;
  plan.image_memory_bytes = std::min(memory.images(), budget > used ? budget - used : 0);
  plan.memory = {
      {"program, embedding", program},
      {"largest block: weights, rounding, codes", memory.block(at_once)},
      {"activations of " + std::to_string(at_once) + " samples", memory.activations(at_once)},
      {"cached inputs and targets", plan.state_memory_bytes}};
  if (request.image_rows > 0) {
    plan.memory.push_back(
        {"what images look like" +
             std::string(plan.image_memory_bytes < memory.images()
                             ? " (in a file: " + std::to_string(memory.images()) + " bytes)"
                             : ""),
         plan.image_memory_bytes});
  }
  plan.peak_memory_bytes = std::max(plan.peak_memory_bytes, used + plan.image_memory_bytes);
  return true;
}

}  // namespace oneshot
