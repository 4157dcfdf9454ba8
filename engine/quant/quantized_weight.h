// What passes from modifiers to formats: codes and scales, made once and never recomputed.
#pragma once

#include <ATen/core/Tensor.h>

#include "engine/quant/scheme.h"

namespace oneshot {

/// Scales of the inputs of a module that were measured on data, each [1]; undefined: the scheme has
/// none. global_scale: float32, of schemes whose group scales are computed at run time below it
/// (NVFP4).
struct InputScales {
  at::Tensor scale, zero_point, global_scale;
};

/// Scales of what an attention keeps of past tokens.
struct CacheScales {
  InputScales key, value;
};

/// A quantized weight [out, in], or a range of its rows. Undefined tensors: the scheme has none.
/// The value of an element is (code − zero_point) · scale, divided by global_scale where there is
/// one; E8M0 scales are 2^(scale − 127).
struct QuantizedWeight {
  Scheme scheme;
  at::Tensor
      codes;  // [out, in]: int8 in −2^(b−1) … 2^(b−1)−1, float8_e4m3fn, or uint8 FP4 codes 0 … 15
  at::Tensor
      scale;  // tensor [1] · channel [out, 1] · group [out, groups] · block [blocks, blocks];
              // in the weight's dtype, float16, float8_e4m3fn or uint8 (E8M0); may be negative
  at::Tensor zero_point;    // int8 like scale, in the signed space of the codes; asymmetric only
  at::Tensor global_scale;  // float32 [1], the large number 2688 / max |w|; tensor_group only
  at::Tensor group_index;   // int32 [in]: the group of each column, when columns were reordered
  InputScales input;        // static and local activations only
};

/// The floating-point weight that the codes stand for, float32 [out, in].
/// dtype of the arithmetic: float32.
at::Tensor dequantize(const QuantizedWeight& weight);

}  // namespace oneshot
