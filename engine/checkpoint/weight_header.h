// What a weight file says of its tensors, whatever kind of file it is.
#pragma once

#include <string>
#include <vector>

#include "engine/checkpoint/safetensors.h"

namespace oneshot {

struct WeightHeader {
  std::vector<TensorInfo> tensors;  // by begin, which counts from the start of the file
  std::string sha256;               // of what the file holds beside the data of its tensors
};

/// A file named *.bin is one of torch.save, any other a safetensors file. The hash is of length
/// bytes and header, or of the pickle and the zip directory. throws Checkpoint when it is damaged,
/// Unsupported as read_torch_header.
WeightHeader read_weight_header(const InputFile& file);

}  // namespace oneshot
