// The weights of a checkpoint folder, as the model graph takes them.
#pragma once

#include <ATen/ATen.h>

#include "engine/graph/module.h"
#include "engine/written_checkpoint.h"

namespace oneshot {

/// checkpoint: outlives the result.
inline Weights weights_of(const WrittenCheckpoint& checkpoint, at::ScalarType dtype = at::kFloat) {
  return {[&checkpoint](const std::string& name) { return checkpoint.spec(name).has_value(); },
          [&checkpoint, dtype](const std::string& name) { return checkpoint.read(name).to(dtype); },
          {},
          dtype};
}

}  // namespace oneshot
