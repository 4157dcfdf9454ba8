// The layers of Llama-3.2-Vision that look at images. Source: arXiv:2407.21783, section 7.
#pragma once

#include <memory>
#include <string>

#include "engine/graph/model_graph.h"
#include "engine/models/decoder.h"

namespace oneshot {

/// Attention of the hidden states over context.cross_states, and an MLP, both through gates. What
/// a token that sees no image gets is kept out of the MLP alone, as Transformers has it. Without
/// cross states the block gives its input back and its modules compute nothing.
/// Its cache holds the keys and values of the images.
std::unique_ptr<Block> make_mllama_cross_block(const DecoderConfig& config, std::string name);

/// Modules of such a block between which scales can move.
std::vector<FoldablePair> mllama_cross_foldable(const DecoderConfig& config,
                                                const std::string& block);

}  // namespace oneshot
