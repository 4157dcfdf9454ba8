// What tile attention does around its products, compiled once per instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

namespace oneshot::kernels::cpu {

/// The scores of a block of queries, whose row r sees the first first + r + 1 of `columns` keys.
/// Rows of all that a block has are `stride` numbers apart. 64 rows.
struct TileRows {
  size_t rows, columns, stride, first;
  float scale;
};

/// probabilities = exp(scale · (score − largest)) in bfloat16, 0 for keys not seen; factors: 1 ÷
/// their sum; log_sums, or null: what tile_attention says.
void tile_softmax(const TileRows& tile,
                  const float* scores,
                  uint16_t* probabilities,
                  float* factors,
                  float* log_sums);

/// The way back. Pairs hold two rows in each word, the first in its low half, as products of tiles
/// read their right factor; grads: those of the probabilities, destroyed.
struct TileGradients {
  float *scores, *grads;
  const float* log_sums;
  uint32_t *probability_pairs, *score_pairs;  // [rows / 2, stride]
  uint16_t* score_grads;                      // [rows, stride]
};
void tile_softmax_back(const TileRows& tile, const TileGradients& given);

/// Rows of float32, each times its factor, as bfloat16 rows that are `stride` apart. factors: null:
/// as they are.
void narrow_rows(const float* from,
                 size_t rows,
                 size_t columns,
                 const float* factors,
                 size_t stride,
                 uint16_t* to);

/// What a layout for the products of tiles reads and writes.
struct LayoutJob {
  const uint32_t* from;  // rows of bfloat16, `stride` numbers apart, an even one
  uint32_t* to;
  size_t rows, columns, stride;
};

/// The rows transposed, as rows of bfloat16 [columns, rows]; a multiple of 32 rows.
void transpose_rows(const LayoutJob& job);

}  // namespace oneshot::kernels::cpu
