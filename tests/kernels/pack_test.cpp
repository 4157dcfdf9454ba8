// Packing against the reference on every instruction set: every code in every width, rows that end
// anywhere in a word, and the way back.
#include "tests/kernels/every_target.h"

namespace oneshot::kernels {
namespace {

at::Tensor some_codes(int bits, at::IntArrayRef sizes) {
  return at::randint(-(1 << (bits - 1)), 1 << (bits - 1), sizes, at::kChar);
}

void expect_parity(const at::Tensor& codes, int bits) {
  if (testing::Test::HasFailure()) {
    return;  // the others would only say the same
  }
  SCOPED_TRACE(c10::str(codes.sizes(), " of ", bits, " bits"));
  const at::Tensor want = reference_kernels().pack_int(codes, bits);
  on_every_target(
      [&](const KernelTable& cpu) { EXPECT_TRUE(same_bits(cpu.pack_int(codes, bits), want)); });
}

TEST(Pack, EveryCodeInEveryWidth) {
  for (int bits = 2; bits <= 8; ++bits) {
    const at::Tensor own = at::arange(-(1 << (bits - 1)), 1 << (bits - 1)).to(at::kChar);
    const at::Tensor codes = own.repeat({3, 40});  // [3, 40 · 2^bits]
    expect_parity(codes, bits);
    EXPECT_TRUE(same_bits(unpack_int(pack_int(codes, bits), bits, codes.size(1)), codes)) << bits;
    // Of a code that is too large for the width, the low bits count.
    expect_parity(at::arange(-128, 128).to(at::kChar).repeat({2, 3}), bits);
  }
}

TEST(Pack, RowsOfAnyLength) {
  for (int bits = 2; bits <= 8; ++bits) {
    for (int64_t columns = 1; columns <= 200; ++columns) {
      const at::Tensor codes = some_codes(bits, {3, columns});
      expect_parity(codes, bits);
      EXPECT_TRUE(same_bits(unpack_int(pack_int(codes, bits), bits, columns), codes)) << bits;
    }
    expect_parity(at::empty({0, 5}, at::kChar), bits);
  }
}

// More codes than are unpacked at a time, in many rows and in one.
TEST(Pack, UnpacksPieceByPiece) {
  for (int bits = 2; bits <= 8; ++bits) {
    for (const int64_t columns : {515, 70'000}) {
      const at::Tensor codes = some_codes(bits, {columns == 515 ? 300 : 2, columns});
      EXPECT_TRUE(same_bits(unpack_int(pack_int(codes, bits), bits, columns), codes)) << bits;
    }
  }
}

// The memory that the words are given is not empty: what a shorter row leaves must be zeroed.
TEST(Pack, ZeroesBehindTheLastCode) {
  for (int bits = 2; bits <= 8; ++bits) {
    for (int64_t columns = 1; columns <= 40; ++columns) {
      SCOPED_TRACE(c10::str(bits, " bits, ", columns, " columns"));
      const at::Tensor codes = at::full({5, columns}, -(1 << (bits - 1)), at::kChar);
      on_every_target([&](const KernelTable& cpu) {
        at::full({5, (columns * bits + 31) / 32}, -1, at::kInt);  // freed, and given again
        EXPECT_TRUE(cpu.pack_int(codes, bits).eq(0).all().item<bool>());
      });
    }
  }
}

TEST(Pack, Nibbles) {
  std::vector<at::Tensor> inputs = {
      at::arange(256).to(at::kByte).repeat({2, 1}),
      at::cartesian_prod({at::arange(16), at::arange(16)}).to(at::kByte),
      at::empty({0, 4}, at::kByte),
  };
  for (int64_t columns = 2; columns <= 200; columns += 2) {
    inputs.push_back(at::randint(0, 16, {3, columns}, at::kByte));
    EXPECT_TRUE(same_bits(unpack_nibbles(pack_nibbles(inputs.back())), inputs.back()));
  }
  for (const at::Tensor& codes : inputs) {
    SCOPED_TRACE(c10::str(codes.sizes()));
    const at::Tensor want = reference_kernels().pack_nibbles(codes);
    on_every_target(
        [&](const KernelTable& cpu) { EXPECT_TRUE(same_bits(cpu.pack_nibbles(codes), want)); });
  }
}

}  // namespace
}  // namespace oneshot::kernels
