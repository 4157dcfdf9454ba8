// The layout of AWQ ("gemm"): eight neighbouring rows of the weight in a word, in an order of its
// own. 4 bits only. See formats/auto_awq/FORMAT.md.
#pragma once

#include "formats/integers/layout_tensors.h"

namespace oneshot::integers {

/// As unsupported_scheme; for bits other than 4, groups that do not divide the columns, and rows
/// that are no multiple of 8.
std::optional<std::string> awq_unsupported(const PlannedModule& module);

/// Names, dtypes and shapes of the tensors that replace `<module>.weight`.
std::vector<TensorSpec> awq_tensors(const PlannedModule& module);

/// Ranges of rows start at multiples of this: those of a word.
inline constexpr int64_t kAwqRowAlignment = 8;

void awq_encode(const PlannedModule& module,
                const QuantizedWeight& rows,
                int64_t first_row,
                OutputTensors& output);

/// Shape of the weight that was; checks every tensor. throws Checkpoint
PlannedModule awq_module(const TensorSource& source, const std::string& name, const Scheme& scheme);

/// throws as awq_module, and Checkpoint for zero points of a symmetric scheme that are not 8.
QuantizedWeight awq_decode(const TensorSource& source,
                           const std::string& name,
                           const Scheme& scheme);

}  // namespace oneshot::integers
