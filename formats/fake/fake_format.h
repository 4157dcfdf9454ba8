// fake: the weights that the codes stand for, as a plain checkpoint, for comparison.
// FORMAT.md beside this file has the bytes.
#pragma once

#include "engine/format.h"

namespace oneshot {

std::unique_ptr<Format> make_fake();

}  // namespace oneshot
