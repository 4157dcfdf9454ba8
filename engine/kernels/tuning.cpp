// The front functions of tuning: arguments are checked here, once, for every device.
#include "engine/kernels/tuning.h"

#include <ATen/ATen.h>

#include "engine/error.h"
#include "engine/kernels/kernel_table.h"

namespace oneshot::kernels {
namespace {

template <class Function>
Function pick(const at::Tensor& tensor, Function KernelTable::*entry) {
  const KernelTable& table = tensor.is_cpu() ? cpu_kernels() : reference_kernels();
  return table.*entry ? table.*entry : reference_kernels().*entry;
}

[[noreturn]] void refuse(const char* kernel, const std::string& what) {
  throw Error(ErrorCode::Failed, c10::str("kernels: ", kernel, ": ", what));
}

// Checks that a tensor has the shape, one of the dtypes, and lies in one piece beside the weight.
struct Check {
  const char* kernel;
  at::Device device;

  void operator()(const char* name,
                  const at::Tensor& tensor,
                  at::IntArrayRef shape,
                  std::initializer_list<at::ScalarType> dtypes) const {
    if (!tensor.defined()) {
      refuse(kernel, c10::str(name, " is undefined, expected ", shape));
    }
    const bool known =
        std::find(dtypes.begin(), dtypes.end(), tensor.scalar_type()) != dtypes.end();
    if (!known || tensor.sizes() != shape || !tensor.is_contiguous() || tensor.device() != device) {
      refuse(kernel,
             c10::str(name,
                      " is ",
                      tensor.scalar_type(),
                      " ",
                      tensor.sizes(),
                      tensor.is_contiguous() ? "" : " (not contiguous)",
                      " on ",
                      tensor.device(),
                      ", expected ",
                      *dtypes.begin(),
                      " ",
                      shape,
                      " on ",
                      device));
    }
  }
};

Check check_weight(const char* kernel, const at::Tensor& weight) {
  if (!weight.defined() || weight.dim() != 2 || weight.size(1) < 1) {
    refuse(kernel, "weight is not a matrix");
  }
  const Check check = {kernel, weight.device()};
  check("weight", weight, weight.sizes(), {at::kFloat, at::kBFloat16, at::kHalf});
  return check;
}

// The scheme with the size that the groups of this weight have.
TunedScheme check_scheme(const char* kernel, const TunedScheme& scheme, const at::Tensor& weight) {
  const bool mx = scheme.codes == TunedCodes::Mx;
  if (mx ? scheme.bits != 4 : scheme.bits < 2 || scheme.bits > 8) {
    refuse(kernel, c10::str("bits is ", scheme.bits, ", expected ", mx ? "4" : "2 … 8"));
  }
  if (scheme.group_size < 1 && scheme.group_size != -1) {
    refuse(kernel, c10::str("group_size is ", scheme.group_size, ", expected at least 1, or -1"));
  }
  TunedScheme result = scheme;
  const int64_t columns = weight.size(1);
  result.group_size = scheme.group_size == -1 ? columns : std::min(scheme.group_size, columns);
  return result;
}

int64_t groups_of(const TunedScheme& scheme, const at::Tensor& weight) {
  return (weight.size(1) - 1) / scheme.group_size + 1;
}

// What both kernels of a tuned weight take. Gives the scheme with its true group size.
TunedScheme check_tuned(const char* kernel, const TunedScheme& scheme, const TunedWeight& tuned) {
  const Check check = check_weight(kernel, tuned.weight);
  TunedScheme result = check_scheme(kernel, scheme, tuned.weight);
  const std::vector<int64_t> groups = {tuned.weight.size(0), groups_of(result, tuned.weight)};
  check("min", tuned.min, groups, {at::kFloat});
  check("max", tuned.max, groups, {at::kFloat});
  check("rounding", tuned.rounding, tuned.weight.sizes(), {at::kFloat});
  check("min_factor", tuned.min_factor, groups, {at::kFloat});
  check("max_factor", tuned.max_factor, groups, {at::kFloat});
  if (tuned.start.defined()) {
    check("start", tuned.start, groups, {at::kFloat});
    if (scheme.codes == TunedCodes::Asymmetric) {
      refuse(kernel, "start is given, but an asymmetric scheme has none");
    }
  }
  return result;
}

}  // namespace

void round_tuned(const TunedScheme& scheme, const TunedWeight& weight, RoundedWeight& out) {
  const TunedScheme exact = check_tuned("round_tuned", scheme, weight);
  const Check check = {"round_tuned", weight.weight.device()};
  const bool mx = scheme.codes == TunedCodes::Mx;
  const at::IntArrayRef whole = weight.weight.sizes(), groups = weight.min.sizes();
  check("values", out.values, whole, {at::kFloat, at::kBFloat16});
  if (out.codes.defined()) {
    check("codes", out.codes, whole, {mx ? at::kByte : at::kChar});
  }
  if (out.scale.defined()) {
    check("scale", out.scale, groups, {mx ? at::kByte : at::kHalf});
  }
  if (out.zero_point.defined()) {
    check("zero_point", out.zero_point, groups, {at::kChar});
    if (scheme.codes != TunedCodes::Asymmetric) {
      refuse("round_tuned", "zero_point is wanted, but only an asymmetric scheme has one");
    }
  }
  pick(weight.weight, &KernelTable::round_tuned)(exact, weight, out);
}

void sign_step(const TunedScheme& scheme,
               const TunedWeight& weight,
               const at::Tensor& gradient,
               float rate,
               float factor_rate) {
  const TunedScheme exact = check_tuned("sign_step", scheme, weight);
  const Check check = {"sign_step", weight.weight.device()};
  check("gradient", gradient, weight.weight.sizes(), {at::kFloat, at::kBFloat16});
  pick(weight.weight, &KernelTable::sign_step)(exact, weight, gradient, rate, factor_rate);
}

at::Tensor search_scales(const TunedScheme& scheme,
                         const at::Tensor& weight,
                         const at::Tensor& importance) {
  const Check check = check_weight("search_scales", weight);
  const TunedScheme exact = check_scheme("search_scales", scheme, weight);
  if (scheme.codes != TunedCodes::Symmetric) {
    refuse("search_scales", "the scheme is not one of symmetric integers");
  }
  if (importance.defined()) {
    check("importance", importance, {weight.size(1)}, {at::kFloat});
  }
  const at::Tensor given = importance.defined()
                               ? importance
                               : at::ones({weight.size(1)}, weight.options().dtype(at::kFloat));
  return pick(weight, &KernelTable::search_scales)(exact, weight, given);
}

RangeWithZero range_with_zero(const at::Tensor& weight, int64_t group_size) {
  const GroupRange range = group_range(weight, group_size);
  return {range.min.to(at::kFloat).clamp_max(0), range.max.to(at::kFloat).clamp_min(0)};
}

TunedWeight untuned(const TunedScheme& scheme, const at::Tensor& weight) {
  check_weight("untuned", weight);
  const TunedScheme exact = check_scheme("untuned", scheme, weight);
  const RangeWithZero range = range_with_zero(weight, exact.group_size);
  return {.weight = weight,
          .min = range.min,
          .max = range.max,
          .start = {},
          .rounding = at::zeros(weight.sizes(), weight.options().dtype(at::kFloat)),
          .min_factor = at::ones_like(range.min),
          .max_factor = at::ones_like(range.max)};
}

RoundedWeight rounded_buffers(const TunedScheme& scheme,
                              const at::Tensor& weight,
                              at::ScalarType dtype) {
  check_weight("rounded_buffers", weight);
  const TunedScheme exact = check_scheme("rounded_buffers", scheme, weight);
  const std::vector<int64_t> groups = {weight.size(0), groups_of(exact, weight)};
  const bool mx = scheme.codes == TunedCodes::Mx;
  const at::TensorOptions options = weight.options();
  RoundedWeight result = {
      .values = at::empty(weight.sizes(), options.dtype(dtype)),
      .codes = at::empty(weight.sizes(), options.dtype(mx ? at::kByte : at::kChar)),
      .scale = at::empty(groups, options.dtype(mx ? at::kByte : at::kHalf)),
      .zero_point = {}};
  if (scheme.codes == TunedCodes::Asymmetric) {
    result.zero_point = at::empty(groups, options.dtype(at::kChar));
  }
  return result;
}

namespace {

at::Tensor narrowed(const at::Tensor& tensor, int64_t first, int64_t count) {
  return tensor.defined() ? tensor.narrow(0, first, count) : tensor;
}

}  // namespace

TunedWeight rows_of(const TunedWeight& weight, int64_t first, int64_t count) {
  return {.weight = narrowed(weight.weight, first, count),
          .min = narrowed(weight.min, first, count),
          .max = narrowed(weight.max, first, count),
          .start = narrowed(weight.start, first, count),
          .rounding = narrowed(weight.rounding, first, count),
          .min_factor = narrowed(weight.min_factor, first, count),
          .max_factor = narrowed(weight.max_factor, first, count)};
}

RoundedWeight rows_of(const RoundedWeight& weight, int64_t first, int64_t count) {
  return {.values = narrowed(weight.values, first, count),
          .codes = narrowed(weight.codes, first, count),
          .scale = narrowed(weight.scale, first, count),
          .zero_point = narrowed(weight.zero_point, first, count)};
}

}  // namespace oneshot::kernels
