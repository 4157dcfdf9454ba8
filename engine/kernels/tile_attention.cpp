#include "engine/kernels/tile_attention.h"

#include <ATen/ATen.h>
#include <ATen/native/CPUBlas.h>

#include <array>
#include <cmath>

#include "engine/kernels/cpu/tile_layout.h"
#include "engine/kernels/cpu/tile_rows.h"
#include "engine/kernels/processor.h"

namespace oneshot::kernels {
namespace {

namespace blas = at::native::cpublas;

// Queries at a time: their scores stay in the caches, and few of them are of keys that none of them
// may see.
constexpr int64_t kQueries = 64;
// Behind each row of scores: rows that are 4096 bytes apart would fall on each other in the cache.
constexpr int64_t kPadding = 16;

/// The lengths that everything here is made of.
struct Sizes {
  explicit Sizes(const at::Tensor& query, const at::Tensor& key)
      : batches(query.size(0)),
        heads(query.size(1)),
        shared(query.size(1) / key.size(1)),
        tokens(query.size(2)),
        head_dim(query.size(3)),
        stride(query.size(2) + kPadding),
        scale(static_cast<float>(1 / std::sqrt(static_cast<double>(query.size(3))))) {}

  /// What a block of queries from `begin` on sees.
  cpu::TileRows tile(int64_t begin) const {
    const auto first = static_cast<size_t>(begin);
    return {kQueries, first + kQueries, static_cast<size_t>(stride), first, scale};
  }

  int64_t batches, heads, shared, tokens, head_dim, stride;
  float scale;
};

c10::BFloat16* numbers(const at::Tensor& tensor) {
  return tensor.data_ptr<c10::BFloat16>();
}
uint16_t* bits(c10::BFloat16* p) {
  return reinterpret_cast<uint16_t*>(p);
}
uint32_t* words(const at::Tensor& tensor) {
  return reinterpret_cast<uint32_t*>(tensor.data_ptr<int32_t>());
}
const c10::BFloat16* factor_of(const at::Tensor& pairs, int64_t at) {
  return reinterpret_cast<const c10::BFloat16*>(pairs.data_ptr<int32_t>() + at);
}

// A product of a new shape costs its thread more time than a thousand of them take, so all are made
// of one: kQueries columns, or as many rows of the right factor, at a time.

/// left [rows, inner] times pairs of [inner, columns] → result, or added to it. strides: of the
/// rows of left, right and result; those of pairs in words.
void multiply_columns(std::array<int64_t, 3> rows_inner_columns,
                      std::array<int64_t, 3> strides,
                      bool is_added,
                      const c10::BFloat16* left,
                      const c10::BFloat16* right,
                      float* result) {
  const auto [rows, inner, columns] = rows_inner_columns;
  for (int64_t i = 0; i < columns; i += kQueries) {
    blas::brgemm(rows,
                 kQueries,
                 inner,
                 strides[0],
                 strides[1],
                 strides[2],
                 is_added,
                 left,
                 right + 2 * i,
                 result + i);
  }
}

/// left [kQueries, inner] times pairs of [inner, columns] → result [kQueries, columns].
void multiply_rows(int64_t inner,
                   int64_t columns,
                   int64_t left_stride,
                   const c10::BFloat16* left,
                   const c10::BFloat16* right,
                   float* result) {
  for (int64_t i = 0; i < inner; i += kQueries) {
    blas::brgemm(kQueries,
                 columns,
                 kQueries,
                 left_stride,
                 columns,
                 columns,
                 i > 0,
                 left + i,
                 right + i * columns,
                 result);
  }
}

/// Calls work(head, key/value head, first query), heads numbered through all of the batch. A key
/// head's first block is one that sees all keys.
template <class Work>
void for_each_block(const Sizes& sizes, const Work& work) {
  for (int64_t head = 0; head < sizes.batches * sizes.heads; ++head) {
    for (int64_t begin = sizes.tokens - kQueries; begin >= 0; begin -= kQueries) {
      work(head, head / sizes.shared, begin);
    }
  }
  blas::brgemm_release();
}

/// Where a token of a head lies in [B, T, heads, head_dim].
int64_t token_place(const Sizes& sizes, int64_t head, int64_t token) {
  const int64_t batch = head / sizes.heads;
  return ((batch * sizes.tokens + token) * sizes.heads + head % sizes.heads) * sizes.head_dim;
}

/// The products of the way back, a block at a time.
class WayBack {
 public:
  WayBack(const at::Tensor& grad,
          const at::Tensor& query,
          const at::Tensor& key,
          const at::Tensor& value,
          const at::Tensor& log_sums)
      : sizes_(query, key),
        grad_(grad.transpose(1, 2).contiguous()),
        query_(query),
        log_sums_(log_sums),
        key_columns_(cpu::transposed_pairs(key)),
        value_columns_(cpu::transposed_pairs(value)),
        key_pairs_(cpu::row_pairs(key)),
        to_query_(at::empty_like(query)),
        to_key_(at::empty({key.size(0), key.size(1), key.size(3), key.size(2)}, at::kFloat)),
        to_value_(at::empty_like(to_key_)),
        scores_(at::empty({2, kQueries, sizes_.stride}, at::kFloat)),
        pairs_(at::empty({2, kQueries / 2, sizes_.stride}, at::kInt)),
        score_grads_(at::empty({kQueries, sizes_.stride}, at::kBFloat16)),
        rows_(at::empty({kQueries, sizes_.head_dim}, at::kFloat)),
        columns_(at::empty({sizes_.head_dim, kQueries}, at::kBFloat16)) {}

