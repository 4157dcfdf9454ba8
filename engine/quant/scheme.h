// How a tensor is quantized: number type, granularity, scales; and the presets that users know by
// name. Knows no ATen, so that recipes can be read without LibTorch.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace oneshot {

enum class NumberType { Int, Float };

/// What shares one scale. Token and TensorGroup as in compressed-tensors: Token is for dynamic
/// activations; TensorGroup is a group whose scales are themselves scaled by one number per tensor.
enum class Strategy { Tensor, Channel, Group, Block, Token, TensorGroup };

/// When the scale of an activation is computed. Local: the group scales at run time, below a
/// global scale that was calibrated (NVFP4).
enum class Dynamic { No, Yes, Local };

/// In which dtype a scale is kept. Weight: that of the tensor it scales.
enum class ScaleDtype { Weight, F16, F8E4M3, E8M0 };

/// One quantized tensor: the weight or the input activation of a module.
struct QuantArgs {
  int bits = 8;  // 2 … 8
  NumberType type = NumberType::Int;
  Strategy strategy = Strategy::Tensor;
  int64_t group_size = 0;  // columns that share a scale; 0 unless Group or TensorGroup
  int64_t block_rows = 0;  // Block only
  int64_t block_columns = 0;
  bool symmetric = true;
  Dynamic dynamic = Dynamic::No;
  ScaleDtype scale_dtype = ScaleDtype::Weight;
  std::string observer =
      {};  // as written in a config: "memoryless_minmax", "static_minmax"; empty: null

  bool operator==(const QuantArgs&) const = default;

  /// Micro-scaled: power-of-two scales over groups of 32 (OCP MX specification 1.0).
  bool is_mx() const { return scale_dtype == ScaleDtype::E8M0; }
  /// Two levels of scales: NVFP4.
  bool has_global_scale() const { return strategy == Strategy::TensorGroup; }
  /// Smallest and largest code: −2^(b−1) … 2^(b−1)−1, ±448 for float 8, ±6 for float 4.
  double code_min() const;
  double code_max() const;
};

/// What a module becomes. Weights are always quantized; activations where the scheme has them.
struct Scheme {
  std::string name;  // preset name in capitals, or "custom"
  QuantArgs weights;
  std::optional<QuantArgs> input_activations = {};

  bool operator==(const Scheme&) const = default;

  /// True when scales of activations must be measured on data.
  bool needs_calibration() const;
};

struct Preset {
  Scheme scheme;
  std::string summary;  // one line for `oneshot list schemes`
};

/// All presets, in the order in which they are listed.
/// Source: quantization/quant_scheme.py of compressed-tensors 0.19.0.
const std::vector<Preset>& presets();

/// The preset of that name, upper or lower case; nothing when there is none.
std::optional<Scheme> find_preset(const std::string& name);

/// Shape of the scales of a weight [rows, columns]: tensor [1] · channel [rows, 1] · group
/// [rows, groups] · block [blocks, blocks]; the last group or block may be a partial one.
std::vector<int64_t> scale_shape(const QuantArgs& args, int64_t rows, int64_t columns);

/// Neighbouring columns of a row that share a scale.
int64_t columns_per_scale(const QuantArgs& args, int64_t columns);

/// Short text for people: "int4 group 128 symmetric", "float8 channel + float8 token dynamic".
std::string describe(const Scheme& scheme);

/// Why a scheme makes no sense whatever the tensor, as the end of a sentence; nothing when it does.
std::optional<std::string> invalid(const QuantArgs& args);

}  // namespace oneshot
