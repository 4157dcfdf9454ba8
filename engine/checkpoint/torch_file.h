// A state dict that torch.save wrote (pytorch_model.bin): a zip file with `data.pkl`, a pickle that
// names the tensors, and one stored entry `data/KEY` for each storage. Nothing of the pickle is
// run, and tensors are read where they lie.
// Source: torch/serialization.py and torch/_utils.py of PyTorch.
#pragma once

#include "engine/checkpoint/weight_header.h"

namespace oneshot {

/// Names, dtypes, shapes and places of all tensors; those of one storage may overlap or be the
/// same.
/// throws Checkpoint when the file is damaged, its pickle needs more than a state dict does, an
/// entry is no tensor, a tensor's strides leave gaps, or bytes are not in little-endian order;
/// Unsupported for the format before torch 1.6.
WeightHeader read_torch_header(const InputFile& file);

}  // namespace oneshot
