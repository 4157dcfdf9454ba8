#include "engine/evaluation_memory.h"

#include <algorithm>

#include "engine/available_memory.h"
#include "engine/error.h"
#include "engine/evaluate/sequence_pass.h"

namespace oneshot {
namespace {

constexpr uint64_t kProgramBytes = 256ULL << 20;  // with LibTorch and the tokenizer, measured

constexpr uint64_t kBesidesModelBytes = 1ULL << 30;
// The products of a token are many and small, and threads wait for each other after each one. A
// model of 0.5 GiB wrote 16 tokens a second by one thread, and by two of a busy machine 1.
constexpr uint64_t kSmallModelBytes = 1 << 30;

[[noreturn]] void refuse(uint64_t memory, uint64_t needed, const std::string& what) {
  throw Error(ErrorCode::Resource,
              "--memory " + std::to_string(memory) + ": " + what + " " + std::to_string(needed) +
                  " bytes; give it as much");
}

/// Logits, their exponentials and log-probabilities of the positions that are scored at a time.
uint64_t logit_bytes(const ModelGraph& model) {
  return 3 * static_cast<uint64_t>(kPositionsAtOnce * model.sizes().vocabulary) * sizeof(float);
}

}  // namespace

uint64_t kept_weight_bytes(CheckpointModel& model, int64_t tokens, std::optional<uint64_t> memory) {
  const ModelBytes bytes = model.bytes(1);
  const int64_t longest = model.graph().sizes().longest_text;
  const int64_t read = longest > 0 ? std::min(tokens, longest) : tokens;
  // Twice as much again for the keys and values of all blocks: those of one are a small part of
  // what it works with.
  const uint64_t needed =
      kProgramBytes + bytes.largest_part + 3 * model.graph().working_bytes(read);
  if (memory && needed > *memory) {
    refuse(*memory, needed, "generating needs");
  }
  const uint64_t most = memory.value_or(available_memory());
  return most - std::min(most, needed);
}

int generation_threads(const CheckpointModel& model, int threads) {
  return model.bytes(1).loaded < kSmallModelBytes ? 1 : threads;
}

int64_t tokens_at_once(const SequencesRequest& request) {
  uint64_t stored = 0;
  uint64_t fixed = kProgramBytes;
  uint64_t of_thread = 0;
  uint64_t of_token = 0;
  for (CheckpointModel* model : request.models) {
    const ModelBytes bytes = model->bytes(request.threads);
    stored += bytes.stored;
    fixed += bytes.largest_part;
    const ModelGraph& graph = model->graph();
    of_thread += std::max(graph.working_bytes(request.longest), logit_bytes(graph));
    // Twice, while the embedded tokens are still there beside the output of the first block.
    of_token += 2 * static_cast<uint64_t>(graph.sizes().hidden) * sizeof(float);
  }
  fixed += of_thread * static_cast<uint64_t>(request.threads);
  const uint64_t needed = fixed + of_token * static_cast<uint64_t>(request.longest);
  if (request.memory && needed > *request.memory) {
    refuse(*request.memory, needed, "evaluating needs");
  }
  const uint64_t most = std::min(stored + kBesidesModelBytes, request.memory.value_or(UINT64_MAX));
  const uint64_t tokens = most > fixed ? (most - fixed) / of_token : 0;
  return std::max(request.longest, static_cast<int64_t>(tokens));
}

}  // namespace oneshot
