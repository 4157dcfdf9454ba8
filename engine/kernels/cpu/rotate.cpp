// The rotation of heads and its way back, each in one pass over the tokens. Arithmetic is float32;
// where the model computes in bfloat16, each step that PyTorch would store is rounded on the way
// forward.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/cpu/rotate.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>

#include "engine/kernels/cpu/cpu_kernels.h"
#include "engine/kernels/cpu/float_rows_inl.h"

HWY_BEFORE_NAMESPACE();
namespace oneshot::kernels::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// x_i · cosine_i − x_j · sine_i and x_j · cosine_j + x_i · sine_j, j being i + half.
template <class Number, class D, class Bits = typename Number::Bits>
HWY_INLINE void turn(
    D df, size_t half, const Bits* x, const Bits* cosine, const Bits* sine, Bits* result) {
  const auto product = [&](const Bits* a, const Bits* b) HWY_ATTR {
    return Number::round(df, hn::Mul(Number::load(df, a), Number::load(df, b)));
  };
  for (size_t i = 0; i < half; i += hn::Lanes(df)) {
    const size_t j = i + half;
    Number::store(df, hn::Sub(product(x + i, cosine + i), product(x + j, sine + i)), result + i);
    Number::store(df, hn::Add(product(x + j, cosine + j), product(x + i, sine + j)), result + j);
  }
}

// The transpose of `turn`, a sum rounded once.
template <class Number, class D, class Bits = typename Number::Bits>
HWY_INLINE void turn_back(
    D df, size_t half, const Bits* grad, const Bits* cosine, const Bits* sine, Bits* result) {
  for (size_t i = 0; i < half; i += hn::Lanes(df)) {
    const size_t j = i + half;
    const auto first = Number::load(df, grad + i), second = Number::load(df, grad + j);
    const auto cosine_i = Number::load(df, cosine + i), cosine_j = Number::load(df, cosine + j);
    const auto sine_i = Number::load(df, sine + i), sine_j = Number::load(df, sine + j);
    Number::store(df, hn::MulAdd(second, sine_j, hn::Mul(first, cosine_i)), result + i);
    Number::store(df, hn::NegMulAdd(first, sine_i, hn::Mul(second, cosine_j)), result + j);
  }
}

template <class Number, bool kBack>
HWY_INLINE void rotate_rows(const RotateJob& job) {
  using Bits = typename Number::Bits;
  const auto place =
      [](const RotateJob::Strides& strides, size_t batch, size_t token, size_t head) {
        return batch * strides.batch + token * strides.token + head * strides.head;
      };
  const auto rotate_row = [&](auto df, const Bits* from, Bits* to, size_t token) HWY_ATTR {
    const auto* cosine = static_cast<const Bits*>(job.cosine) + token * job.rotated;
    const auto* sine = static_cast<const Bits*>(job.sine) + token * job.rotated;
    const size_t half = job.rotated / 2;
    kBack ? turn_back<Number>(df, half, from, cosine, sine, to)
          : turn<Number>(df, half, from, cosine, sine, to);
    std::copy(from + job.rotated, from + job.head_dim, to + job.rotated);
  };
  by_lanes(job.rotated / 2, [&](auto df) HWY_ATTR {
    for (size_t batch = 0; batch < job.batches; ++batch) {
      for (size_t head = 0; head < job.heads; ++head) {
        for (size_t token = 0; token < job.tokens; ++token) {
          rotate_row(
              df,
              static_cast<const Bits*>(job.input) + place(job.input_strides, batch, token, head),
              static_cast<Bits*>(job.result) + place(job.result_strides, batch, token, head),
              token);
        }
      }
    }
  });
}

void rotate(const RotateJob& job) {
  job.storage == Storage::Float32 ? rotate_rows<Float32, false>(job)
                                  : rotate_rows<BFloat16, false>(job);
}

void rotate_back(const RotateJob& job) {
  job.storage == Storage::Float32 ? rotate_rows<Float32, true>(job)
                                  : rotate_rows<BFloat16, true>(job);
}

}  // namespace oneshot::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <ATen/ATen.h>

namespace oneshot::kernels::cpu {
namespace {
HWY_EXPORT(rotate);
HWY_EXPORT(rotate_back);

/// x and result [B, T, heads, head_dim].
RotateJob rotate_job(const at::Tensor& x,
                     const at::Tensor& cosine,
                     const at::Tensor& sine,
                     const at::Tensor& result) {
  const auto strides = [](const at::Tensor& tensor) {
    return RotateJob::Strides{static_cast<size_t>(tensor.stride(0)),
                              static_cast<size_t>(tensor.stride(1)),
                              static_cast<size_t>(tensor.stride(2))};
  };
  return {.input = x.const_data_ptr(),
          .cosine = cosine.const_data_ptr(),
          .sine = sine.const_data_ptr(),
          .result = result.mutable_data_ptr(),
          .storage = storage_of(x),
          .batches = static_cast<size_t>(x.size(0)),
          .tokens = static_cast<size_t>(x.size(1)),
          .heads = static_cast<size_t>(x.size(2)),
          .head_dim = static_cast<size_t>(x.size(3)),
          .rotated = static_cast<size_t>(cosine.size(-1)),
          .input_strides = strides(x),
          .result_strides = strides(result)};
}

}  // namespace

at::Tensor rotate_heads(const at::Tensor& x, const at::Tensor& cosine, const at::Tensor& sine) {
  at::Tensor result = at::empty({x.size(0), x.size(2), x.size(1), x.size(3)}, x.options());
  HWY_DYNAMIC_DISPATCH(rotate)(rotate_job(x, cosine, sine, result.transpose(1, 2)));
  return result;
}

at::Tensor rotate_heads_backward(const at::Tensor& grad,
                                 const at::Tensor& cosine,
                                 const at::Tensor& sine) {
  const at::Tensor heads = grad.transpose(1, 2);
  at::Tensor result = at::empty(heads.sizes(), grad.options());
  HWY_DYNAMIC_DISPATCH(rotate_back)(rotate_job(heads, cosine, sine, result));
  return result;
}

}  // namespace oneshot::kernels::cpu
#endif  // HWY_ONCE
