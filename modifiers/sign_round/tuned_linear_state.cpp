#include "modifiers/sign_round/tuned_linear_state.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <utility>

#include "engine/error.h"
#include "engine/graph/fake_quantize.h"
#include "engine/kernels/packed_product.h"

namespace oneshot {
namespace {

Linear* linear_of(const TunableModule& module) {
  auto* linear = dynamic_cast<Linear*>(&module.module);
  if (linear == nullptr) {
    throw Error(ErrorCode::Unsupported,
                module.planned.name + ": only Linears can be tuned; add it to ignore");
  }
  return linear;
}

kernels::TunedScheme tuned_scheme(const QuantArgs& args) {
  kernels::TunedScheme scheme;
  scheme.codes = args.is_mx()     ? kernels::TunedCodes::Mx
                 : args.symmetric ? kernels::TunedCodes::Symmetric
                                  : kernels::TunedCodes::Asymmetric;
  scheme.bits = args.bits;
  scheme.group_size = args.strategy == Strategy::Group ? args.group_size : -1;
  return scheme;
}

/// Rounded to codes and back as at run time; gradients pass as if it were not.
at::Tensor quantize_straight_through(const QuantArgs& args, const at::Tensor& input) {
  if (!at::GradMode::is_enabled()) {
    return input;
  }
  at::Tensor change;
  {
    const at::NoGradGuard no_gradients;
    change = fake_quantize(args, {}, input) - input;
  }
  return input + change;
}

}  // namespace

TunedLinearState::TunedLinearState(const TunableModule& module)
    : linear_(linear_of(module)),
      planned_(*module.planned.scheme),
      scheme_(tuned_scheme(planned_.weights)) {
  const at::Tensor weight = module.weight.contiguous();
  if (!at::isfinite(weight).all().item<bool>()) {
    throw Error(ErrorCode::Checkpoint,
                module.planned.name +
                    ".weight: holds NaN or infinity, which cannot be quantized; mend the "
                    "checkpoint or add the module to ignore");
  }
  tuned_ = kernels::untuned(scheme_, weight);
  now_ = kernels::rounded_buffers(scheme_, weight, linear_->weight.scalar_type());
  best_ = kernels::rounded_buffers(scheme_, weight, linear_->weight.scalar_type());
  best_.values = at::Tensor();
}

TunedLinearState::TunedLinearState(TunedLinearState&& other) noexcept
    : linear_(std::exchange(other.linear_, nullptr)),
      planned_(std::move(other.planned_)),
      scheme_(other.scheme_),
      tuned_(std::move(other.tuned_)),
      now_(std::move(other.now_)),
      best_(std::move(other.best_)),
      accumulated_(std::move(other.accumulated_)),
      pass_(std::move(other.pass_)) {}

TunedLinearState::~TunedLinearState() {
  if (linear_ != nullptr) {
    linear_->tuned = nullptr;
    linear_->prepare_input = nullptr;
  }
}

void TunedLinearState::attach(
    std::function<void(const at::Tensor& input, const at::Tensor& gradient)> collect) {
  pass_->values = now_.values;
  pass_->collect = std::move(collect);
  linear_->tuned = pass_.get();
  if (planned_.input_activations) {
    linear_->prepare_input = [args = *planned_.input_activations](const at::Tensor& input) {
      return quantize_straight_through(args, input);
    };
  }
}

void TunedLinearState::prepare_search() {
  constexpr double kLargestFactor = 2;  // the range may grow from what was found
  tuned_.start = at::empty_like(tuned_.min);
  scheme_.factor_limit = kLargestFactor;
}

void TunedLinearState::prepare_rounding() {
  if (!now_.values.defined()) {
    now_.values = pass_->values = at::empty(tuned_.weight.sizes(), linear_->weight.options());
    pass_->packed = pass_->packed_transposed = at::Tensor();
  }
}

void TunedLinearState::pack() {
  if (pass_->input_asks && kernels::can_pack(now_.values)) {
    pass_->packed = kernels::packed(now_.values);
    pass_->packed_transposed = kernels::packed(now_.values.t().contiguous());
    now_.values = pass_->values = at::Tensor();
  }
}

void TunedLinearState::prepare_accumulation() {
  if (!accumulated_.defined()) {
    accumulated_ = at::empty(tuned_.weight.sizes(), at::kFloat);
  }
}

void TunedLinearState::search(int64_t first, int64_t count, const at::Tensor& importance) {
  tuned_.start.narrow(0, first, count)
      .copy_(kernels::search_scales(scheme_, tuned_.weight.narrow(0, first, count), importance));
}

void TunedLinearState::round(int64_t first, int64_t count) {
  kernels::RoundedWeight rows = kernels::rows_of(now_, first, count);
  kernels::round_tuned(scheme_, kernels::rows_of(tuned_, first, count), rows);
}

void TunedLinearState::step(int64_t first,
                            const at::Tensor& gradient,
                            double rate,
                            double range_rate) {
  kernels::sign_step(scheme_,
                     kernels::rows_of(tuned_, first, gradient.size(0)),
                     gradient,
                     static_cast<float>(rate),
                     static_cast<float>(range_rate));
}

void TunedLinearState::keep_as_best() {
  std::swap(now_.codes, best_.codes);
  std::swap(now_.scale, best_.scale);
  std::swap(now_.zero_point, best_.zero_point);
}

void TunedLinearState::reset() {
  tuned_.start = at::Tensor();
  scheme_.factor_limit = 1;
  tuned_.rounding.zero_();
  tuned_.min_factor.fill_(1);
  tuned_.max_factor.fill_(1);
}

QuantizedWeight TunedLinearState::best_weight() const {
  QuantizedWeight weight;
  weight.scheme = planned_;
  weight.codes = best_.codes;
  weight.scale = best_.scale;
  weight.zero_point = best_.zero_point;
  return weight;
}

std::vector<TunedLinearState> tunable_linears(const TunableBlock& block) {
  std::vector<TunedLinearState> linears;
  linears.reserve(block.modules.size());
  for (const TunableModule& module : block.modules) {
    linears.emplace_back(module);
  }
  return linears;
}

}  // namespace oneshot
