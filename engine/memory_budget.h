// How much is in memory at a time, and what that costs: part of the plan.
#pragma once

#include <cstdint>
#include <optional>

#include "engine/plan.h"

namespace oneshot {

/// Fills `threads`, `slice_bytes`, `band_bytes`, `state_memory_bytes` and `peak_memory_bytes` of a
/// plan. Slices are as large as helps (2 MiB), or smaller where the threads together would pass the
/// budget (1 GiB if absent). States of calibration samples have what the budget leaves beside a
/// block and what it computes with (half of what the process may still take if absent). Throws
/// Resource when the budget is too small.
void plan_memory(Plan& plan, const PlanRequest& request);

/// Rows of a module that are worked on at a time: whole multiples of its alignment.
int64_t rows_per_slice(const Plan& plan, const PlannedModule& module);

/// Ranges of rows that formats and scheme can work on by themselves start at multiples of this.
int64_t row_alignment(const Plan& plan, const PlannedModule& module);

}  // namespace oneshot
