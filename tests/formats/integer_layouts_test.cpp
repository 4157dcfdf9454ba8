// The layouts of GPTQ and AWQ: words worked out by hand, round trips, and what is refused.
#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <numeric>

#include "engine/error.h"
#include "formats/registry.h"
#include "tests/formats/planned_module.h"
#include "tests/support/memory_tensors.h"

namespace oneshot {
namespace {

std::unique_ptr<Format> format_named(const std::string& name) {
  for (const FormatEntry& entry : formats()) {
    if (name == entry.name) {
      return entry.make();
    }
  }
  throw std::runtime_error("no format " + name);
}

Scheme scheme_of(int bits, int64_t group_size, bool symmetric) {
  Scheme scheme{.name = "custom"};
  scheme.weights = {.bits = bits,
                    .strategy = group_size > 0 ? Strategy::Group : Strategy::Channel,
                    .group_size = group_size,
                    .symmetric = symmetric,
                    .scale_dtype = ScaleDtype::F16,
                    .observer = "memoryless_minmax"};
  return scheme;
}

/// Any codes of the width, with scales of both signs and zero points over the whole range.
QuantizedWeight random_codes(const Scheme& scheme, int64_t rows, int64_t columns) {
  const at::Generator generator = at::detail::createCPUGenerator(11);
  const QuantArgs& args = scheme.weights;
  const int64_t half = int64_t{1} << (args.bits - 1);
  const std::vector<int64_t> scales = scale_shape(args, rows, columns);
  QuantizedWeight weight;
  weight.scheme = scheme;
  weight.codes = at::randint(-half, half, {rows, columns}, generator, at::kLong).to(at::kChar);
  weight.scale = at::randn(scales, generator, at::kFloat).to(at::kHalf);
  if (!args.symmetric) {
    weight.zero_point = at::randint(-half, half, scales, generator, at::kLong).to(at::kChar);
  }
  return weight;
}

QuantizedWeight rows_of(const QuantizedWeight& whole, int64_t first, int64_t count) {
  QuantizedWeight part = whole;
  part.codes = whole.codes.narrow(0, first, count).contiguous();
  part.scale = whole.scale.narrow(0, first, count).contiguous();
  if (whole.zero_point.defined()) {
    part.zero_point = whole.zero_point.narrow(0, first, count).contiguous();
  }
  return part;
}

/// Writes a weight in ranges of rows, the last ones first.
MemoryTensors written(const Format& format,
                      const PlannedModule& module,
                      const QuantizedWeight& weight) {
  MemoryTensors tensors(format.tensors(module));
  const int64_t step = format.row_alignment(*module.scheme) * 2;
  for (int64_t row = (module.rows - 1) / step * step; row >= 0; row -= step) {
    format.encode(module, rows_of(weight, row, std::min(step, module.rows - row)), row, tensors);
  }
  return tensors;
}

void expect_round_trip(const Format& format, const Scheme& scheme, int64_t rows, int64_t columns) {
  SCOPED_TRACE(c10::str(format.name(), " ", describe(scheme), " ", rows, "x", columns));
  const PlannedModule module = planned(scheme, rows, columns);
  ASSERT_EQ(format.unsupported(module), std::nullopt);
  const QuantizedWeight weight = random_codes(scheme, rows, columns);
  const MemoryTensors tensors = written(format, module, weight);
  const QuantizedWeight back = format.decode(tensors, "m", scheme);
  EXPECT_TRUE(back.codes.equal(weight.codes));
  EXPECT_TRUE(back.scale.equal(weight.scale));
  ASSERT_EQ(back.zero_point.defined(), weight.zero_point.defined());
  if (weight.zero_point.defined()) {
    EXPECT_TRUE(back.zero_point.equal(weight.zero_point));
  }
  const PlannedModule described = format.module(tensors, "m", scheme);
  EXPECT_EQ(described.rows, rows);
  EXPECT_EQ(described.columns, columns);
}

TEST(IntegerLayouts, EveryWidthGroupAndSymmetry) {
  for (const int bits : {2, 3, 4, 8}) {
    for (const int64_t group : {32, 96, 512, 0}) {  // whole, partial, one short group, rows
      for (const bool symmetric : {true, false}) {
        const Scheme scheme = scheme_of(bits, group, symmetric);
        if (symmetric || bits != 4) {
          expect_round_trip(*format_named("auto_round"), scheme, 160, 224);
        }
        if (symmetric) {
          expect_round_trip(*format_named("auto_gptq"), scheme, 160, 224);
        }
      }
    }
  }
}

TEST(IntegerLayouts, AwqAlsoWithRowsThatFillNoTile) {
  for (const bool symmetric : {true, false}) {
    for (const int64_t group : {8, 40, 0}) {
      expect_round_trip(*format_named("auto_awq"), scheme_of(4, group, symmetric), 8 * 21, 120);
    }
  }
  expect_round_trip(*format_named("auto_round"), scheme_of(4, 40, false), 8 * 21, 120);
}

/// One group of 32 rows with the codes 0, 1, … over and over along the columns, or along the rows.
QuantizedWeight counting(const Scheme& scheme, bool along_rows) {
  const int64_t count = int64_t{1} << scheme.weights.bits;
  const at::Tensor line = at::arange(32).remainder(count) - count / 2;
  QuantizedWeight weight;
  weight.scheme = scheme;
  weight.codes =
      (along_rows ? line.view({32, 1}) : line.view({1, 32})).expand({32, 32}).to(at::kChar);
  weight.codes = weight.codes.contiguous();
  weight.scale = at::ones({32, 1}, at::kHalf);
  if (!scheme.weights.symmetric) {
    weight.zero_point = line.view({32, 1}).to(at::kChar);
  }
  return weight;
}

std::vector<uint32_t> words(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.contiguous().flatten();
  const int32_t* first = flat.const_data_ptr<int32_t>();
  return {first, first + flat.numel()};
}

MemoryTensors counted(const std::string& format, int bits, bool symmetric, bool along_rows) {
  const Scheme scheme = scheme_of(bits, 32, symmetric);
  return written(*format_named(format), planned(scheme, 32, 32), counting(scheme, along_rows));
}

TEST(IntegerLayouts, GptqCodesRunAlongTheColumns) {
  const auto column = [](int bits) {
    const MemoryTensors tensors = counted("auto_gptq", bits, true, false);
    return words(tensors.read("m.qweight").select(1, 5));
  };
  EXPECT_THAT(column(2), testing::ElementsAre(0xE4E4E4E4U, 0xE4E4E4E4U));
  EXPECT_THAT(column(3), testing::ElementsAre(0x88FAC688U, 0xC688FAC6U, 0xFAC688FAU));
  EXPECT_THAT(column(4), testing::ElementsAre(0x76543210U, 0xFEDCBA98U, 0x76543210U, 0xFEDCBA98U));
  EXPECT_EQ(column(8).front(), 0x03020100U);
}

TEST(IntegerLayouts, SymmetricZeroPointsAreStoredMinusOne) {
  for (const char* format : {"auto_gptq", "auto_round"}) {
    const auto zeros = [format](int bits) {
      const MemoryTensors tensors = counted(format, bits, true, false);
      return words(tensors.read("m.qzeros"));
    };
    EXPECT_THAT(zeros(2), testing::Each(0x55555555U));
    EXPECT_THAT(zeros(3), testing::ElementsAre(0xDB6DB6DBU, 0xB6DB6DB6U, 0x6DB6DB6DU));
    EXPECT_THAT(zeros(4), testing::Each(0x77777777U));
    EXPECT_THAT(zeros(8), testing::Each(0x7F7F7F7FU));
  }
}

TEST(IntegerLayouts, AsymmetricZeroPointsAreStoredAsTheyAre) {
  const MemoryTensors three = counted("auto_round", 3, false, true);
  EXPECT_THAT(words(three.read("m.qzeros")),
              testing::ElementsAre(0x88FAC688U, 0xC688FAC6U, 0xFAC688FAU));
  const MemoryTensors eight = counted("auto_round", 8, false, true);
  EXPECT_EQ(words(eight.read("m.qzeros")).front(), 0x03020100U);
}

TEST(IntegerLayouts, GroupIndexNumbersTheGroups) {
  const Scheme scheme = scheme_of(4, 48, true);
  const MemoryTensors tensors =
      written(*format_named("auto_gptq"), planned(scheme, 32, 64), random_codes(scheme, 32, 64));
  const at::Tensor index = tensors.read("m.g_idx");
  EXPECT_EQ(index.scalar_type(), at::kInt);
  EXPECT_EQ(index[47].item<int>(), 0);
  EXPECT_EQ(index[48].item<int>(), 1);
  EXPECT_FALSE(
      written(*format_named("auto_round"), planned(scheme, 32, 64), random_codes(scheme, 32, 64))
          .spec("m.g_idx"));
}

TEST(IntegerLayouts, AwqWordsHoldEightRowsInItsOrder) {
  for (const char* format : {"auto_awq", "auto_round"}) {
    const MemoryTensors tensors = counted(format, 4, false, true);
    EXPECT_EQ(tensors.read("m.qweight").sizes(), at::IntArrayRef({32, 4}));
    // Rows 0 … 7 and 8 … 15.
    EXPECT_THAT(words(tensors.read("m.qweight")[9]),
                testing::ElementsAre(0x75316420U, 0xFDB9ECA8U, 0x75316420U, 0xFDB9ECA8U));
    EXPECT_THAT(words(tensors.read("m.qzeros")),
                testing::ElementsAre(0x75316420U, 0xFDB9ECA8U, 0x75316420U, 0xFDB9ECA8U));
  }
  EXPECT_THAT(words(counted("auto_awq", 4, true, true).read("m.qzeros")),
              testing::Each(0x88888888U));
}

TEST(IntegerLayouts, ShapesThatAreNotHeldAreSaid) {
  const auto reason = [](const char* format, const Scheme& scheme, int64_t rows, int64_t columns) {
    return format_named(format)->unsupported(planned(scheme, rows, columns)).value_or("");
  };
  const Scheme symmetric = scheme_of(4, 32, true);
  const Scheme asymmetric = scheme_of(4, 32, false);
  EXPECT_EQ(reason("auto_round", symmetric, 40, 64),
            "its 40 rows are no multiple of 32; compressed_tensors holds them");
  EXPECT_EQ(reason("auto_gptq", symmetric, 64, 48),
            "its 48 columns are no multiple of 32; compressed_tensors holds them");
  EXPECT_EQ(reason("auto_round", asymmetric, 40, 64), "");
  EXPECT_EQ(reason("auto_round", asymmetric, 12, 64),
            "its 12 rows are no multiple of 8; compressed_tensors holds them");
  EXPECT_EQ(
      reason("auto_awq", symmetric, 64, 48),
      "its 48 columns do not divide into groups of 32; choose a group_size that divides them");
}

/// What decoding refuses: exit code and message.
std::string refusal(const std::string& format, const MemoryTensors& tensors, const Scheme& scheme) {
  try {
    format_named(format)->decode(tensors, "m", scheme);
  } catch (const Error& error) {
    return std::to_string(error.exit_code()) + " " + error.what();
  }
  return "nothing was refused";
}

TEST(IntegerLayouts, ReorderedColumnsAreRefused) {
  MemoryTensors tensors = counted("auto_gptq", 4, true, false);
  const Scheme scheme = scheme_of(4, 16, true);
  tensors =
      written(*format_named("auto_gptq"), planned(scheme, 32, 32), random_codes(scheme, 32, 32));
  tensors.tensors()["m.g_idx"] = tensors.read("m.g_idx").flip(0);
  EXPECT_EQ(refusal("auto_gptq", tensors, scheme),
            "4 m.g_idx: its columns were reordered (activation order), which cannot be read; "
            "quantize without desc_act");
  tensors.tensors()["m.g_idx"] = at::zeros({31}, at::kInt);
  EXPECT_EQ(refusal("auto_gptq", tensors, scheme), "3 m.g_idx: is I32 [31], expected I32 [32]");
}

TEST(IntegerLayouts, DamagedTensorsAreNamed) {
  const Scheme scheme = scheme_of(4, 32, true);
  const MemoryTensors whole = counted("auto_round", 4, true, false);
  MemoryTensors tensors = whole;
  tensors.tensors()["m.scales"] = at::ones({1, 32}, at::kBFloat16);
  EXPECT_EQ(refusal("auto_round", tensors, scheme),
            "3 m.scales: is BF16 [1,32], expected F16 [1,32]");
  tensors = whole;
  tensors.tensors().erase("m.qzeros");
  EXPECT_EQ(refusal("auto_round", tensors, scheme),
            "3 m.qzeros: the config announces this tensor, but it is missing");
  tensors = whole;
  tensors.tensors()["m.qzeros"] = at::full({1, 4}, 0x12345678, at::kInt);
  EXPECT_EQ(refusal("auto_round", tensors, scheme),
            "3 m.qzeros: the config says symmetric, but the zero points are not all the middle");
  tensors = whole;
  tensors.tensors()["m.qweight"] = at::zeros({4}, at::kInt);
  EXPECT_EQ(refusal("auto_round", tensors, scheme),
            "3 m.qweight: is I32 [4], expected I32 of two dimensions");
  tensors = counted("auto_awq", 4, true, false);
  tensors.tensors()["m.qzeros"] = at::full({1, 4}, 0x77777777, at::kInt);
  EXPECT_EQ(refusal("auto_awq", tensors, scheme),
            "3 m.qzeros: the config says symmetric, but a zero point is not 8");
}

TEST(IntegerLayouts, AsymmetricGptqOfOthersIsReadPlusOne) {
  // Eight zero points that were stored minus one: 0x6 … stands for 7.
  MemoryTensors tensors = counted("auto_gptq", 4, true, false);
  tensors.tensors()["m.qzeros"] = at::full({1, 4}, 0x65432106, at::kInt);
  const QuantizedWeight weight =
      format_named("auto_gptq")->decode(tensors, "m", scheme_of(4, 32, false));
  EXPECT_EQ(weight.zero_point[0][0].item<int>(), 7 - 8);
  EXPECT_EQ(weight.zero_point[1][0].item<int>(), 1 - 8);
  EXPECT_EQ(weight.zero_point[7][0].item<int>(), 7 - 8);
}

TEST(Fake, IsTheDequantizedWeightInTheModelsDtype) {
  const Scheme scheme = scheme_of(4, 16, false);
  QuantizedWeight weight;
  weight.scheme = scheme;
  weight.codes = at::tensor({-8, 7, 0, 3}, at::kChar).view({2, 2});
  weight.scale = at::tensor({0.5F, -0.25F}).to(at::kHalf).view({2, 1});
  weight.zero_point = at::tensor({-1, 2}, at::kChar).view({2, 1});
  const PlannedModule module = planned(scheme, 2, 2);
  const auto format = format_named("fake");
  MemoryTensors tensors(format->tensors(module));
  format->encode(module, weight, 0, tensors);
  EXPECT_EQ(tensors.read("m.weight").scalar_type(), at::kBFloat16);
  EXPECT_TRUE(tensors.read("m.weight")
                  .to(at::kFloat)
                  .equal(at::tensor({-3.5F, 4.0F, 0.5F, -0.25F}).view({2, 2})));
}

}  // namespace
}  // namespace oneshot
