// decode gives back what encode was given, for every preset and for ranges of rows; and the bytes
// of small cases, worked out by hand from FORMAT.md.
#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "engine/error.h"
#include "formats/registry.h"
#include "modifiers/quantize/quantize_math.h"
#include "tests/formats/planned_module.h"
#include "tests/support/memory_tensors.h"

namespace oneshot {
namespace {

constexpr int64_t kRows = 96;
constexpr int64_t kColumns = 256;

std::unique_ptr<Format> compressed_tensors() {
  return formats().front().make();
}

at::Tensor random_weight(int64_t rows, int64_t columns) {
  const at::Generator generator = at::detail::createCPUGenerator(7);
  at::Tensor weight = at::randn({rows, columns}, generator, at::kFloat) * 0.05;
  weight[0].zero_();  // groups of zeros
  return weight.to(at::kBFloat16);
}

QuantizedWeight quantized(const Scheme& scheme, const at::Tensor& weight) {
  QuantizedWeight result = *round_to_nearest(scheme, weight, tensor_range(weight));
  if (scheme.needs_calibration()) {
    const at::Tensor low = at::scalar_tensor(-3.0, at::kBFloat16);
    result.input = input_scales(*scheme.input_activations, {low, low.abs() * 2});
  }
  return result;
}

/// A range of rows of a weight, as the engine hands it on.
QuantizedWeight rows_of(const QuantizedWeight& whole, int64_t first, int64_t count) {
  QuantizedWeight part = whole;
  part.codes = whole.codes.narrow(0, first, count).contiguous();
  const QuantArgs& args = whole.scheme.weights;
  if (args.strategy != Strategy::Tensor) {
    const int64_t step = args.strategy == Strategy::Block ? args.block_rows : 1;
    part.scale = whole.scale.narrow(0, first / step, (count + step - 1) / step).contiguous();
    if (whole.zero_point.defined()) {
      part.zero_point =
          whole.zero_point.narrow(0, first / step, (count + step - 1) / step).contiguous();
    }
  }
  return part;
}

void expect_same(const at::Tensor& found, const at::Tensor& expected, const char* what) {
  ASSERT_EQ(found.defined(), expected.defined()) << what;
  if (expected.defined()) {
    ASSERT_EQ(found.scalar_type(), expected.scalar_type()) << what;
    EXPECT_TRUE(found.view(at::kByte).equal(expected.contiguous().view(at::kByte))) << what;
  }
}

void expect_round_trip(const Scheme& scheme, int64_t rows, int64_t columns) {
  const PlannedModule module = planned(scheme, rows, columns);
  const auto format = compressed_tensors();
  ASSERT_EQ(format->unsupported(module), std::nullopt);
  const QuantizedWeight weight = quantized(scheme, random_weight(rows, columns));
  MemoryTensors tensors(format->tensors(module));
  const int64_t step = std::max<int64_t>(32, scheme.weights.block_rows);
  for (int64_t row = (rows - 1) / step * step; row >= 0; row -= step) {  // any order
    format->encode(module, rows_of(weight, row, std::min(step, rows - row)), row, tensors);
  }
  const QuantizedWeight back = format->decode(tensors, "m", scheme);
  expect_same(back.codes, weight.codes, "codes");
  expect_same(back.scale, weight.scale, "scale");
  expect_same(back.zero_point, weight.zero_point, "zero point");
  expect_same(back.global_scale, weight.global_scale, "global scale");
  for (const InputScales& inputs : {back.input, format->decode_inputs(tensors, "m", scheme)}) {
    expect_same(inputs.scale, weight.input.scale, "input scale");
    expect_same(inputs.zero_point, weight.input.zero_point, "input zero point");
    expect_same(inputs.global_scale, weight.input.global_scale, "input global scale");
  }
  const PlannedModule described = format->module(tensors, "m", scheme);
  EXPECT_EQ(described.rows, rows);
  EXPECT_EQ(described.columns, columns);
  EXPECT_EQ(described.dtype, Dtype::Bf16);
}

TEST(RoundTrip, EveryPreset) {
  for (const Preset& preset : presets()) {
    SCOPED_TRACE(preset.scheme.name);
    expect_round_trip(preset.scheme, kRows, kColumns);
  }
}

TEST(RoundTrip, AsymmetricInputs) {
  Scheme scheme = *find_preset("W8A8");
  scheme.input_activations = QuantArgs{.bits = 8, .symmetric = false};
  expect_round_trip(scheme, kRows, kColumns);
}

TEST(RoundTrip, KeysAndValues) {
  const auto format = compressed_tensors();
  const PlannedCache cache{"a", QuantArgs{.bits = 8, .symmetric = false}, Dtype::Bf16};
  MemoryTensors tensors(format->cache_tensors(cache));
  const at::Tensor low = at::scalar_tensor(-3.0, at::kBFloat16);
  const CacheScales scales{input_scales(cache.args, {low, low.abs()}),
                           input_scales(cache.args, {low, low.abs() * 2})};
  format->encode_cache(cache, scales, tensors);
  const CacheScales back = format->decode_cache(tensors, "a", cache.args);
  expect_same(back.key.scale, scales.key.scale, "key");
  expect_same(back.value.scale, scales.value.scale, "value");
  expect_same(back.value.zero_point, scales.value.zero_point, "zero point of the value");
}

TEST(RoundTrip, OddShapesAndCustomSchemes) {
  for (int bits = 2; bits <= 8; ++bits) {
    for (const Strategy strategy : {Strategy::Tensor, Strategy::Channel, Strategy::Group}) {
      for (const bool symmetric : {true, false}) {
        SCOPED_TRACE(c10::str(bits, " bits, strategy ", static_cast<int>(strategy), symmetric));
        Scheme scheme;
        scheme.weights = {.bits = bits, .strategy = strategy, .symmetric = symmetric};
        scheme.weights.group_size = strategy == Strategy::Group ? 7 : 0;
        expect_round_trip(scheme, 37, 91);
        scheme.input_activations = {
            .bits = 8, .strategy = Strategy::Token, .dynamic = Dynamic::Yes};
        expect_round_trip(scheme, 37, 91);
      }
    }
  }
}

TEST(RoundTrip, PartialBlocks) {
  Scheme scheme = *find_preset("FP8_BLOCK");
  expect_round_trip(scheme, 200, 130);
  scheme.weights.block_rows = 48;
  scheme.weights.block_columns = 33;
  expect_round_trip(scheme, 100, 70);
}

TEST(Bytes, Int4WordsHoldEightCodesFromTheLowestBits) {
  Scheme scheme = *find_preset("W4A16");
  scheme.weights.group_size = 8;
  QuantizedWeight weight;
  weight.scheme = scheme;
  weight.codes = at::tensor({-8, -7, -6, -5, -4, -3, -2, 7}, at::kChar).view({1, 8});
  weight.scale = at::ones({1, 1}, at::kBFloat16);
  const PlannedModule module = planned(scheme, 1, 8);
  const auto format = compressed_tensors();
  MemoryTensors tensors(format->tensors(module));
  format->encode(module, weight, 0, tensors);
  EXPECT_EQ(static_cast<uint32_t>(tensors.read("m.weight_packed").item<int>()), 0xF6543210U);
  EXPECT_TRUE(tensors.read("m.weight_shape").equal(at::tensor({1, 8}, at::kLong)));
}

TEST(Bytes, ZeroPointsArePackedAlongTheRows) {
  Scheme scheme = *find_preset("W4A16_ASYM");
  QuantizedWeight weight;
  weight.scheme = scheme;
  weight.codes = at::zeros({8, 128}, at::kChar);
  weight.scale = at::ones({8, 1}, at::kBFloat16);
  weight.zero_point = at::tensor({-8, -7, -6, -5, -4, -3, -2, 7}, at::kChar).view({8, 1});
  const PlannedModule module = planned(scheme, 8, 128);
  const auto format = compressed_tensors();
  MemoryTensors tensors(format->tensors(module));
  format->encode(module, weight, 0, tensors);
  EXPECT_EQ(tensors.read("m.weight_zero_point").sizes(), at::IntArrayRef({1, 1}));
  EXPECT_EQ(static_cast<uint32_t>(tensors.read("m.weight_zero_point").item<int>()), 0xF6543210U);
}

TEST(Shapes, ColumnsThatDoNotDivideAreRefusedButOneShortGroupIsNot) {
  const auto format = compressed_tensors();
  const Scheme scheme = *find_preset("W4A16");
  EXPECT_EQ(
      format->unsupported(planned(scheme, 4, 200)),
      "its 200 columns do not divide into groups of 128; choose a group_size that divides them");
  EXPECT_EQ(format->unsupported(planned(scheme, 4, 100)), std::nullopt);
  EXPECT_EQ(format->unsupported(planned(*find_preset("MXFP4A16"), 4, 31)),
            "float4 is stored two a byte, and 31 columns are odd");
}

TEST(Decode, MissingAndWrongTensorsAreNamed) {
  const Scheme scheme = *find_preset("W4A16");
  const PlannedModule module = planned(scheme, 4, 128);
  const auto format = compressed_tensors();
  MemoryTensors tensors(format->tensors(module));
  format->encode(module, quantized(scheme, random_weight(4, 128)), 0, tensors);
  const auto message = [&] {
    try {
      format->decode(tensors, "m", scheme);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::Checkpoint);
      return std::string(error.what());
    }
    return std::string("nothing was thrown");
  };
  tensors.tensors()["m.weight_scale"] = at::ones({4, 2}, at::kBFloat16);
  EXPECT_EQ(message(), "m.weight_scale: is BF16 [4,2], expected BF16 [4,1]");
  tensors.tensors().erase("m.weight_scale");
  EXPECT_EQ(message(), "m.weight_scale: the config announces this tensor, but it is missing");
  tensors.tensors()["m.weight_shape"] = at::tensor({4, -1}, at::kLong);
  EXPECT_EQ(message(), "m.weight_shape: is I64 [2], expected two sizes, not 4 and -1");
}

}  // namespace
}  // namespace oneshot
