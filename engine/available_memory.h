// How much memory this process may still take.
#pragma once

#include <cstdint>

namespace oneshot {

/// Bytes that the system can give without swapping, or less where the control group of the process
/// (v2) ends before; 0 when neither says.
uint64_t available_memory();

}  // namespace oneshot
