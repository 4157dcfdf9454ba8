// The byte layouts of compressed-tensors: which tensors stand for a quantized weight, and what is
// in them. See FORMAT.md beside this file.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/format.h"

namespace oneshot::compressed_tensors {

enum class Layout {
  NaiveQuantized,
  IntQuantized,
  FloatQuantized,
  PackQuantized,
  Nvfp4PackQuantized,
  Mxfp4PackQuantized,
  Mxfp8Quantized,
};

/// "pack-quantized", …: the `format` of a group in config.json.
std::string_view layout_name(Layout layout);

/// The layout that readers expect for a scheme; the first rule that fits.
/// Source: compressors/format.py of compressed-tensors 0.19.0.
Layout layout_of(const Scheme& scheme);

/// Why a weight of that many columns cannot be laid out; nothing when it can.
std::optional<std::string> unsupported_shape(const Scheme& scheme, int64_t columns);

/// Names, dtypes and shapes of the tensors that replace `<module>.weight`.
std::vector<TensorSpec> layout_tensors(const PlannedModule& module);

/// Ranges of rows start at multiples of this: zero points are packed along the rows.
int64_t layout_row_alignment(const Scheme& scheme);

void encode_layout(const PlannedModule& module,
                   const QuantizedWeight& rows,
                   int64_t first_row,
                   OutputTensors& output);

/// Shape and dtype of the weight that was. throws Checkpoint
PlannedModule layout_module(const TensorSource& source,
                            const std::string& module,
                            const Scheme& scheme);

/// throws Checkpoint
QuantizedWeight decode_layout(const TensorSource& source,
                              const std::string& module,
                              const Scheme& scheme);

}  // namespace oneshot::compressed_tensors
