// auto_awq: the checkpoints of AWQ, version gemm.
// FORMAT.md beside this file has the bytes.
#pragma once

#include "engine/format.h"

namespace oneshot {

std::unique_ptr<Format> make_auto_awq();

}  // namespace oneshot
