// Every kernel in plain ATen, on any device: the definition of right, written to be read.
// Sources: quantization/lifecycle/forward.py and compressors/pack_quantized of compressed-tensors.
#include <ATen/ATen.h>

#include <limits>

#include "engine/kernels/kernel_table.h"
#include "engine/kernels/reference/tuning_reference.h"

namespace oneshot::kernels {
namespace {

using at::indexing::None;
using at::indexing::Slice;

// Calls `reduce` on [rows, groups, group_size], and on [rows, 1, rest] where the last group is
// short; `reduce` removes the last dimension.
template <class Reduce>
at::Tensor reduce_groups(const at::Tensor& weight, int64_t group_size, const Reduce& reduce) {
  const int64_t rows = weight.size(0), columns = weight.size(1);
  const int64_t full_groups = columns / group_size, rest = columns % group_size;
  std::vector<at::Tensor> parts;
  if (full_groups > 0) {
    const at::Tensor full = weight.slice(1, 0, full_groups * group_size);
    parts.push_back(reduce(full.reshape({rows, full_groups, group_size})));
  }
  if (rest > 0) {
    parts.push_back(reduce(weight.slice(1, columns - rest).unsqueeze(1)));
  }
  return at::cat(parts, 1).contiguous();  // [rows, groups]
}

// One number a group → one number a column: [rows, columns].
at::Tensor per_column(const at::Tensor& per_group, int64_t group_size, int64_t columns) {
  const int64_t repeats = std::min(group_size, columns);
  return per_group.repeat_interleave(repeats, 1).slice(1, 0, columns);
}

// weight ÷ scale + zero_point. Promotion decides the dtype of the quotient, which the sum keeps;
// adding 0 turns −0 into +0.
at::Tensor shifted_quotient(const at::Tensor& weight,
                            const at::Tensor& scale,
                            const at::Tensor& zero_point,
                            int64_t group_size) {
  const int64_t columns = weight.size(1);
  const at::Tensor quotient = weight.div(per_column(scale, group_size, columns));
  if (!zero_point.defined()) {
    return quotient.add(0);
  }
  return quotient.add(per_column(zero_point, group_size, columns).to(quotient.scalar_type()));
}

at::Tensor group_absmax(const at::Tensor& weight, int64_t group_size) {
  return reduce_groups(
      weight.abs(), group_size, [](const at::Tensor& groups) { return groups.amax(-1); });
}

GroupRange group_range(const at::Tensor& weight, int64_t group_size) {
  const at::Tensor finite = reduce_groups(
      weight, group_size, [](const at::Tensor& groups) { return groups.isfinite().all(-1); });
  const at::Tensor min =
      reduce_groups(weight, group_size, [](const at::Tensor& groups) { return groups.amin(-1); });
  const at::Tensor max =
      reduce_groups(weight, group_size, [](const at::Tensor& groups) { return groups.amax(-1); });
  // A group with NaN or infinity has NaN at both ends. A zero is +0 (the sum): which of −0 and +0
  // amin and amax take is not defined.
  const at::Tensor nan = at::full({}, std::numeric_limits<double>::quiet_NaN(), weight.options());
  return {at::where(finite, min.add(0), nan), at::where(finite, max.add(0), nan)};
}

at::Tensor encode_int(const at::Tensor& weight,
                      const at::Tensor& scale,
                      const at::Tensor& zero_point,
                      int64_t group_size,
                      int bits) {
  const int lowest = -(1 << (bits - 1)), highest = (1 << (bits - 1)) - 1;
  return shifted_quotient(weight, scale, zero_point, group_size)
      .clamp(lowest, highest)
      .round()
      .to(at::kChar);
}

at::Tensor encode_fp8(const at::Tensor& weight, const at::Tensor& scale, int64_t group_size) {
  return shifted_quotient(weight, scale, {}, group_size).clamp(-448, 448).to(at::kFloat8_e4m3fn);
}

at::Tensor encode_fp4(const at::Tensor& weight, const at::Tensor& scale, int64_t group_size) {
  const at::Tensor value = shifted_quotient(weight, scale, {}, group_size).clamp(-6, 6);
  const at::Tensor magnitude = value.abs();
  at::Tensor index = at::zeros(value.sizes(), value.options().dtype(at::kByte));
  // A threshold that belongs to the upper value is where that one is the even index.
  index += magnitude > 0.25;
  index += magnitude >= 0.75;
  index += magnitude > 1.25;
  index += magnitude >= 1.75;
  index += magnitude > 2.5;
  index += magnitude >= 3.5;
  index += magnitude > 5.0;
  return index + (value < 0).to(at::kByte) * 8;
}

at::Tensor pack_int(const at::Tensor& codes, int bits) {
  const int64_t rows = codes.size(0), columns = codes.size(1);
  const int64_t words = (columns * bits + 31) / 32;
  const at::Tensor unsigned_codes =
      codes.to(at::kLong).add(1 << (bits - 1)).bitwise_and((1 << bits) - 1);
  const at::Tensor first_bit = at::arange(columns, unsigned_codes.options()) * bits;  // [columns]
  const at::Tensor word = first_bit.div(32, "floor");
  const at::Tensor shifted = unsigned_codes.bitwise_left_shift(first_bit.remainder(32));
  // The bits of two codes never meet, so adding is or-ing. What is above 32 goes to the next word.
  at::Tensor stream = at::zeros({rows, words + 1}, unsigned_codes.options());
  stream.index_add_(1, word, shifted.bitwise_and(0xFFFFFFFF));
  stream.index_add_(1, word + 1, shifted.bitwise_right_shift(32));
  return stream.slice(1, 0, words).to(at::kInt).contiguous();
}

at::Tensor unpack_int(const at::Tensor& words, int bits, int64_t columns) {
  const at::Tensor stream =
      at::constant_pad_nd(words.to(at::kLong).bitwise_and(0xFFFFFFFF), {0, 1});
  const at::Tensor first_bit = at::arange(columns, stream.options()) * bits;  // [columns]
  const at::Tensor word = first_bit.div(32, "floor");
  const at::Tensor pair = stream.index_select(1, word).bitwise_or(
      stream.index_select(1, word + 1).bitwise_left_shift(32));
  return pair.bitwise_right_shift(first_bit.remainder(32))
      .bitwise_and((1 << bits) - 1)
      .sub(1 << (bits - 1))
      .to(at::kChar);
}

at::Tensor pack_nibbles(const at::Tensor& codes) {
  const at::Tensor nibbles = codes.bitwise_and(15);
  const at::Tensor even = nibbles.index({Slice(), Slice(0, None, 2)});
  const at::Tensor odd = nibbles.index({Slice(), Slice(1, None, 2)});
  return even + odd * 16;
}

at::Tensor unpack_nibbles(const at::Tensor& bytes) {
  const at::Tensor pairs =
      at::stack({bytes.bitwise_and(15), bytes.bitwise_right_shift(4)}, -1);  // [rows, bytes, 2]
  return pairs.flatten(1);
}

at::Tensor rms_norm(const at::Tensor& input, const at::Tensor& weight, double epsilon) {
  const at::Tensor x = input.to(at::kFloat);
  const at::Tensor normed = x * at::rsqrt(x.square().mean(-1, true) + epsilon);
  return weight * normed.to(input.scalar_type());
}

at::Tensor silu_multiply(const at::Tensor& gate, const at::Tensor& up) {
  return at::silu(gate) * up;
}

at::Tensor rotate_heads(const at::Tensor& x, const at::Tensor& cosine, const at::Tensor& sine) {
  const at::Tensor heads = x.transpose(1, 2);
  const int64_t dims = cosine.size(-1);
  const at::Tensor part = heads.narrow(-1, 0, dims);
  const std::vector<at::Tensor> halves = part.chunk(2, -1);
  const at::Tensor turned = at::cat({-halves[1], halves[0]}, -1);
  const at::Tensor rotated = part * cosine.unsqueeze(1) + turned * sine.unsqueeze(1);
  return dims == x.size(-1) ? rotated
                            : at::cat({rotated, heads.narrow(-1, dims, x.size(-1) - dims)}, -1);
}

at::Tensor rms_norm_backward(const at::Tensor& grad,
                             const at::Tensor& input,
                             const at::Tensor& weight,
                             double epsilon) {
  const at::Tensor x = input.to(at::kFloat);
  const at::Tensor scaled = grad.to(at::kFloat) * weight.to(at::kFloat);
  const at::Tensor square = x.square().mean(-1, true) + epsilon;
  const at::Tensor rest = scaled - x * ((scaled * x).mean(-1, true) / square);
  return (at::rsqrt(square) * rest).to(input.scalar_type());
}

SquaredErrors squared_errors(const at::Tensor& output,
                             const at::Tensor& target,
                             const at::Tensor& weights,
                             double factor) {
  const at::Tensor weight = weights.defined()
                                ? weights.unsqueeze(1)
                                : at::ones({1, 1}, output.options().dtype(at::kFloat));
  const at::Tensor error = (output.to(at::kFloat) - target.to(at::kFloat)) * weight;
  return {error.to(at::kDouble).square().sum().item<double>(),
          (error * (weight * (2 * factor))).to(output.scalar_type())};
}

GateGradients silu_multiply_backward(const at::Tensor& grad,
                                     const at::Tensor& gate,
                                     const at::Tensor& up) {
  return {at::silu_backward(grad * up, gate), grad * at::silu(gate)};
}

at::Tensor rotate_heads_backward(const at::Tensor& grad,
                                 const at::Tensor& cosine,
                                 const at::Tensor& sine) {
  const int64_t dims = cosine.size(-1);
  const at::Tensor part = grad.narrow(-1, 0, dims);
  const std::vector<at::Tensor> halves = (part * sine.unsqueeze(1)).chunk(2, -1);
  const at::Tensor back = part * cosine.unsqueeze(1) + at::cat({halves[1], -halves[0]}, -1);
  const at::Tensor all = at::cat({back, grad.narrow(-1, dims, grad.size(-1) - dims)}, -1);
  return all.transpose(1, 2).contiguous();
}

/// The scores as [..., period, columns], in float32 and times the scale, −∞ where a row may not
/// see.
at::Tensor seen_scores(const at::Tensor& scores, const CausalRows& rows) {
  const int64_t columns = scores.size(-1);
  const at::Tensor hidden = at::ones({rows.period, columns}, at::kBool).triu(rows.first + 1);
  const at::Tensor scaled = scores.view({-1, rows.period, columns}).to(at::kFloat) * rows.scale;
  return scaled.masked_fill(hidden, -INFINITY);
}

void causal_softmax(at::Tensor& scores, const CausalRows& rows, const at::Tensor& log_sums) {
  const at::Tensor seen = seen_scores(scores, rows);
  if (log_sums.defined()) {
    log_sums.view({-1, rows.period}).copy_(at::logsumexp(seen, -1));
  }
  scores.view(seen.sizes()).copy_(at::softmax(seen, -1));
}

void causal_softmax_backward(at::Tensor& scores,
                             at::Tensor& grad,
                             const CausalRows& rows,
                             const at::Tensor& log_sums) {
  const at::Tensor seen = seen_scores(scores, rows);
  const at::Tensor probabilities = (seen - log_sums.view({-1, rows.period, 1})).exp();
  const at::Tensor given = grad.view(seen.sizes()).to(at::kFloat);
  const at::Tensor dot = (probabilities * given).sum(-1, true);
  grad.view(seen.sizes()).copy_(probabilities * (given - dot) * rows.scale);
  scores.view(seen.sizes()).copy_(probabilities);
}

constexpr KernelTable kReference = {
    .device = "reference",
    .group_absmax = group_absmax,
    .group_range = group_range,
    .encode_int = encode_int,
    .encode_fp8 = encode_fp8,
    .encode_fp4 = encode_fp4,
    .pack_int = pack_int,
    .unpack_int = unpack_int,
    .pack_nibbles = pack_nibbles,
    .unpack_nibbles = unpack_nibbles,
    .rms_norm = rms_norm,
    .silu_multiply = silu_multiply,
    .rotate_heads = rotate_heads,
    .rms_norm_backward = rms_norm_backward,
    .silu_multiply_backward = silu_multiply_backward,
    .rotate_heads_backward = rotate_heads_backward,
    .causal_softmax = causal_softmax,
    .causal_softmax_backward = causal_softmax_backward,
    .squared_errors = squared_errors,
    .round_tuned = reference::round_tuned,
    .sign_step = reference::sign_step,
    .search_scales = reference::search_scales,
};

}  // namespace

const KernelTable& reference_kernels() {
  return kReference;
}

}  // namespace oneshot::kernels
