// Blocks of the families, by names of their checkpoints.
#include "engine/graph/block_names.h"

#include <gtest/gtest.h>

namespace oneshot {
namespace {

struct Expected {
  const char* module;
  const char* list;  // null: in no block
  BlockKind kind = BlockKind::Language;
};

TEST(BlockNames, ListAndKindOfEveryFamily) {
  for (const Expected& expected : {
           Expected{"model.layers.0.mlp.down_proj", "model.layers"},
           Expected{"model.layers.1.mlp.experts.3.w1", "model.layers"},
           Expected{"language_model.model.layers.39.self_attn.q_proj",
                    "language_model.model.layers"},
           Expected{"model.layers.3.mlp.vision_mlp.gate_proj", "model.layers"},  // CogVLM2
           Expected{"model.layers.3.self_attn.vision_expert_dense", "model.layers"},
           Expected{"model.vision.transformer.layers.62.mlp.fc2",
                    "model.vision.transformer.layers",
                    BlockKind::Vision},
           Expected{"vision_model.global_transformer.layers.7.mlp.fc1",
                    "vision_model.global_transformer.layers",
                    BlockKind::Vision},
           Expected{"model.vision_model.transformer.layers.31.self_attn.q_proj",
                    "model.vision_model.transformer.layers",
                    BlockKind::Vision},
           Expected{"model.language_model.layers.3.cross_attn.q_proj",
                    "model.language_model.layers"},
           Expected{"multi_modal_projector", nullptr},
           Expected{"visual.blocks.31.attn.qkv", "visual.blocks", BlockKind::Vision},
           Expected{"model.visual.blocks.0.mlp.up_proj", "model.visual.blocks", BlockKind::Vision},
           Expected{"model.language_model.layers.0.mlp.up_proj", "model.language_model.layers"},
           Expected{"model.vision_embed_tokens.img_processor.vision_model.encoder.layers.2.mlp.fc1",
                    "model.vision_embed_tokens.img_processor.vision_model.encoder.layers",
                    BlockKind::Vision},
           Expected{"audio_tower.layers.0.fc1", "audio_tower.layers", BlockKind::Other},
           Expected{"lm_head", nullptr},
           Expected{"model.embed_tokens", nullptr},
           Expected{"model.mm_projector.0", nullptr},
           Expected{"visual.merger.mlp.2", nullptr},
           Expected{"model.vision_embed_tokens.img_projection.2", nullptr},
           Expected{"model.vision.linear_proj.gate_proj", nullptr},
           Expected{"multi_modal_projector.linear_1", nullptr},
       }) {
    const auto found = block_list_of(expected.module);
    ASSERT_EQ(found.has_value(), expected.list != nullptr) << expected.module;
    if (found) {
      EXPECT_EQ(found->name, expected.list);
      EXPECT_EQ(found->kind, expected.kind) << expected.module;
    }
  }
}

}  // namespace
}  // namespace oneshot
