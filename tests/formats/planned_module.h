// A module as a plan has it, for the tests of formats.
#pragma once

#include "engine/plan.h"

namespace oneshot {

/// A Linear "m" of bfloat16.
inline PlannedModule planned(const Scheme& scheme, int64_t rows, int64_t columns) {
  PlannedModule module;
  module.name = "m";
  module.kind = ModuleKind::Linear;
  module.scheme = scheme;
  module.rows = rows;
  module.columns = columns;
  module.dtype = Dtype::Bf16;
  return module;
}

}  // namespace oneshot
