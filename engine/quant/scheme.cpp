#include "engine/quant/scheme.h"

#include <algorithm>
#include <cctype>

namespace oneshot {
namespace {

constexpr const char* kWeightObserver = "memoryless_minmax";

QuantArgs int_weights(int bits, Strategy strategy, int64_t group_size, bool symmetric = true) {
  return {.bits = bits,
          .type = NumberType::Int,
          .strategy = strategy,
          .group_size = group_size,
          .symmetric = symmetric,
          .observer = kWeightObserver};
}

QuantArgs float_weights(int bits, Strategy strategy, int64_t group_size, ScaleDtype scale_dtype) {
  return {.bits = bits,
          .type = NumberType::Float,
          .strategy = strategy,
          .group_size = group_size,
          .scale_dtype = scale_dtype,
          .observer = kWeightObserver};
}

QuantArgs dynamic_token(int bits, NumberType type) {
  return {.bits = bits, .type = type, .strategy = Strategy::Token, .dynamic = Dynamic::Yes};
}

/// The activation side of a weight's arguments: the same numbers, scales computed at run time.
QuantArgs at_run_time(QuantArgs args, Dynamic dynamic, std::string observer) {
  args.dynamic = dynamic;
  args.observer = std::move(observer);
  return args;
}

std::vector<Preset> make_presets() {
  std::vector<Preset> all;
  const auto add = [&all](std::string name,
                          QuantArgs weights,
                          std::optional<QuantArgs> inputs,
                          std::string summary) {
    all.push_back({{std::move(name), std::move(weights), std::move(inputs)}, std::move(summary)});
  };
  for (int bits = 2; bits <= 8; ++bits) {
    const std::string n = std::to_string(bits);
    add("W" + n + "A16",
        int_weights(bits, Strategy::Group, 128),
        std::nullopt,
        "int" + n + " weights, groups of 128, symmetric");
  }
  add("W4A16_ASYM",
      int_weights(4, Strategy::Group, 128, false),
      std::nullopt,
      "int4 weights, groups of 128, with zero points");
  const QuantArgs int8_token = dynamic_token(8, NumberType::Int);
  const QuantArgs fp8_token = dynamic_token(8, NumberType::Float);
  for (const char* name : {"W8A8", "INT8"}) {
    add(name,
        int_weights(8, Strategy::Channel, 0),
        int8_token,
        "int8 weights per channel, int8 activations per token");
  }
  add("W4A8",
      int_weights(4, Strategy::Group, 128),
      int8_token,
      "int4 weights, groups of 128, int8 activations per token");
  add("W4AFP8",
      int_weights(4, Strategy::Group, 128),
      fp8_token,
      "int4 weights, groups of 128, float8 activations per token");

  QuantArgs fp8_tensor = float_weights(8, Strategy::Tensor, 0, ScaleDtype::Weight);
  add("FP8",
      fp8_tensor,
      at_run_time(fp8_tensor, Dynamic::No, "static_minmax"),
      "float8 weights and activations per tensor, calibrated");
  add("FP8_DYNAMIC",
      float_weights(8, Strategy::Channel, 0, ScaleDtype::Weight),
      fp8_token,
      "float8 weights per channel, float8 activations per token");
  QuantArgs fp8_block = float_weights(8, Strategy::Block, 0, ScaleDtype::Weight);
  fp8_block.block_rows = fp8_block.block_columns = 128;
  QuantArgs fp8_group = float_weights(8, Strategy::Group, 128, ScaleDtype::Weight);
  add("FP8_BLOCK",
      fp8_block,
      at_run_time(fp8_group, Dynamic::Yes, ""),
      "float8 weights in 128 x 128 blocks, float8 activations in groups of 128");

  const QuantArgs nvfp4 = float_weights(4, Strategy::TensorGroup, 16, ScaleDtype::F8E4M3);
  add("NVFP4A16", nvfp4, std::nullopt, "float4 weights, groups of 16, float8 scales");
  add("NVFP4",
      nvfp4,
      at_run_time(nvfp4, Dynamic::Local, "static_minmax"),
      "float4 weights and activations, groups of 16, float8 scales, calibrated");
  const QuantArgs mxfp4 = float_weights(4, Strategy::Group, 32, ScaleDtype::E8M0);
  add("MXFP4A16", mxfp4, std::nullopt, "float4 weights, groups of 32, power-of-two scales");
  add("MXFP4",
      mxfp4,
      at_run_time(mxfp4, Dynamic::Yes, ""),
      "float4 weights and activations, groups of 32, power-of-two scales");
  const QuantArgs mxfp8 = float_weights(8, Strategy::Group, 32, ScaleDtype::E8M0);
  add("MXFP8A16", mxfp8, std::nullopt, "float8 weights, groups of 32, power-of-two scales");
  add("MXFP8",
      mxfp8,
      at_run_time(mxfp8, Dynamic::Yes, ""),
      "float8 weights and activations, groups of 32, power-of-two scales");
  return all;
}

std::string describe(const QuantArgs& args) {
  std::string text = (args.type == NumberType::Int ? "int" : "float") + std::to_string(args.bits);
  switch (args.strategy) {
    case Strategy::Tensor:
      text += " tensor";
      break;
    case Strategy::Channel:
      text += " channel";
      break;
    case Strategy::Token:
      text += " token";
      break;
    case Strategy::Group:
    case Strategy::TensorGroup:
      text += " group " + std::to_string(args.group_size);
      break;
    case Strategy::Block:
      text +=
          " block " + std::to_string(args.block_rows) + "x" + std::to_string(args.block_columns);
      break;
  }
  if (args.type == NumberType::Int && args.dynamic == Dynamic::No) {
    text += args.symmetric ? " symmetric" : " asymmetric";
  }
  if (args.dynamic != Dynamic::No) {
    text += " dynamic";
  }
  return text;
}

}  // namespace

double QuantArgs::code_max() const {
  if (type == NumberType::Float) {
    return bits == 8 ? 448.0 : 6.0;
  }
  return static_cast<double>((1 << (bits - 1)) - 1);
}

double QuantArgs::code_min() const {
  return type == NumberType::Float ? -code_max() : -static_cast<double>(1 << (bits - 1));
}

bool Scheme::needs_calibration() const {
  return input_activations && input_activations->dynamic != Dynamic::Yes;
}

const std::vector<Preset>& presets() {
  static const std::vector<Preset> kPresets = make_presets();
  return kPresets;
}

std::optional<Scheme> find_preset(const std::string& name) {
  std::string upper = name;
  std::transform(upper.begin(), upper.end(), upper.begin(), [](unsigned char c) {
    return static_cast<char>(std::toupper(c));
  });
  for (const Preset& preset : presets()) {
    if (preset.scheme.name == upper) {
      return preset.scheme;
    }
  }
  return std::nullopt;
}

int64_t columns_per_scale(const QuantArgs& args, int64_t columns) {
  switch (args.strategy) {
    case Strategy::Group:
    case Strategy::TensorGroup:
      return std::min(args.group_size, columns);
    case Strategy::Block:
      return args.block_columns;
    default:
      return columns;
  }
}

std::vector<int64_t> scale_shape(const QuantArgs& args, int64_t rows, int64_t columns) {
  const auto parts = [](int64_t whole, int64_t part) { return (whole + part - 1) / part; };
  switch (args.strategy) {
    case Strategy::Tensor:
      return {1};
    case Strategy::Block:
      return {parts(rows, args.block_rows), parts(columns, args.block_columns)};
    default:
      return {rows, parts(columns, columns_per_scale(args, columns))};
  }
}

std::string describe(const Scheme& scheme) {
  std::string text = describe(scheme.weights);
  if (scheme.input_activations) {
    text += " + " + describe(*scheme.input_activations);
  }
  return text;
}

std::optional<std::string> invalid(const QuantArgs& args) {
  const bool grouped = args.strategy == Strategy::Group || args.strategy == Strategy::TensorGroup;
  if (args.type == NumberType::Int && (args.bits < 2 || args.bits > 8)) {
    return "integers have 2 to 8 bits, not " + std::to_string(args.bits);
  }
  if (args.type == NumberType::Float && args.bits != 8 && args.bits != 4) {
    return "floats have 8 bits, or 4 in the presets NVFP4A16 and MXFP4A16, not " +
           std::to_string(args.bits);
  }
  if (args.type == NumberType::Float && !args.symmetric) {
    return "floats are symmetric";
  }
  if (grouped && args.group_size <= 0) {
    return "strategy group needs a group_size above 0";
  }
  if (!grouped && args.group_size > 0) {
    return "group_size goes with strategy group only";
  }
  if (args.strategy == Strategy::Block && (args.block_rows <= 0 || args.block_columns <= 0)) {
    return "strategy block needs block_structure: [ROWS, COLUMNS]";
  }
  if (args.strategy != Strategy::Block && (args.block_rows > 0 || args.block_columns > 0)) {
    return "block_structure goes with strategy block only";
  }
  if (args.strategy == Strategy::Token && args.dynamic != Dynamic::Yes) {
    return "strategy token is for dynamic activations";
  }
  return std::nullopt;
}

}  // namespace oneshot