  AttentionGradients run() {
    for_each_block(sizes_, [&](int64_t head, int64_t key_head, int64_t begin) {
      softmax(head, key_head, begin);
      products(head, key_head, begin);
    });
    return {to_query_,
            to_key_.to(at::kBFloat16).transpose(2, 3),
            to_value_.to(at::kBFloat16).transpose(2, 3)};
  }

 private:
  /// The probabilities, and the gradients of the scores.
  void softmax(int64_t head, int64_t key_head, int64_t begin) {
    const int64_t seen = begin + kQueries, columns = key_head * sizes_.head_dim / 2 * sizes_.tokens;
    float* scores = scores_.mutable_data_ptr<float>();
    float* grads = scores + kQueries * sizes_.stride;
    multiply_columns({kQueries, sizes_.head_dim, seen},
                     {sizes_.head_dim, sizes_.tokens, sizes_.stride},
                     false,
                     query_rows(head, begin),
                     factor_of(key_columns_, columns),
                     scores);
    multiply_columns({kQueries, sizes_.head_dim, seen},
                     {sizes_.heads * sizes_.head_dim, sizes_.tokens, sizes_.stride},
                     false,
                     grad_rows(head, begin),
                     factor_of(value_columns_, columns),
                     grads);
    cpu::tile_softmax_back(
        sizes_.tile(begin),
        {.scores = scores,
         .grads = grads,
         .log_sums = log_sums_.const_data_ptr<float>() + head * sizes_.tokens + begin,
         .probability_pairs = words(pairs_),
         .score_pairs = words(pairs_) + kQueries / 2 * sizes_.stride,
         .score_grads = bits(numbers(score_grads_))});
  }

  /// What they give for query, key and value.
  void products(int64_t head, int64_t key_head, int64_t begin) {
    const int64_t seen = begin + kQueries, head_dim = sizes_.head_dim;
    multiply_rows(seen,
                  head_dim,
                  sizes_.stride,
                  numbers(score_grads_),
                  factor_of(key_pairs_, key_head * sizes_.tokens / 2 * head_dim),
                  rows_.mutable_data_ptr<float>());
    cpu::narrow_rows(rows_.const_data_ptr<float>(),
                     kQueries,
                     static_cast<size_t>(head_dim),
                     nullptr,
                     static_cast<size_t>(head_dim),
                     bits(numbers(to_query_)) + (head * sizes_.tokens + begin) * head_dim);
    const bool is_first = head % sizes_.shared == 0 && seen == sizes_.tokens;
    const int64_t place = key_head * head_dim * sizes_.tokens;
    transpose(grad_rows(head, begin), sizes_.heads * head_dim);
    add(0, seen, !is_first, to_value_.mutable_data_ptr<float>() + place);
    transpose(query_rows(head, begin), head_dim);
    add(1, seen, !is_first, to_key_.mutable_data_ptr<float>() + place);
  }

  c10::BFloat16* query_rows(int64_t head, int64_t begin) const {
    return numbers(query_) + (head * sizes_.tokens + begin) * sizes_.head_dim;
  }
  c10::BFloat16* grad_rows(int64_t head, int64_t begin) const {
    return numbers(grad_) + token_place(sizes_, head, begin);
  }

