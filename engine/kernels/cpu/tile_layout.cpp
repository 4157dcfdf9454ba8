// Pairs and transposes, a vector of rows or columns at a time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/cpu/tile_layout.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/cpu/tile_rows.h"

HWY_BEFORE_NAMESPACE();
namespace oneshot::kernels::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Words = hn::CappedTag<uint32_t, 16>;  // the lengths are multiples of 16
using Halves = hn::Rebind<uint16_t, Words>;

// Words that are `stride` apart, one a lane.
HWY_INLINE hn::Vec<Words> gather(const uint32_t* from, size_t stride) {
  const hn::Rebind<int32_t, Words> di;
  const auto places = hn::Mul(hn::Iota(di, 0), hn::Set(di, static_cast<int>(stride)));
  return hn::GatherIndex(Words(), from, places);
}

void pair_rows(const LayoutJob& job) {
  const Words du;
  uint32_t* to = job.to;
  for (size_t r = 0; r < job.rows; r += 2, to += job.columns) {
    const auto* first = reinterpret_cast<const uint16_t*>(job.from) + r * job.stride;
    for (size_t i = 0; i < job.columns; i += hn::Lanes(du)) {
      const auto low = hn::PromoteTo(du, hn::LoadU(Halves(), first + i));
      const auto high = hn::PromoteTo(du, hn::LoadU(Halves(), first + job.stride + i));
      hn::StoreU(hn::Or(low, hn::ShiftLeft<16>(high)), du, to + i);
    }
  }
}

// Two columns of two rows at a time: the words of an even row and of the next one.
void transpose(const LayoutJob& job) {
  const Words du;
  const auto low_half = hn::Set(du, 0xFFFF);
  const size_t pairs = job.rows / 2;
  for (size_t r = 0; r < pairs; r += hn::Lanes(du)) {
    for (size_t c = 0; c < job.columns; c += 2) {
      const uint32_t* at = job.from + r * job.stride + c / 2;
      const auto even = gather(at, job.stride), odd = gather(at + job.stride / 2, job.stride);
      uint32_t* to = job.to + c * pairs + r;
      hn::StoreU(hn::Or(hn::And(even, low_half), hn::ShiftLeft<16>(odd)), du, to);
      hn::StoreU(hn::Or(hn::ShiftRight<16>(even), hn::AndNot(low_half, odd)), du, to + pairs);
    }
  }
}

void transpose_pairs(const LayoutJob& job) {
  const Words du;
  for (size_t r = 0; r < job.rows; r += hn::Lanes(du)) {
    for (size_t c = 0; c < job.columns / 2; ++c) {
      const uint32_t* at = job.from + r * job.stride / 2 + c;
      hn::StoreU(gather(at, job.stride / 2), du, job.to + c * job.rows + r);
    }
  }
}

}  // namespace oneshot::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <ATen/ATen.h>

#include "engine/kernels/cpu/tile_layout.h"

namespace oneshot::kernels::cpu {
namespace {
HWY_EXPORT(pair_rows);
HWY_EXPORT(transpose);
HWY_EXPORT(transpose_pairs);

/// The same heads, such that each row lies in one piece and begins at a whole word.
at::Tensor in_words(const at::Tensor& heads) {
  const auto is_even = [](int64_t number) { return number % 2 == 0; };
  const bool whole = heads.stride(3) == 1 && is_even(heads.storage_offset()) &&
                     is_even(heads.stride(0)) && is_even(heads.stride(1)) &&
                     is_even(heads.stride(2));
  return whole ? heads : heads.contiguous();
}

/// Calls lay_out for each head; result [B · heads, …].
template <class LayOut>
at::Tensor each_head(const at::Tensor& all, const at::Tensor& result, const LayOut& lay_out) {
  const at::Tensor heads = in_words(all);
  const auto* from = static_cast<const uint16_t*>(heads.const_data_ptr());
  auto* to = static_cast<uint32_t*>(result.mutable_data_ptr());
  const int64_t words = heads.size(2) * heads.size(3) / 2;  // of a head
  for (int64_t b = 0; b < heads.size(0); ++b) {
    for (int64_t h = 0; h < heads.size(1); ++h, to += words) {
      const uint16_t* head = from + b * heads.stride(0) + h * heads.stride(1);
      lay_out(LayoutJob{.from = reinterpret_cast<const uint32_t*>(head),
                        .to = to,
                        .rows = static_cast<size_t>(heads.size(2)),
                        .columns = static_cast<size_t>(heads.size(3)),
                        .stride = static_cast<size_t>(heads.stride(2))});
    }
  }
  return result;
}

at::Tensor empty_heads(const at::Tensor& heads,
                       int64_t rows,
                       int64_t columns,
                       at::ScalarType type) {
  return at::empty({heads.size(0) * heads.size(1), rows, columns}, type);
}

}  // namespace

at::Tensor row_pairs(const at::Tensor& heads) {
  return each_head(heads,
                   empty_heads(heads, heads.size(2) / 2, heads.size(3), at::kInt),
                   [](const LayoutJob& job) {
                     HWY_DYNAMIC_DISPATCH(pair_rows)
                     (job);
                   });
}

at::Tensor transposed_pairs(const at::Tensor& heads) {
  return each_head(heads,
                   empty_heads(heads, heads.size(3) / 2, heads.size(2), at::kInt),
                   [](const LayoutJob& job) {
                     HWY_DYNAMIC_DISPATCH(transpose_pairs)
                     (job);
                   });
}

void transpose_rows(const LayoutJob& job) {
  HWY_DYNAMIC_DISPATCH(transpose)(job);
}

}  // namespace oneshot::kernels::cpu
#endif  // HWY_ONCE
