// What the layouts of GPTQ and AWQ have in common: reading tensors, and what they refuse.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/format.h"

namespace oneshot::integers {

/// Why neither layout holds weights of that scheme; nothing when they may. The end of a sentence,
/// which names a format that works.
std::optional<std::string> unsupported_scheme(const Scheme& scheme);

/// The spec of a tensor that has to be there, with that dtype and two dimensions. throws Checkpoint
TensorSpec required_matrix(const TensorSource& source, const std::string& name, Dtype dtype);

/// throws Checkpoint when a tensor is missing or is other than announced.
void check_tensors(const TensorSource& source, const std::vector<TensorSpec>& announced);

/// The modules whose codes are stored as `<module>.qweight`.
std::vector<std::string> modules_with_codes(const std::vector<std::string>& tensors);

/// A module of a checkpoint that is read back; its shape is left to the layout.
PlannedModule read_module(const std::string& name, const Scheme& scheme);

}  // namespace oneshot::integers