  /// The rows of a block as columns_.
  void transpose(const c10::BFloat16* rows, int64_t stride) {
    cpu::transpose_rows({.from = reinterpret_cast<const uint32_t*>(rows),
                         .to = reinterpret_cast<uint32_t*>(numbers(columns_)),
                         .rows = static_cast<size_t>(kQueries),
                         .columns = static_cast<size_t>(sizes_.head_dim),
                         .stride = static_cast<size_t>(stride)});
  }

  /// columns_ times the pairs of that number [a block, seen], as sums [head_dim, T] or added to
  /// them.
  void add(int64_t number, int64_t seen, bool is_added, float* sums) {
    multiply_columns({sizes_.head_dim, kQueries, seen},
                     {kQueries, sizes_.stride, sizes_.tokens},
                     is_added,
                     numbers(columns_),
                     factor_of(pairs_, number * kQueries / 2 * sizes_.stride),
                     sums);
  }

  Sizes sizes_;
  at::Tensor grad_, query_, log_sums_;
  at::Tensor key_columns_, value_columns_, key_pairs_;
  at::Tensor to_query_, to_key_, to_value_;
  at::Tensor scores_, pairs_, score_grads_, rows_, columns_;  // of one block
};

}  // namespace

bool fits_tile_attention(const at::Tensor& query, const at::Tensor& key) {
  return query.is_cpu() && query.scalar_type() == at::kBFloat16 && query.size(2) == key.size(2) &&
         query.size(2) % kQueries == 0 && query.size(3) % 16 == 0 && has_bfloat16_products() &&
         blas::could_pack(at::kBFloat16);
}

at::Tensor tile_attention(const at::Tensor& query,
                          const at::Tensor& key,
                          const at::Tensor& value,
                          const at::Tensor& log_sums) {
  const Sizes sizes(query, key);
  const at::Tensor queries = query.contiguous();
  const at::Tensor key_columns = cpu::transposed_pairs(key), value_pairs = cpu::row_pairs(value);
  at::Tensor result =
      at::empty({sizes.batches, sizes.tokens, sizes.heads, sizes.head_dim}, query.options());
  const at::Tensor scores = at::empty({kQueries, sizes.stride}, at::kFloat);
  const at::Tensor probabilities = at::empty({kQueries, sizes.stride}, at::kBFloat16);
  const at::Tensor rows = at::empty({kQueries, sizes.head_dim}, at::kFloat);
  std::array<float, kQueries> factors{};
  float* sums = log_sums.defined() ? log_sums.mutable_data_ptr<float>() : nullptr;
  for_each_block(sizes, [&](int64_t head, int64_t key_head, int64_t begin) {
    multiply_columns({kQueries, sizes.head_dim, begin + kQueries},
                     {sizes.head_dim, sizes.tokens, sizes.stride},
                     false,
                     numbers(queries) + (head * sizes.tokens + begin) * sizes.head_dim,
                     factor_of(key_columns, key_head * sizes.head_dim / 2 * sizes.tokens),
                     scores.mutable_data_ptr<float>());
    cpu::tile_softmax(sizes.tile(begin),
                      scores.const_data_ptr<float>(),
                      bits(numbers(probabilities)),
                      factors.data(),
                      sums != nullptr ? sums + head * sizes.tokens + begin : nullptr);
    multiply_rows(begin + kQueries,
                  sizes.head_dim,
                  sizes.stride,
                  numbers(probabilities),
                  factor_of(value_pairs, key_head * sizes.tokens / 2 * sizes.head_dim),
                  rows.mutable_data_ptr<float>());
    cpu::narrow_rows(rows.const_data_ptr<float>(),
                     kQueries,
                     static_cast<size_t>(sizes.head_dim),
                     factors.data(),
                     static_cast<size_t>(sizes.heads * sizes.head_dim),
                     bits(numbers(result)) + token_place(sizes, head, begin));
  });
  return result.transpose(1, 2);
}

AttentionGradients tile_attention_backward(const at::Tensor& grad,
                                           const at::Tensor& query,
                                           const at::Tensor& key,
                                           const at::Tensor& value,
                                           const at::Tensor& log_sums) {
  return WayBack(grad, query.contiguous(), key, value, log_sums).run();
}

}  // namespace oneshot::kernels
