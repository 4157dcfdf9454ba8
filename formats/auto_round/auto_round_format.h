// auto_round: what auto-round writes by default, and vLLM and Transformers read through it.
// FORMAT.md beside this file has the bytes.
#pragma once

#include "engine/format.h"

namespace oneshot {

std::unique_ptr<Format> make_auto_round();

}  // namespace oneshot
