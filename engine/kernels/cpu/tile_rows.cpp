// The softmax of a block of scores and its way back.
#include "engine/kernels/cpu/tile_rows.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/cpu/tile_rows.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>

#include "engine/kernels/cpu/float_rows_inl.h"

HWY_BEFORE_NAMESPACE();
namespace oneshot::kernels::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// At most so many lanes, so that every width that is a multiple of 16 is whole vectors.
using Floats = hn::CappedTag<float, 16>;

// The columns from `begin` on that a row with `seen` columns does not see, up to whole vectors, are
// computed as if it saw them; this takes them away.
template <class D>
HWY_INLINE hn::Vec<D> only_seen(D df, size_t begin, size_t seen, hn::Vec<D> v) {
  return begin + hn::Lanes(df) <= seen ? v : hn::IfThenElseZero(hn::FirstN(df, seen - begin), v);
}

HWY_INLINE float largest_of(const float* scores, size_t seen) {
  const Floats df;
  const size_t lanes = hn::Lanes(df);
  const auto lowest = hn::Set(df, -INFINITY);
  auto largest = lowest;
  size_t i = 0;
  for (; i + lanes <= seen; i += lanes) {
    largest = hn::Max(largest, hn::LoadU(df, scores + i));
  }
  if (i < seen) {
    const auto mask = hn::FirstN(df, seen - i);
    largest = hn::Max(largest, hn::IfThenElse(mask, hn::LoadU(df, scores + i), lowest));
  }
  return hn::GetLane(hn::MaxOfLanes(df, largest));
}

// As bfloat16 in the upper half of each word: to nearest, halves away from zero.
template <class D>
HWY_INLINE hn::Vec<hn::Rebind<uint32_t, D>> nearest(D /*df*/, hn::Vec<D> v) {
  const hn::Rebind<uint32_t, D> du;
  return hn::Add(hn::BitCast(du, v), hn::Set(du, 0x8000));
}

template <class D>
HWY_INLINE void store_nearest(D df, hn::Vec<D> v, uint16_t* to) {
  const hn::Rebind<uint16_t, D> du16;
  hn::StoreU(hn::TruncateTo(du16, hn::ShiftRight<16>(nearest(df, v))), du16, to);
}

// The probabilities of a row that sees that many keys, times their sum, which it gives back.
HWY_INLINE float softmax_row(
    const TileRows& tile, const float* scores, size_t seen, float largest, uint16_t* result) {
  const Floats df;
  const auto scale = hn::Set(df, tile.scale * kLog2E);
  const auto shift = hn::Set(df, tile.scale * kLog2E * largest);
  auto sum = hn::Zero(df);
  size_t i = 0;
  for (; i < seen; i += hn::Lanes(df)) {
    const auto power = power_of_two(df, hn::MulSub(hn::LoadU(df, scores + i), scale, shift));
    const auto p = only_seen(df, i, seen, power);
    sum = hn::Add(sum, p);
    store_nearest(df, p, result + i);
  }
  std::fill(result + i, result + std::max(i, tile.columns), uint16_t{0});
  return hn::GetLane(hn::SumOfLanes(df, sum));
}

void softmax_block(const TileRows& tile,
                   const float* scores,
                   uint16_t* probabilities,
                   float* factors,
                   float* log_sums) {
  for (size_t r = 0; r < tile.rows; ++r) {
    const float* row = scores + r * tile.stride;
    const size_t seen = tile.first + r + 1;
    const float largest = largest_of(row, seen);
    factors[r] = 1.0f / softmax_row(tile, row, seen, largest, probabilities + r * tile.stride);
    if (log_sums != nullptr) {
      log_sums[r] = tile.scale * largest;
    }
  }
  const Floats df;
  for (size_t r = 0; log_sums != nullptr && r < tile.rows; r += hn::Lanes(df)) {
    const auto logarithm = hn::Log(df, hn::LoadU(df, factors + r));
    hn::StoreU(hn::Sub(hn::LoadU(df, log_sums + r), logarithm), df, log_sums + r);
  }
}

// The probabilities of a row, in place of its scores; gives back the sum of probability · gradient.
HWY_INLINE float probabilities_of(
    const TileRows& tile, float log_sum, size_t seen, const float* grads, float* scores) {
  const Floats df;
  const auto scale = hn::Set(df, tile.scale * kLog2E);
  const auto shift = hn::Set(df, log_sum * kLog2E);
  auto sum = hn::Zero(df);
  for (size_t i = 0; i < seen; i += hn::Lanes(df)) {
    const auto power = power_of_two(df, hn::MulSub(hn::LoadU(df, scores + i), scale, shift));
    const auto p = only_seen(df, i, seen, power);
    hn::StoreU(p, df, scores + i);
    sum = hn::MulAdd(p, hn::LoadU(df, grads + i), sum);
  }
  return hn::GetLane(hn::SumOfLanes(df, sum));
}

