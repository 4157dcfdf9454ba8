#include "engine/checkpoint/output_bands.h"

#include <gtest/gtest.h>

#include <cstring>
#include <thread>
#include <vector>

#include "tests/support/temporary_folder.h"

namespace oneshot {
namespace {

constexpr int64_t kRows = 5;
constexpr int64_t kColumns = 101;

/// Element [row, column] is row · 1000 + column.
std::vector<int32_t> columns_of(int64_t first, int64_t count) {
  std::vector<int32_t> piece;
  for (int64_t row = 0; row < kRows; ++row) {
    for (int64_t column = first; column < first + count; ++column) {
      piece.push_back(static_cast<int32_t>(row * 1000 + column));
    }
  }
  return piece;
}

void put(OutputBands& bands, const OutputTensor& tensor, int64_t first, int64_t count) {
  const std::vector<int32_t> piece = columns_of(first, count);
  bands.put(tensor, first, count, std::as_bytes(std::span(piece)));
}

class OutputBandsTest : public testing::TestWithParam<uint64_t> {};

TEST_P(OutputBandsTest, PiecesOfAnyWidthInAnyOrderBecomeTheTensor) {
  const TemporaryFolder folder;
  const OutputLayout layout({{"before", Dtype::U8, {3}}, {"t", Dtype::I32, {kRows, kColumns}}},
                            1'000'000);
  const OutputTensor& tensor = *layout.find("t");
  ShardWriter writer(folder.path(), layout);
  OutputBands bands(writer, GetParam());
  EXPECT_TRUE(bands.is_empty());
  std::thread other([&] {
    put(bands, tensor, 90, 11);
    put(bands, tensor, 40, 1);
  });
  put(bands, tensor, 41, 49);
  put(bands, tensor, 17, 23);
  other.join();
  EXPECT_EQ(bands.is_empty(), GetParam() == 1);  // bands of one column wait for nothing
  put(bands, tensor, 0, 17);
  EXPECT_TRUE(bands.is_empty());
  writer.finish();
  const std::string file = read_file(folder.path() / layout.shards()[0].file);
  const std::vector<int32_t> expected = columns_of(0, kColumns);
  EXPECT_EQ(std::memcmp(file.data() + tensor.offset, expected.data(), tensor.spec.bytes()), 0);
}

// Smaller than a column, some columns, just less than all of them, everything.
INSTANTIATE_TEST_SUITE_P(BandBytes,
                         OutputBandsTest,
                         testing::Values(1, 7 * kRows * 4, 100 * kRows * 4, 1 << 20));

}  // namespace
}  // namespace oneshot
