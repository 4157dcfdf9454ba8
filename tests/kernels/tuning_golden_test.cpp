// round_tuned, sign_step and search_scales against what auto-round's own functions gave, gradients
// by its own backward pass.
#include <map>

#include "engine/checkpoint/input_file.h"
#include "engine/checkpoint/safetensors.h"
#include "engine/tensor_bytes.h"
#include "tests/kernels/every_target.h"

namespace oneshot::kernels {
namespace {

using Tensors = std::map<std::string, at::Tensor>;

// All tensors of the file, by name.
const Tensors& golden() {
  static const Tensors kTensors = [] {
    const InputFile file(ONESHOT_TEST_DATA "/kernels/auto_round_tuning.safetensors");
    const SafetensorsHeader header = read_safetensors_header(file);
    Tensors result;
    for (const TensorInfo& info : header.tensors) {
      std::vector<std::byte> scratch;
      const std::byte* bytes = file.fetch(header.data_begin + info.begin, info.bytes, scratch);
      result[info.name] = tensor_of(bytes, info.dtype, info.shape).clone();
    }
    return result;
  }();
  return kTensors;
}

struct GoldenCase {
  const char* name;
  TunedScheme scheme;
};

const GoldenCase kCases[] = {
    {"symmetric.4.32", {TunedCodes::Symmetric, 4, 32}},
    {"symmetric.2.32", {TunedCodes::Symmetric, 2, 32}},
    {"symmetric.3.48", {TunedCodes::Symmetric, 3, 48}},
    {"symmetric.8.32", {TunedCodes::Symmetric, 8, 32}},
    {"asymmetric.4.32", {TunedCodes::Asymmetric, 4, 32}},
    {"asymmetric.2.32", {TunedCodes::Asymmetric, 2, 32}},
    {"asymmetric.3.48", {TunedCodes::Asymmetric, 3, 48}},
    {"asymmetric.8.32", {TunedCodes::Asymmetric, 8, 32}},
    {"symmetric_start.4.32", {TunedCodes::Symmetric, 4, 32, 2}},
    {"symmetric_start.2.32", {TunedCodes::Symmetric, 2, 32, 2}},
    {"mx.4.32", {TunedCodes::Mx, 4, 32}},
};

class TuningGolden : public testing::TestWithParam<GoldenCase> {
 protected:
  bool has(const char* name) const { return golden().count(key(name)) > 0; }
  at::Tensor tensor(const char* name) const { return golden().at(key(name)); }

  TunedWeight tuned() const {
    TunedWeight result = untuned(GetParam().scheme, tensor("weight"));
    result.rounding = tensor("rounding").clone();
    result.min_factor = tensor("min_factor").clone();
    result.max_factor = tensor("max_factor").clone();
    if (has("start")) {
      result.start = tensor("start");
    }
    return result;
  }

 private:
  std::string key(const char* name) const { return std::string(GetParam().name) + "." + name; }
};

TEST_P(TuningGolden, RoundsAsAutoRound) {
  const TunedScheme& scheme = GetParam().scheme;
  RoundedWeight out = rounded_buffers(scheme, tensor("weight"), at::kBFloat16);
  round_tuned(scheme, tuned(), out);
  EXPECT_TRUE(at::equal(out.values, tensor("values")));
  const double bias = scheme.codes == TunedCodes::Mx ? 127 : 0;  // theirs is the exponent
  EXPECT_TRUE(at::equal(out.scale.to(at::kFloat) - bias, tensor("scale").to(at::kFloat)));
  if (out.zero_point.defined()) {
    const at::Tensor shifted = tensor("zero_point") - (1 << (scheme.bits - 1));
    EXPECT_TRUE(at::equal(out.zero_point.to(at::kFloat), shifted));
  }
}

constexpr float kRate = 0.25F, kFactorRate = 0.125F;

// Where auto-round's gradient, which went through float16, is no residue of rounding.
void expect_direction(const at::Tensor& before,
                      const at::Tensor& after,
                      const at::Tensor& theirs,
                      double limit) {
  const at::Tensor size = theirs.abs().amax(1, true);  // of the row
  const at::Tensor decided = (theirs == 0).logical_or(theirs.abs() > 0.02 * size);
  const at::Tensor expected = (before - kFactorRate * theirs.sign()).clamp(0, limit);
  EXPECT_TRUE(at::equal(after.masked_select(decided), expected.masked_select(decided)))
      << after << expected;
}

TEST_P(TuningGolden, StepsAsAutoRound) {
  const TunedWeight before = tuned(), after = tuned();
  sign_step(GetParam().scheme, after, tensor("gradient"), kRate, kFactorRate);
  const at::Tensor expected = before.rounding - tensor("d_rounding").to(at::kFloat) * kRate;
  EXPECT_TRUE(at::equal(after.rounding, expected));
  const double limit = GetParam().scheme.factor_limit;
  expect_direction(before.min_factor, after.min_factor, tensor("d_min_factor"), 1);
  expect_direction(before.max_factor, after.max_factor, tensor("d_max_factor"), limit);
}

TEST_P(TuningGolden, SearchesAsAutoRound) {
  if (!has("importance")) {
    return;
  }
  const at::Tensor found = search_scales(GetParam().scheme, tensor("weight"), tensor("importance"));
  EXPECT_TRUE(at::equal(found, tensor("start").to(at::kHalf).to(at::kFloat)));
}

INSTANTIATE_TEST_SUITE_P(Cases, TuningGolden, testing::ValuesIn(kCases), [](const auto& instance) {
  std::string name = instance.param.name;
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
});

}  // namespace
}  // namespace oneshot::kernels
