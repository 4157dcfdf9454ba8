// Packing codes into streams of bits: integer codes of any width, and FP4 codes two a byte.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/cpu/pack.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstring>

#include "engine/kernels/cpu/cpu_kernels.h"

HWY_BEFORE_NAMESPACE();
namespace oneshot::kernels::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Eight codes, one a byte, become 8 · kBits bits: pairs meet, then fours, then all eight. Of each
// code the low kBits count, and kFlip is flipped: flipping the highest of them adds 2^(kBits−1).
template <int kBits, int kFlip>
HWY_INLINE uint64_t pack_eight(uint64_t codes) {
  constexpr uint64_t kEach = 0x0101010101010101;
  uint64_t v = (codes & (kEach * ((1 << kBits) - 1))) ^ (kEach * kFlip);
  v = (v & 0x00FF00FF00FF00FF) | ((v & 0xFF00FF00FF00FF00) >> (8 - kBits));
  v = (v & 0x0000FFFF0000FFFF) | ((v & 0xFFFF0000FFFF0000) >> (16 - 2 * kBits));
  return (v & 0xFFFFFFFF) | ((v >> 32) << (4 * kBits));
}

// As many codes as whole vectors hold, where 8 ÷ kBits codes make a byte; returns how many.
#if HWY_TARGET != HWY_SCALAR
template <int kBits, int kFlip>
HWY_INLINE size_t pack_vectors(const uint8_t* HWY_RESTRICT codes,
                               size_t count,
                               uint8_t* HWY_RESTRICT bytes) {
  constexpr int kToLowByte = kBits == 2 ? 12 : 4;
  using Lane = hwy::UnsignedFromSize<8 / kBits>;  // the codes of one byte
  const hn::ScalableTag<Lane> dlane;
  const hn::Repartition<uint8_t, decltype(dlane)> du8;
  const hn::Rebind<uint8_t, decltype(dlane)> dbyte;
  const size_t step = hn::Lanes(du8);
  const auto flip = hn::Set(du8, kFlip), mask = hn::Set(du8, (1 << kBits) - 1);
  size_t i = 0;
  for (; i + step <= count; i += step) {
    const auto v8 = hn::Xor(hn::And(hn::LoadU(du8, codes + i), mask), flip);
    uint8_t* at = bytes + i * kBits / 8;
    if constexpr (kBits == 8) {
      hn::StoreU(v8, du8, at);
    } else {
      auto v = hn::BitCast(dlane, v8);
      if constexpr (kBits == 2) {
        v = hn::Or(v, hn::ShiftRight<6>(v));
      }
      v = hn::Or(v, hn::ShiftRight<kToLowByte>(v));
      hn::StoreU(hn::TruncateTo(dbyte, v), dbyte, at);
    }
  }
  return i;
}
#endif

// One row: `count` codes to `size` bytes, those behind the last code zero.
template <int kBits, int kFlip>
HWY_INLINE void pack_row(const uint8_t* codes, size_t count, uint8_t* bytes, size_t size) {
  size_t i = 0;
#if HWY_TARGET != HWY_SCALAR
  if constexpr (8 % kBits == 0) {
    i = pack_vectors<kBits, kFlip>(codes, count, bytes);
  }
#endif
  for (; i + 8 <= count; i += 8) {
    uint64_t eight;
    std::memcpy(&eight, codes + i, 8);
    const uint64_t packed = pack_eight<kBits, kFlip>(eight);
    std::memcpy(bytes + i / 8 * kBits, &packed, kBits);
  }
  uint8_t* end = bytes + i / 8 * kBits;
  std::fill(end, bytes + size, uint8_t{0});
  if (const size_t rest = count - i; rest > 0) {
    uint64_t eight = 0;
    std::memcpy(&eight, codes + i, rest);
    const size_t bits = rest * kBits;
    const uint64_t packed = pack_eight<kBits, kFlip>(eight) & ((uint64_t{1} << bits) - 1);
    std::memcpy(end, &packed, (bits + 7) / 8);
  }
}

template <int kBits, int kFlip>
void pack_rows(const PackJob& job) {
  const size_t columns = job.columns, size = job.bytes_per_row;
  if (columns * kBits == size * 8) {  // no padding between the rows: one long row
    return pack_row<kBits, kFlip>(job.codes, job.rows * columns, job.bytes, job.rows * size);
  }
  for (size_t row = 0; row < job.rows; ++row) {
    pack_row<kBits, kFlip>(job.codes + row * columns, columns, job.bytes + row * size, size);
  }
}

void pack_integers(const PackJob& job, int bits) {
  switch (bits) {
    case 2:
      return pack_rows<2, 2>(job);
    case 3:
      return pack_rows<3, 4>(job);
    case 4:
      return pack_rows<4, 8>(job);
    case 5:
      return pack_rows<5, 16>(job);
    case 6:
      return pack_rows<6, 32>(job);
    case 7:
      return pack_rows<7, 64>(job);
    case 8:
      return pack_rows<8, 128>(job);
  }
}

void pack_fp4(const PackJob& job) {
  pack_rows<4, 0>(job);
}

}  // namespace oneshot::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <ATen/ATen.h>

namespace oneshot::kernels::cpu {
namespace {

HWY_EXPORT(pack_integers);
HWY_EXPORT(pack_fp4);

PackJob pack_job(const at::Tensor& codes, const at::Tensor& packed) {
  return {.codes = static_cast<const uint8_t*>(codes.const_data_ptr()),
          .bytes = static_cast<uint8_t*>(packed.mutable_data_ptr()),
          .rows = static_cast<size_t>(codes.size(0)),
          .columns = static_cast<size_t>(codes.size(1)),
          .bytes_per_row = static_cast<size_t>(packed.size(1) * packed.element_size())};
}

}  // namespace

at::Tensor pack_int(const at::Tensor& codes, int bits) {
  const int64_t words = (codes.size(1) * bits + 31) / 32;
  const at::Tensor packed = at::empty({codes.size(0), words}, codes.options().dtype(at::kInt));
  HWY_DYNAMIC_DISPATCH(pack_integers)(pack_job(codes, packed), bits);
  return packed;
}

at::Tensor pack_nibbles(const at::Tensor& codes) {
  const at::Tensor packed = at::empty({codes.size(0), codes.size(1) / 2}, codes.options());
  HWY_DYNAMIC_DISPATCH(pack_fp4)(pack_job(codes, packed));
  return packed;
}

}  // namespace oneshot::kernels::cpu
#endif  // HWY_ONCE
