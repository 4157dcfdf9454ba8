// The blocks of the vision tower of Llama-3.2-Vision, in the order in which they compute. All read
// which images they have from the context.
#pragma once

#include <memory>
#include <string>

#include "engine/graph/block.h"
#include "engine/models/mllama_vision.h"

namespace oneshot {

/// Tiles → patches, class token, positions of tokens and tiles, norm, padding to whole eights.
std::unique_ptr<Block> make_mllama_embedding(const MllamaVisionConfig& config);

/// One of the transformer's, or of the second one's: those have gates.
std::unique_ptr<Block> make_mllama_vision_layer(const MllamaVisionConfig& config,
                                                std::string name,
                                                bool gated);

/// What stands between the two transformers: norm and the positions of tiles.
std::unique_ptr<Block> make_mllama_post_norm(const MllamaVisionConfig& config);

/// The last state and those kept → features.
std::unique_ptr<Block> make_mllama_projector(const MllamaVisionConfig& config);

}  // namespace oneshot
