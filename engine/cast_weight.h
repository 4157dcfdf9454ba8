// A weight of the source in the dtype that the plan has for it.
#pragma once

#include <ATen/core/Tensor.h>

#include "engine/plan.h"

namespace oneshot {

/// Some rows of the module's weight in its planned dtype. throws Checkpoint when a finite value is
/// not finite in it.
at::Tensor cast_weight(const at::Tensor& values, const PlannedModule& module);

}  // namespace oneshot
