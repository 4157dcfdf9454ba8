// auto_gptq: the checkpoints of GPTQ, symmetric and without reordered columns.
// FORMAT.md beside this file has the bytes.
#pragma once

#include "engine/format.h"

namespace oneshot {

std::unique_ptr<Format> make_auto_gptq();

}  // namespace oneshot
