// The layout of GPTQ: codes packed along the columns of the weight, and then transposed.
// See formats/auto_gptq/FORMAT.md.
#pragma once

#include "formats/integers/layout_tensors.h"

namespace oneshot::integers {

/// What is stored for the zero point z = 0 … 2^b − 1.
enum class StoredZero { MinusOne, AsItIs };

/// One of the formats that have this layout.
struct GptqLayout {
  StoredZero stored_zero = StoredZero::MinusOne;
  bool group_index = false;  // with `g_idx`: the group of each column
};

/// As unsupported_scheme, and for rows or columns that are no multiple of 32.
std::optional<std::string> gptq_unsupported(const PlannedModule& module);

/// Names, dtypes and shapes of the tensors that replace `<module>.weight`.
std::vector<TensorSpec> gptq_tensors(const GptqLayout& layout, const PlannedModule& module);

/// Ranges of rows start at multiples of this: zero points of 3 bits are packed 32 at a time.
inline constexpr int64_t kGptqRowAlignment = 32;

void gptq_encode(const GptqLayout& layout,
                 const PlannedModule& module,
                 const QuantizedWeight& rows,
                 int64_t first_row,
                 OutputTensors& output);

/// Shape of the weight that was; checks every tensor. throws Checkpoint; Unsupported for a `g_idx`
/// that reorders columns.
PlannedModule gptq_module(const GptqLayout& layout,
                          const TensorSource& source,
                          const std::string& name,
                          const Scheme& scheme);

/// throws as gptq_module, and Checkpoint for zero points that do not go with the scheme.
QuantizedWeight gptq_decode(const GptqLayout& layout,
                            const TensorSource& source,
                            const std::string& name,
                            const Scheme& scheme);

}  // namespace oneshot::integers
