// The model families that can be run, each a file in this folder.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <span>

#include "engine/graph/model_graph.h"
#include "engine/models/model_source.h"

namespace oneshot {

struct ModelFamily {
  const char* name;  // see model_family()
  const char* summary;
  std::unique_ptr<ModelGraph> (*make)(const ModelSource& source);
};

/// In the order in which they are listed.
std::span<const ModelFamily> model_families();

/// The graph of a checkpoint, from its config and the names of its tensors. Reads no weights.
/// throws Unsupported for an architecture that is not known, naming those that are; Checkpoint for
/// a damaged config.
std::unique_ptr<ModelGraph> make_model(const ModelSource& source);
std::unique_ptr<ModelGraph> make_model(const nlohmann::json& config);

}  // namespace oneshot
