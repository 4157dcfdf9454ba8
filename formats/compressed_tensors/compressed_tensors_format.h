// compressed-tensors: what llm-compressor writes, and vLLM and Transformers read. FORMAT.md beside
// this file has the bytes.
#pragma once

#include "engine/format.h"

namespace oneshot {

std::unique_ptr<Format> make_compressed_tensors();

}  // namespace oneshot
