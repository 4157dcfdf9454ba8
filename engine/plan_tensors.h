// What becomes of every tensor, once it is decided for every module, and where it is written.
#pragma once

#include <span>

#include "engine/plan.h"

namespace oneshot {

/// Fills in the tensors that are kept and left, the outputs with their layouts, and the bytes of
/// all modules. The modules of the plan are those of `modules`, in the same order. A vision tower
/// in a folder of its own is left there as long as no modifier changes it; what that means to the
/// user is said in the plan's warnings.
void plan_tensors(const PlanRequest& request, Plan& plan, std::span<const ModuleInfo> modules);

}  // namespace oneshot
