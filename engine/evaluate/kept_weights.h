// Weights that are loaded once.
#pragma once

#include <cstdint>

#include "engine/graph/module.h"

namespace oneshot {

/// Weights that stay in memory once they are loaded, as long as all that stay have at most that
/// many bytes; the others are loaded anew each time. For one thread at a time. throws Resource when
/// the system has no memory for one that was to stay.
Weights kept_weights(Weights weights, uint64_t bytes);

}  // namespace oneshot
