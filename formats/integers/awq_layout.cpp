#include "formats/integers/awq_layout.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>

#include "engine/error.h"
#include "engine/kernels/kernels.h"

namespace oneshot::integers {
namespace {

constexpr int kBits = 4;
constexpr int64_t kRowsPerWord = 8;
/// Which nibble of a word each of the eight rows gets.
constexpr std::array<int64_t, kRowsPerWord> kNibble{0, 4, 1, 5, 2, 6, 3, 7};
/// The inverse: which row is in each nibble.
constexpr std::array<int64_t, kRowsPerWord> kRowOfNibble{0, 2, 4, 6, 1, 3, 5, 7};

/// A tile of words: small enough for the first cache, and lines of the output are whole.
constexpr int64_t kTileWords = 16;
constexpr int64_t kTileColumns = 64;
using Tile = std::array<std::array<uint32_t, kTileColumns>, kTileWords>;

/// The words of eight rows, for `count` columns. Codes are −8 … 7; their top bit is flipped. Bytes
/// first, words then: both loops become vector instructions.
void pack_words(const uint8_t* codes, int64_t row_bytes, int64_t count, uint32_t* words) {
  constexpr int64_t kBytes = 4;
  std::array<std::array<uint8_t, kTileColumns>, kBytes> bytes;
  for (int64_t byte = 0; byte < kBytes; ++byte) {
    const uint8_t* low = codes + kRowOfNibble[2 * byte] * row_bytes;
    const uint8_t* high = codes + kRowOfNibble[2 * byte + 1] * row_bytes;
    for (int64_t k = 0; k < count; ++k) {
      bytes[byte][k] = static_cast<uint8_t>(((low[k] & 15U) | (high[k] << kBits)) ^ 0x88U);
    }
  }
  for (int64_t k = 0; k < count; ++k) {
    words[k] = bytes[0][k] | uint32_t{bytes[1][k]} << 8 | uint32_t{bytes[2][k]} << 16 |
               uint32_t{bytes[3][k]} << 24;
  }
}

/// int8 [rows, columns] → int32 [columns, rows / 8].
at::Tensor packed(const at::Tensor& codes) {
  const int64_t columns = codes.size(1);
  const int64_t words = codes.size(0) / kRowsPerWord;
  at::Tensor result = at::empty({columns, words}, at::kInt);
  const auto* from = static_cast<const uint8_t*>(codes.const_data_ptr());
  auto* to = static_cast<uint32_t*>(result.mutable_data_ptr());
  Tile tile;
  for (int64_t word = 0; word < words; word += kTileWords) {
    const int64_t wide = std::min(kTileWords, words - word);
    for (int64_t column = 0; column < columns; column += kTileColumns) {
      const int64_t high = std::min(kTileColumns, columns - column);
      for (int64_t w = 0; w < wide; ++w) {
        const uint8_t* first = from + (word + w) * kRowsPerWord * columns + column;
        pack_words(first, columns, high, tile[w].data());
      }
      for (int64_t k = 0; k < high; ++k) {
        uint32_t* line = to + (column + k) * words + word;
        for (int64_t w = 0; w < wide; ++w) {
          line[w] = tile[w][k];
        }
      }
    }
  }
  return result;
}

/// The inverse: int8 [rows, columns] of [columns, rows / 8].
at::Tensor unpacked(const at::Tensor& words) {
  const int64_t rows = words.size(1) * kRowsPerWord;
  const at::Tensor nibbles = kernels::unpack_int(words, kBits, rows);  // [columns, rows]
  const at::Tensor order = at::tensor(at::ArrayRef<int64_t>(kNibble.data(), kNibble.size()));
  return nibbles.view({words.size(0), words.size(1), kRowsPerWord})
      .index_select(2, order)
      .view({words.size(0), rows})
      .t()
      .contiguous();
}

}  // namespace

std::optional<std::string> awq_unsupported(const PlannedModule& module) {
  if (auto reason = unsupported_scheme(*module.scheme)) {
    return reason;
  }
  const QuantArgs& args = module.scheme->weights;
  if (args.bits != kBits) {
    return "this layout packs codes of 4 bits, not of " + std::to_string(args.bits) +
           "; compressed_tensors holds them";
  }
  if (args.strategy == Strategy::Group && module.columns % args.group_size != 0) {
    return "its " + std::to_string(module.columns) + " columns do not divide into groups of " +
           std::to_string(args.group_size) + "; choose a group_size that divides them";
  }
  if (module.rows % kRowsPerWord != 0) {
    return "its " + std::to_string(module.rows) +
           " rows are no multiple of 8; compressed_tensors holds them";
  }
  return std::nullopt;
}

std::vector<TensorSpec> awq_tensors(const PlannedModule& module) {
  const int64_t groups = scale_shape(module.scheme->weights, module.rows, module.columns)[1];
  const int64_t words = module.rows / kRowsPerWord;
  return {{module.name + ".qweight", Dtype::I32, {module.columns, words}},
          {module.name + ".qzeros", Dtype::I32, {groups, words}},
          {module.name + ".scales", Dtype::F16, {groups, module.rows}}};
}

void awq_encode(const PlannedModule& module,
                const QuantizedWeight& rows,
                int64_t first_row,
                OutputTensors& output) {
  const at::Tensor zero_point =
      rows.zero_point.defined() ? rows.zero_point : at::zeros(rows.scale.sizes(), at::kChar);
  const int64_t first_word = first_row / kRowsPerWord;
  output.put(module.name + ".qweight", packed(rows.codes), 0, first_word);
  output.put(module.name + ".qzeros", packed(zero_point), 0, first_word);
  output.put(module.name + ".scales", rows.scale.t().contiguous(), 0, first_row);
}

PlannedModule awq_module(const TensorSource& source,
                         const std::string& name,
                         const Scheme& scheme) {
  PlannedModule module = read_module(name, scheme);
  const TensorSpec codes = required_matrix(source, name + ".qweight", Dtype::I32);
  module.columns = codes.shape[0];
  module.rows = codes.shape[1] * kRowsPerWord;
  if (const auto reason = awq_unsupported(module)) {
    throw Error(ErrorCode::Checkpoint, codes.name + ": cannot be read: " + *reason);
  }
  check_tensors(source, awq_tensors(module));
  return module;
}

QuantizedWeight awq_decode(const TensorSource& source,
                           const std::string& name,
                           const Scheme& scheme) {
  awq_module(source, name, scheme);  // checks every tensor
  QuantizedWeight weight;
  weight.scheme = scheme;
  weight.codes = unpacked(source.read(name + ".qweight"));
  weight.scale = source.read(name + ".scales").t().contiguous();
  const at::Tensor zero_point = unpacked(source.read(name + ".qzeros"));
  if (!scheme.weights.symmetric) {
    weight.zero_point = zero_point;
  } else if (zero_point.any().item<bool>()) {
    throw Error(ErrorCode::Checkpoint,
                name + ".qzeros: the config says symmetric, but a zero point is not 8");
  }
  return weight;
}

}  // namespace oneshot::integers
