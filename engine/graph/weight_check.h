// Whether the tensors of a checkpoint are those that its config announces.
#pragma once

#include <span>

#include "engine/graph/model_graph.h"
#include "engine/graph/names.h"

namespace oneshot {

/// tensors: all of the checkpoint, weights as they were before they were quantized.
/// throws Checkpoint for a tensor that the model needs and that is missing or has another shape,
/// and for a layer beyond the last one of the model.
void check_weights(ModelGraph& model, std::span<const NamedShape> tensors);

}  // namespace oneshot
