// What tuning holds in memory, part by part: for the plan.
#pragma once

#include <cstdint>

#include "engine/plan.h"

namespace oneshot {

/// Adds the parts of tuning to `plan.memory`, and chooses how many samples' activations are kept
/// at a time, on which bytes depend: a batch, or fewer where `--memory` asks for it, whose
/// gradients are then added in a sum of their own. What happens to be free never decides; too
/// little is a warning. False, and nothing done, where no module is tuned. base: bytes of the
/// program. throws Resource when the budget is too small for one.
bool plan_tuning_memory(Plan& plan, const PlanRequest& request, uint64_t base);

}  // namespace oneshot
