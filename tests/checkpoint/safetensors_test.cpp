// Headers that are right: read, written, and the same byte for byte.
#include "engine/checkpoint/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "engine/checkpoint/input_file.h"
#include "tests/support/safetensors_file.h"
#include "tests/support/temporary_folder.h"

namespace oneshot {
namespace {

using testing::ElementsAre;

struct Golden {
  const char* file;  // the first bytes of a checkpoint written by the reference tools
  uint64_t file_size;
  size_t tensors;
  const char* first;
};

class GoldenHeader : public testing::TestWithParam<Golden> {};

TEST_P(GoldenHeader, IsWrittenAsItWasRead) {
  std::string bytes = read_file(std::string(ONESHOT_TEST_DATA "/checkpoint/") + GetParam().file);
  ASSERT_GT(bytes.size(), 8u);
  SafetensorsHeader header =
      parse_safetensors_header(std::string_view(bytes).substr(8), GetParam().file_size, "golden");
  EXPECT_EQ(header.tensors.size(), GetParam().tensors);
  EXPECT_EQ(header.tensors.front().name, GetParam().first);
  EXPECT_EQ(header.data_begin, bytes.size());
  EXPECT_EQ(serialize_safetensors_header(header.tensors, header.metadata), bytes);
}

INSTANTIATE_TEST_SUITE_P(
    Files,
    GoldenHeader,
    testing::Values(
        Golden{"lc_w4a16.header", 1867576, 49, "model.layers.0.mlp.down_proj.weight_shape"},
        Golden{"lc_fp8_dynamic.header", 2638080, 35, "lm_head.weight"},
        Golden{"ar_rtn_w4g128_asym__auto_round.header",
               1873336,
               49,
               "model.layers.0.mlp.down_proj.qweight"}));

SafetensorsHeader parse(const std::string& json, uint64_t data_bytes) {
  return parse_safetensors_header(json, 8 + json.size() + data_bytes, "m.safetensors");
}

TEST(SafetensorsHeader, SortsTensorsByTheirPlace) {
  SafetensorsHeader header =
      parse(R"({"b":{"dtype":"BF16","shape":[2,1],"data_offsets":[4,8]},"__metadata__":{"k":"v"},)"
            R"("a":{"data_offsets":[0,4],"shape":[],"dtype":"F32"}}    )",
            8);
  ASSERT_EQ(header.tensors.size(), 2u);
  EXPECT_EQ(header.tensors[0].name, "a");
  EXPECT_EQ(header.tensors[0].dtype, Dtype::F32);
  EXPECT_TRUE(header.tensors[0].shape.empty());
  EXPECT_EQ(header.tensors[0].begin, 0u);
  EXPECT_EQ(header.tensors[0].bytes, 4u);
  EXPECT_EQ(header.tensors[1].name, "b");
  EXPECT_THAT(header.tensors[1].shape, ElementsAre(2, 1));
  EXPECT_EQ(header.tensors[1].begin, 4u);
  EXPECT_EQ(header.tensors[1].bytes, 4u);
  EXPECT_EQ(header.metadata.at("k"), "v");
}

TEST(SafetensorsHeader, TakesEmptyTensorsAnywhere) {
  SafetensorsHeader header = parse(R"({"d":{"dtype":"U8","shape":[0],"data_offsets":[2,2]},)"
                                   R"("b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
                                   R"("c":{"dtype":"I64","shape":[0,7],"data_offsets":[0,0]},)"
                                   R"("a":{"dtype":"F4","shape":[2,0],"data_offsets":[0,0]}})",
                                   2);
  std::string order;
  for (const TensorInfo& tensor : header.tensors) {
    order += tensor.name;
  }
  EXPECT_EQ(order, "acbd");
}

TEST(SafetensorsHeader, TakesNarrowDtypesInWholeBytes) {
  SafetensorsHeader header = parse(R"({"a":{"dtype":"F4","shape":[2,3],"data_offsets":[0,3]},)"
                                   R"("b":{"dtype":"F6_E3M2","shape":[4],"data_offsets":[3,6]}})",
                                   6);
  EXPECT_EQ(header.tensors[0].bytes, 3u);
  EXPECT_EQ(header.tensors[1].bytes, 3u);
}

TEST(SafetensorsHeader, TakesAnyUtf8Name) {
  SafetensorsHeader header =
      parse(R"({"Gewicht.ä \"q\" \u4f60\n":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})", 0);
  EXPECT_EQ(header.tensors[0].name, "Gewicht.ä \"q\" 你\n");
}

TEST(SafetensorsHeader, MayBeEmpty) {
  EXPECT_TRUE(parse("{}", 0).tensors.empty());
  EXPECT_EQ(serialize_safetensors_header({}, {}), length_bytes(8) + "{}      ");
  EXPECT_EQ(serialize_safetensors_header({}),
            length_bytes(32) + R"({"__metadata__":{"format":"pt"}})");
}

TEST(SafetensorsHeader, EscapesNamesAsTheLibraryDoes) {
  std::string written =
      serialize_safetensors_header({{"q\"\\/\b\f\n\r\t\x01\x7f é", Dtype::Bool, {1}, 0, 1}}, {});
  EXPECT_EQ(written.substr(8),
            "{\"q\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\x7f é\":"
            "{\"dtype\":\"BOOL\",\"shape\":[1],\"data_offsets\":[0,1]}}");
  EXPECT_EQ(written.size() % 8, 0u);
}

TEST(SafetensorsHeader, IsReadFromAFile) {
  TemporaryFolder folder;
  write_file(folder.path() / "m", weights_named({"x", "y"}));
  SafetensorsHeader header = read_safetensors_header(InputFile(folder.path() / "m"));
  ASSERT_EQ(header.tensors.size(), 2u);
  EXPECT_EQ(header.tensors[1].name, "y");
  EXPECT_EQ(header.data_begin + 4, std::filesystem::file_size(folder.path() / "m"));
}

TEST(TensorBytes, AreExactOrNothing) {
  EXPECT_EQ(tensor_bytes(Dtype::F32, {}), 4u);
  EXPECT_EQ(tensor_bytes(Dtype::Bf16, {3, 5}), 30u);
  EXPECT_EQ(tensor_bytes(Dtype::F4, {4}), 2u);
  EXPECT_EQ(tensor_bytes(Dtype::F4, {3}), std::nullopt);
  EXPECT_EQ(tensor_bytes(Dtype::U8, {-1}), std::nullopt);
  EXPECT_EQ(tensor_bytes(Dtype::U8, {int64_t{1} << 40, int64_t{1} << 40}), std::nullopt);
}

}  // namespace
}  // namespace oneshot