// Two numbers as bfloat16 in one word.
template <class D>
HWY_INLINE hn::Vec<hn::Rebind<uint32_t, D>> pair_of(D df, hn::Vec<D> low, hn::Vec<D> high) {
  const hn::Rebind<uint32_t, D> du;
  return hn::Or(hn::ShiftRight<16>(nearest(df, low)),
                hn::And(nearest(df, high), hn::Set(du, 0xFFFF0000)));
}

void softmax_back_block(const TileRows& tile, const TileGradients& given) {
  const Floats df;
  const hn::Rebind<uint32_t, Floats> du;
  const hn::Rebind<uint16_t, Floats> du16;
  const size_t lanes = hn::Lanes(df);
  const auto scale = hn::Set(df, tile.scale);
  for (size_t r = 0; r < tile.rows; r += 2) {
    const size_t at = r * tile.stride, next = at + tile.stride, pair = r / 2 * tile.stride;
    float *first = given.scores + at, *second = given.scores + next;
    const float *first_grad = given.grads + at, *second_grad = given.grads + next;
    const size_t seen = tile.first + r + 1;
    const size_t whole = (seen + lanes) / lanes * lanes;  // what the second row sees, in vectors
    std::fill(first + seen, first + whole, 0.0f);
    const auto dot =
        hn::Set(df, probabilities_of(tile, given.log_sums[r], seen, first_grad, first));
    const auto next_dot =
        hn::Set(df, probabilities_of(tile, given.log_sums[r + 1], seen + 1, second_grad, second));
    size_t i = 0;
    for (; i < seen + 1; i += lanes) {
      const auto p = hn::LoadU(df, first + i), q = hn::LoadU(df, second + i);
      hn::StoreU(pair_of(df, p, q), du, given.probability_pairs + pair + i);
      const auto to_p = hn::Mul(hn::Mul(p, scale), hn::Sub(hn::LoadU(df, first_grad + i), dot));
      const auto to_q =
          hn::Mul(hn::Mul(q, scale), hn::Sub(hn::LoadU(df, second_grad + i), next_dot));
      const auto both = pair_of(df, to_p, to_q);
      hn::StoreU(both, du, given.score_pairs + pair + i);
      hn::StoreU(hn::TruncateTo(du16, hn::And(both, hn::Set(du, 0xFFFF))),
                 du16,
                 given.score_grads + at + i);
      hn::StoreU(
          hn::TruncateTo(du16, hn::ShiftRight<16>(both)), du16, given.score_grads + next + i);
    }
    for (; i < tile.columns; i += lanes) {
      hn::StoreU(hn::Zero(du), du, given.probability_pairs + pair + i);
      hn::StoreU(hn::Zero(du), du, given.score_pairs + pair + i);
      hn::StoreU(hn::Zero(du16), du16, given.score_grads + at + i);
      hn::StoreU(hn::Zero(du16), du16, given.score_grads + next + i);
    }
  }
}

void narrow_block(const float* from,
                  size_t rows,
                  size_t columns,
                  const float* factors,
                  size_t stride,
                  uint16_t* to) {
  const Floats df;
  for (size_t r = 0; r < rows; ++r) {
    const auto factor = hn::Set(df, factors != nullptr ? factors[r] : 1.0f);
    for (size_t i = 0; i < columns; i += hn::Lanes(df)) {
      const auto v = hn::Mul(hn::LoadU(df, from + r * columns + i), factor);
      store_nearest(df, v, to + r * stride + i);
    }
  }
}

}  // namespace oneshot::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace oneshot::kernels::cpu {
namespace {
HWY_EXPORT(softmax_block);
HWY_EXPORT(softmax_back_block);
HWY_EXPORT(narrow_block);
}  // namespace

void tile_softmax(const TileRows& tile,
                  const float* scores,
                  uint16_t* probabilities,
                  float* factors,
                  float* log_sums) {
  HWY_DYNAMIC_DISPATCH(softmax_block)(tile, scores, probabilities, factors, log_sums);
}

void tile_softmax_back(const TileRows& tile, const TileGradients& given) {
  HWY_DYNAMIC_DISPATCH(softmax_back_block)(tile, given);
}

void narrow_rows(const float* from,
                 size_t rows,
                 size_t columns,
                 const float* factors,
                 size_t stride,
                 uint16_t* to) {
  HWY_DYNAMIC_DISPATCH(narrow_block)(from, rows, columns, factors, stride, to);
}

}  // namespace oneshot::kernels::cpu
#endif  // HWY_ONCE
