// Attention in tiles, on every instruction set that is here: how heads are laid out, to the bit,
// and the softmax and its way back against the formula in float32. tests/models has more shapes of
// it.
#include "engine/kernels/tile_attention.h"

#include <torch/csrc/autograd/autograd.h>

#include "engine/kernels/cpu/tile_layout.h"
#include "engine/kernels/cpu/tile_rows.h"
#include "tests/kernels/every_target.h"

namespace oneshot::kernels {
namespace {

at::Tensor random(at::IntArrayRef shape) {
  static const at::Generator generator = at::detail::createCPUGenerator(14);
  return at::randn(shape, generator, at::kFloat).to(at::kBFloat16);
}

/// Rows a, b as words that hold an element of a below and one of b above: [..., rows, columns] →
/// int32 [..., rows / 2, columns].
at::Tensor paired(const at::Tensor& rows) {
  const at::Tensor bits = rows.contiguous().view(at::kShort).to(at::kLong).bitwise_and(0xFFFF);
  const at::Tensor two = bits.unflatten(-2, {-1, 2});
  return two.select(-2, 0).add(two.select(-2, 1) * 65536).to(at::kInt);
}

TEST(TileLayout, OfHeadsThatLieApart) {
  const at::Tensor wide = random({2, 64, 3, 48});
  const at::Tensor heads = wide.narrow(3, 16, 32).transpose(1, 2);  // [2, 3, 64, 32]
  const at::Tensor flat = heads.flatten(0, 1);
  on_every_target([&](const KernelTable& /*cpu*/) {
    EXPECT_TRUE(cpu::row_pairs(heads).equal(paired(flat)));
    const at::Tensor rows = heads[1][2], columns = at::empty({32, 64}, at::kBFloat16);
    cpu::transpose_rows({.from = static_cast<const uint32_t*>(rows.const_data_ptr()),
                         .to = static_cast<uint32_t*>(columns.mutable_data_ptr()),
                         .rows = 64,
                         .columns = 32,
                         .stride = static_cast<size_t>(rows.stride(0))});
    EXPECT_TRUE(columns.equal(rows.t()));
    EXPECT_TRUE(cpu::transposed_pairs(heads).equal(paired(flat.transpose(1, 2))));
  });
}

TEST(TileAttention, OnEveryTarget) {
  const at::Tensor query = random({1, 4, 128, 32}) * 3, key = random({1, 2, 128, 32});
  const at::Tensor value = random({1, 2, 128, 32}), grad = random(query.sizes());
  if (!fits_tile_attention(query, key)) {
    GTEST_SKIP() << "the processor has no products of tiles of bfloat16";
  }
  std::vector<at::Tensor> leaves;
  for (const at::Tensor& input : {query, key, value}) {
    leaves.push_back(input.to(at::kFloat).requires_grad_());
  }
  const at::Tensor hidden = at::ones({128, 128}, at::kBool).triu(1);
  const at::Tensor scores =
      at::matmul(leaves[0], leaves[1].repeat_interleave(2, 1).transpose(2, 3)) / std::sqrt(32.0);
  const at::Tensor seen = scores.masked_fill(hidden, -INFINITY);
  const at::Tensor expected = at::matmul(at::softmax(seen, -1), leaves[2].repeat_interleave(2, 1));
  const auto wanted = torch::autograd::grad({expected}, leaves, {grad.to(at::kFloat)});
  const auto close = [](const at::Tensor& found, const at::Tensor& right, double tolerance) {
    const double largest = right.abs().max().item<double>();
    return (found.to(at::kFloat) - right).abs().max().item<double>() < tolerance * largest;
  };
  on_every_target([&](const KernelTable& /*cpu*/) {
    const at::Tensor log_sums = at::empty({1, 4, 128});
    EXPECT_TRUE(close(tile_attention(query, key, value, log_sums), expected, 0x1p-7));
    EXPECT_TRUE(close(log_sums, at::logsumexp(seen, -1), 1e-5));
    const AttentionGradients found = tile_attention_backward(grad, query, key, value, log_sums);
    EXPECT_TRUE(close(found.query, wanted[0], 0x1p-7));
    EXPECT_TRUE(close(found.key, wanted[1], 0x1p-7));
    EXPECT_TRUE(close(found.value, wanted[2], 0x1p-7));
  });
}

}  // namespace
}  // namespace oneshot::kernels
