// Which block a module belongs to, told by its name. Knows no ATen.
#pragma once

#include <optional>
#include <string>

namespace oneshot {

enum class BlockKind { Language, Vision, Other };  // Other: of sounds

/// A list of decoder or encoder blocks: "model.layers" of "model.layers.0.mlp.down_proj".
struct BlockList {
  std::string name;
  BlockKind kind;
};

/// The list that a module's block is in: what stands before the first number of the name. Nothing
/// for modules outside of blocks (lm_head, embeddings, projectors), also where the number is the
/// module itself ("model.mm_projector.0").
std::optional<BlockList> block_list_of(const std::string& module);

}  // namespace oneshot
