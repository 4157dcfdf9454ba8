#include "engine/evaluation_memory.h"

#include <algorithm>

#include "engine/available_memory.h"
#include "engine/error.h"

namespace oneshot {
namespace {

constexpr uint64_t kProgramBytes = 256ULL << 20;  // with LibTorch and the tokenizer, measured

/// The program, and a part of the model while it is decoded.
uint64_t smallest_bytes(const ModelBytes& model) {
  return kProgramBytes + model.largest_part + 2 * model.largest_tensor;
}

}  // namespace

uint64_t kept_weight_bytes(CheckpointModel& model, int64_t tokens, std::optional<uint64_t> memory) {
  const ModelBytes bytes = model.bytes();
  // As much again for the keys and values of all blocks, which are a small part of one's work each.
  const uint64_t needed = smallest_bytes(bytes) + 2 * model.graph().working_bytes(tokens);
  if (memory && needed > *memory) {
    throw Error(ErrorCode::Resource,
                "--memory " + std::to_string(*memory) + ": generating needs " +
                    std::to_string(needed) + " bytes; give more memory, or fewer --max-tokens");
  }
  const uint64_t most = memory.value_or(available_memory());
  return most - std::min(most, needed);
}

}  // namespace oneshot
