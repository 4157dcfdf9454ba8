// How far a checkpoint is from another one that it was made from.
#pragma once

#include <span>
#include <vector>

#include "engine/evaluate/perplexity.h"

namespace oneshot {

/// A model and the weights that it computes with.
struct RunnableModel {
  ModelGraph& graph;
  const Weights& weights;
};

struct DivergenceResult {
  double kl = 0;                    // mean KL(reference || model) over all positions, in nats
  double top1_agreement = 0;        // share of positions with the same likeliest token
  std::vector<double> block_error;  // of each block's output: Σ (y − y_ref)² / Σ y_ref²
  PerplexityResult perplexity, reference_perplexity;
};

/// Both models read the same windows, block by block in step, each on its own hidden states.
/// float32; sums in float64.
/// throws Checkpoint for models with another number of blocks or another vocabulary, and what
/// perplexity() throws.
DivergenceResult divergence(const RunnableModel& model,
                            const RunnableModel& reference,
                            std::span<const int32_t> ids,
                            const PerplexityOptions& options,
                            const EvaluationResources& resources = {});

}  // namespace oneshot
