// The vision tower of CogVLM2: EVA2-CLIP-E and a gated projector between two learned rows.
// Source: arXiv:2408.16500 and the code published with the model.
#pragma once

#include <cstdint>
#include <memory>

#include "engine/graph/vision_tower.h"
#include "engine/models/config_reader.h"

namespace oneshot {

/// config: the vision_config. hidden_size, intermediate_size: of the text's part.
/// Features [images, patches / 4 + 2, hidden size]. throws Checkpoint for impossible sizes.
std::unique_ptr<VisionTower> cogvlm2_tower(const ConfigReader& config,
                                           int64_t hidden_size,
                                           int64_t intermediate_size);

}  // namespace oneshot
