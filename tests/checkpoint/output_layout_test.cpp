#include "engine/checkpoint/output_layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "engine/checkpoint/safetensors.h"
#include "tests/support/expect_error.h"
#include "tests/support/temporary_folder.h"

namespace oneshot {
namespace {

using testing::ElementsAre;

TensorSpec bytes_named(const std::string& name, int64_t bytes) {
  return {name, Dtype::U8, {bytes}};
}

/// The shard of each tensor, in the order given.
std::vector<size_t> shards_of(const std::vector<int64_t>& sizes, uint64_t shard_size) {
  std::vector<TensorSpec> specs;
  for (size_t i = 0; i < sizes.size(); ++i) {
    specs.push_back(bytes_named("t" + std::to_string(i), sizes[i]));
  }
  OutputLayout layout(specs, shard_size);
  std::vector<size_t> shards;
  for (const OutputTensor& tensor : layout.tensors()) {
    shards.push_back(tensor.shard);
  }
  return shards;
}

TEST(OutputLayout, OrdersAFileByDtypeThenName) {
  OutputLayout layout({{"b", Dtype::Bf16, {2}},
                       {"é", Dtype::I64, {1}},
                       {"z", Dtype::U8, {3}},
                       {"a.b", Dtype::Bf16, {1, 2}},
                       {"a", Dtype::F32, {}},
                       {"Z", Dtype::Bf16, {0}}},
                      1000);
  ASSERT_EQ(layout.shards().size(), 1u);
  EXPECT_EQ(layout.shards()[0].file, "model.safetensors");
  const std::string& header = layout.shards()[0].header;
  EXPECT_EQ(header.substr(8, header.find_last_not_of(' ') - 7),
            R"({"__metadata__":{"format":"pt"},)"
            R"("é":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},)"
            R"("a":{"dtype":"F32","shape":[],"data_offsets":[8,12]},)"
            R"("Z":{"dtype":"BF16","shape":[0],"data_offsets":[12,12]},)"
            R"("a.b":{"dtype":"BF16","shape":[1,2],"data_offsets":[12,16]},)"
            R"("b":{"dtype":"BF16","shape":[2],"data_offsets":[16,20]},)"
            R"("z":{"dtype":"U8","shape":[3],"data_offsets":[20,23]}})");
  EXPECT_EQ(layout.shards()[0].bytes, header.size() + 23);
  EXPECT_EQ(layout.total_bytes(), header.size() + 23);
  EXPECT_EQ(layout.index_json(), std::nullopt);
  EXPECT_EQ(layout.tensors()[0].spec.name, "b");
  EXPECT_EQ(layout.tensors()[0].offset, header.size() + 16);
  EXPECT_EQ(layout.find("z"), &layout.tensors()[2]);
  EXPECT_EQ(layout.find("y"), nullptr);
}

TEST(OutputLayout, WritesTheHeaderOfAReferenceCheckpoint) {
  std::string golden = read_file(ONESHOT_TEST_DATA "/checkpoint/lc_w4a16.header");
  ASSERT_GT(golden.size(), 8u);
  SafetensorsHeader header =
      parse_safetensors_header(std::string_view(golden).substr(8), 1'867'576, "golden");
  std::vector<TensorSpec> specs;
  for (const TensorInfo& tensor : header.tensors) {
    specs.push_back({tensor.name, tensor.dtype, tensor.shape});
  }
  std::sort(
      specs.begin(), specs.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  OutputLayout layout(specs, 5'000'000'000);
  EXPECT_EQ(layout.shards()[0].header, golden);
  EXPECT_EQ(layout.total_bytes(), 1'867'576u);
}

TEST(OutputLayout, FillsFilesInTheGivenOrder) {
  EXPECT_THAT(shards_of({4, 4, 2, 10, 1}, 10), ElementsAre(0, 0, 0, 1, 2));
  EXPECT_THAT(shards_of({4, 7, 3, 1}, 10), ElementsAre(0, 1, 1, 2));
  EXPECT_THAT(shards_of({0, 0}, 10), ElementsAre(0, 0));
}

// A tensor above the limit is numbered before the file that is being filled, which goes on after
// it: what huggingface_hub's split_state_dict_into_shards_factory does.
TEST(OutputLayout, GivesALargeTensorItsOwnFile) {
  EXPECT_THAT(shards_of({4, 11, 6, 1, 12}, 10), ElementsAre(1, 0, 1, 3, 2));
  EXPECT_THAT(shards_of({11}, 10), ElementsAre(0));
}

TEST(OutputLayout, WritesAnIndexOfSeveralFiles) {
  OutputLayout layout({bytes_named("b", 6), bytes_named("ä\"", 6), bytes_named("a", 4)}, 10);
  ASSERT_EQ(layout.shards().size(), 2u);
  EXPECT_EQ(layout.shards()[0].file, "model-00001-of-00002.safetensors");
  EXPECT_EQ(layout.shards()[1].file, "model-00002-of-00002.safetensors");
  EXPECT_EQ(layout.total_bytes(), layout.shards()[0].bytes + layout.shards()[1].bytes);
  EXPECT_EQ(layout.index_json(), R"({
  "metadata": {
    "total_size": 16
  },
  "weight_map": {
    "a": "model-00002-of-00002.safetensors",
    "b": "model-00001-of-00002.safetensors",
    "\u00e4\"": "model-00002-of-00002.safetensors"
  }
}
)");
}

TEST(OutputLayout, IsReadBackFromItsHeaders) {
  OutputLayout layout({bytes_named("b", 6), {"c", Dtype::F4, {3, 4}}, bytes_named("a", 9)}, 12);
  std::vector<std::string> planned;
  for (const OutputTensor& tensor : layout.tensors()) {
    planned.push_back(tensor.spec.name + "@" + layout.shards()[tensor.shard].file + ":" +
                      std::to_string(tensor.offset) + "+" + std::to_string(tensor.spec.bytes()));
  }
  std::vector<std::string> read;
  for (const OutputShard& file : layout.shards()) {
    SafetensorsHeader header =
        parse_safetensors_header(std::string_view(file.header).substr(8), file.bytes, file.file);
    for (const TensorInfo& tensor : header.tensors) {
      read.push_back(tensor.name + "@" + file.file + ":" +
                     std::to_string(header.data_begin + tensor.begin) + "+" +
                     std::to_string(tensor.bytes));
    }
  }
  EXPECT_THAT(read, testing::UnorderedElementsAreArray(planned));
}

TEST(OutputLayout, MayBeEmpty) {
  OutputLayout layout({}, 10);
  ASSERT_EQ(layout.shards().size(), 1u);
  EXPECT_EQ(layout.total_bytes(), 40u);
  EXPECT_EQ(layout.index_json(), std::nullopt);
}

TEST(OutputLayout, RefusesTensorsThatCannotBe) {
  auto lay_out = [](const std::vector<TensorSpec>& specs) {
    return [specs] { OutputLayout layout(specs, 10); };
  };
  expect_error(ErrorCode::Failed,
               "output tensor 'a': given twice",
               lay_out({bytes_named("a", 1), bytes_named("a", 1)}));
  expect_error(
      ErrorCode::Failed, "output tensor '': not a valid name", lay_out({bytes_named("", 1)}));
  expect_error(ErrorCode::Failed,
               "output tensor '__metadata__': not a valid name",
               lay_out({bytes_named("__metadata__", 1)}));
  expect_error(ErrorCode::Failed,
               "output tensor '\xEF\xBF\xBD': not a valid name",
               lay_out({bytes_named("\xFF", 1)}));
  expect_error(ErrorCode::Failed,
               "output tensor 'a': F4 [3] is no whole number of bytes below 2^61",
               lay_out({{"a", Dtype::F4, {3}}}));
  expect_error(ErrorCode::Failed,
               "output tensor 'a': U8 [-1] is no whole number of bytes below 2^61",
               lay_out({bytes_named("a", -1)}));
}

}  // namespace
}  // namespace oneshot
