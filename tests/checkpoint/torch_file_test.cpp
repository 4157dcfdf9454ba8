// Files of torch.save, read without torch. What is expected of the tensors stands in
// tests/data/checkpoint/torch/make_torch_files.py, by which torch wrote the files.
#include "engine/checkpoint/torch_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "engine/checkpoint/input_file.h"
#include "engine/checkpoint/source.h"
#include "tests/support/expect_error.h"
#include "tests/support/safetensors_file.h"
#include "tests/support/temporary_folder.h"

namespace oneshot {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

const fs::path kFolder = ONESHOT_TEST_DATA "/checkpoint/torch";

template <class Number>
std::string bytes_of(const std::vector<Number>& numbers) {
  std::string bytes(numbers.size() * sizeof(Number), '\0');
  std::memcpy(bytes.data(), numbers.data(), bytes.size());
  return bytes;
}

struct Expected {
  Dtype dtype;
  std::vector<int64_t> shape;
  std::string bytes;
};

std::map<std::string, Expected> expected_tensors() {
  const std::string tied =  // 0 … 5 in bfloat16
      bytes_of<uint16_t>({0x0000, 0x3F80, 0x4000, 0x4040, 0x4080, 0x40A0});
  std::vector<float> block(24);
  for (size_t i = 0; i < block.size(); ++i) {
    block[i] = static_cast<float>(i) / 8;
  }
  const std::vector<float> rows(block.begin() + 6, block.begin() + 18);
  const std::vector<float> row(block.begin() + 18, block.end());
  return {{"embed.weight", {Dtype::Bf16, {2, 3}, tied}},
          {"lm_head.weight", {Dtype::Bf16, {2, 3}, tied}},
          {"half", {Dtype::F16, {2}, bytes_of<uint16_t>({0x3E00, 0xC000})}},
          {"double", {Dtype::F64, {1, 1}, bytes_of<double>({0.1})}},
          {"position_ids", {Dtype::I64, {1, 5}, bytes_of<int64_t>({0, 1, 2, 3, 4})}},
          {"int", {Dtype::I32, {1}, bytes_of<int32_t>({-7})}},
          {"short", {Dtype::I16, {2}, bytes_of<int16_t>({300, -2})}},
          {"char", {Dtype::I8, {2}, bytes_of<int8_t>({-1, 2})}},
          {"byte", {Dtype::U8, {1}, "\xFF"}},
          {"bool", {Dtype::Bool, {3}, std::string("\1\0\1", 3)}},
          {"scalar", {Dtype::F32, {}, bytes_of<float>({2.5F})}},
          {"empty", {Dtype::F32, {0, 3}, ""}},
          {"rows", {Dtype::F32, {2, 6}, bytes_of(rows)}},
          {"row", {Dtype::F32, {6}, bytes_of(row)}}};
}

class TorchFile : public testing::Test {
 protected:
  /// A changed file of the folder, read. Returns the message of its Error, after the path.
  std::string refused(const std::string& bytes, ErrorCode code = ErrorCode::Checkpoint) {
    const fs::path file = folder_.path() / "w.bin";
    write_file(file, bytes);
    const std::string message = error_message(code, [&] { read_torch_header(InputFile(file)); });
    EXPECT_THAT(message, StartsWith(file.string() + ": "));
    return message.substr(std::min(message.size(), file.string().size() + 2));
  }
  std::string refused_file(const char* name, ErrorCode code = ErrorCode::Checkpoint) {
    return refused(read_file(kFolder / name), code);
  }

  TemporaryFolder folder_;
};

/// The bytes with every `from` replaced by `to` of the same length.
std::string replaced(std::string bytes, std::string_view from, std::string_view to) {
  EXPECT_EQ(from.size(), to.size());
  size_t at = bytes.find(from);
  EXPECT_NE(at, std::string::npos);
  for (; at != std::string::npos; at = bytes.find(from, at + to.size())) {
    bytes.replace(at, to.size(), to);
  }
  return bytes;
}

class EveryProtocol : public testing::TestWithParam<const char*> {};

TEST_P(EveryProtocol, TensorsAreThoseThatTorchSaved) {
  const InputFile file(kFolder / GetParam());
  const std::string bytes = read_file(kFolder / GetParam());
  const WeightHeader header = read_torch_header(file);
  const std::map<std::string, Expected> expected = expected_tensors();
  ASSERT_EQ(header.tensors.size(), expected.size());
  for (const TensorInfo& tensor : header.tensors) {
    SCOPED_TRACE(tensor.name);
    ASSERT_TRUE(expected.contains(tensor.name));
    const Expected& wanted = expected.at(tensor.name);
    EXPECT_EQ(tensor.dtype, wanted.dtype);
    EXPECT_EQ(tensor.shape, wanted.shape);
    EXPECT_EQ(bytes.substr(tensor.begin, tensor.bytes), wanted.bytes);
  }
}

INSTANTIATE_TEST_SUITE_P(Files,
                         EveryProtocol,
                         testing::Values("state_dict.bin", "protocol_4.bin"),
                         [](const auto& file) { return "File" + std::to_string(file.index); });

TEST_F(TorchFile, TiedTensorsLieInOnePlace) {
  const WeightHeader header = read_torch_header(InputFile(kFolder / "state_dict.bin"));
  std::map<std::string, uint64_t> begins;
  for (const TensorInfo& tensor : header.tensors) {
    begins[tensor.name] = tensor.begin;
  }
  EXPECT_EQ(begins.at("embed.weight"), begins.at("lm_head.weight"));
  EXPECT_EQ(begins.at("row"), begins.at("rows") + 48);  // one storage
}

TEST_F(TorchFile, HashIsOfThePickleAndTheDirectory) {
  const std::string bytes = read_file(kFolder / "state_dict.bin");
  const auto hash = [&](const std::string& changed) {
    write_file(folder_.path() / "w.bin", changed);
    return read_torch_header(InputFile(folder_.path() / "w.bin")).sha256;
  };
  EXPECT_EQ(hash(bytes).size(), 64u);
  EXPECT_NE(hash(replaced(bytes, "half", "hulf")), hash(bytes));  // a name in the pickle
  std::string other_checksum = bytes;
  other_checksum[bytes.find("PK\x01\x02") + 16] ^= 1;  // in the directory
  EXPECT_NE(hash(other_checksum), hash(bytes));
  std::string other_data = bytes;
  other_data[bytes.find(bytes_of<double>({0.1}))] ^= 1;
  EXPECT_EQ(hash(other_data), hash(bytes));
}

TEST_F(TorchFile, RefusesCallablesByName) {
  const std::string rest =
      ", which no plain state dict needs and loading with Python may run; where you trust the "
      "file, save its tensors as safetensors";
  EXPECT_EQ(refused_file("harm.bin"), "names 'posix.system'" + rest);
  EXPECT_EQ(refused_file("harm_4.bin"), "names 'posix.system'" + rest);
  EXPECT_EQ(refused_file("float8.bin"), "names 'torch._utils._rebuild_tensor_v3'" + rest);
}

TEST_F(TorchFile, RefusesWhatIsNoPlainStateDict) {
  EXPECT_EQ(refused_file("transposed.bin"),
            "tensor 't' is a view whose strides leave gaps; save it again with .contiguous()");
  EXPECT_EQ(refused_file("negated.bin"),
            "tensor 'w' is stored negated or conjugated; save it again with "
            ".resolve_neg().resolve_conj()");
  EXPECT_EQ(refused_file("training.bin"),
            "the entry 'model' is no tensor; save a state dict alone, without what trains a model");
  EXPECT_EQ(refused_file("list.bin"), "holds no state dict, a dict from names to tensors");
  EXPECT_EQ(refused_file("compressed.bin"),
            "its entry 'x/data.pkl' is compressed, torch.save stores plain bytes; save it again "
            "with torch");
}

TEST_F(TorchFile, SaysHowToConvertTheOldFormat) {
  EXPECT_EQ(refused_file("before_1_6.bin", ErrorCode::Unsupported),
            "written in the format before torch 1.6, which is not read; convert it: python -c "
            "\"import torch; f = 'w.bin'; torch.save(torch.load(f, weights_only=True), f)\"");
}

TEST_F(TorchFile, RefusesAnotherByteOrder) {
  const std::string bytes = read_file(kFolder / "state_dict.bin");
  EXPECT_EQ(refused(replaced(bytes, "little", "biggle")),
            "its byteorder is 'biggle', only little is read; save it again on a little-endian "
            "machine");
}

TEST_F(TorchFile, RefusesEveryTruncation) {
  const std::string bytes = read_file(kFolder / "state_dict.bin");
  for (size_t size = 0; size < bytes.size(); size += size < bytes.size() - 700 ? 61 : 1) {
    SCOPED_TRACE(size);
    EXPECT_THAT(refused(bytes.substr(0, size)), HasSubstr("; the file is damaged, get it again"));
  }
}

TEST_F(TorchFile, RefusesTensorsThatDoNotFitTheirStorage) {
  const std::string bytes = read_file(kFolder / "state_dict.bin");
  // (storage of 24 elements, first element 6, [2, 6]): more columns, a later first element, other
  // numbers of elements.
  const std::string rows = "K\x18tq";
  const size_t at = bytes.find(rows);
  ASSERT_NE(at, std::string::npos);
  std::string larger = bytes;
  larger[at + 1] = 25;
  EXPECT_EQ(refused(larger),
            "tensor 'rows', F32 [2,6] from element 6 of 25, does not fit its storage of 96 bytes; "
            "the file is damaged, get it again");
  const size_t first = bytes.find("K\x06K\x02K\x06\x86");
  ASSERT_NE(first, std::string::npos);
  std::string later = bytes;
  later[first + 1] = 13;
  EXPECT_THAT(refused(later), StartsWith("tensor 'rows', F32 [2,6] from element 13 of 24, does"));
  std::string longer = bytes;
  longer[first + 3] = 120;
  EXPECT_THAT(refused(longer), StartsWith("tensor 'rows', F32 [120,6] from element 6 of 24, does"));
}

TEST_F(TorchFile, RefusesSizesBeyondEveryFile) {
  // {'w': a tensor of 2^62 float32 elements}, assembled by hand.
  std::string pickle = std::string("\x80\x02}X\x01\0\0\0w", 9) +
                       "ctorch._utils\n_rebuild_tensor_v2\n((X" + std::string("\x07\0\0\0", 4) +
                       "storagectorch\nFloatStorage\nX" + std::string("\x01\0\0\0", 4) + "0X" +
                       std::string("\x03\0\0\0", 4) + "cpu\x8a\x08" +
                       std::string("\0\0\0\0\0\0\0\x40", 8) + "tQK" + std::string(1, '\0') +
                       "\x8a\x08" + std::string("\0\0\0\0\0\0\0\x40", 8) + "\x85K\x01\x85\x89}tRs.";
  const std::string stub = read_file(kFolder / "harm.bin");  // an archive "x" with data/0
  // The archive's first entry is replaced; sizes and offsets follow.
  const size_t old_bytes = stub.find("PK\x03\x04", 4) - 40;
  const size_t grown = pickle.size() - old_bytes;
  const auto put = [](std::string& bytes, size_t at, uint64_t number) {
    bytes.replace(at, 4, length_bytes(number).substr(0, 4));
  };
  std::string bytes = stub.substr(0, 40) + pickle + stub.substr(40 + old_bytes);
  const size_t directory = bytes.find("PK\x01\x02");
  put(bytes, directory + 20, pickle.size());
  put(bytes, directory + 24, pickle.size());
  const size_t second = bytes.find("PK\x01\x02", directory + 4);
  put(bytes, second + 42, 40 + pickle.size());
  put(bytes, bytes.find("PK\x05\x06") + 16, directory);
  EXPECT_GT(grown, 0u);
  EXPECT_EQ(refused(bytes),
            "tensor 'w', F32 [4611686018427387904] from element 0 of 4611686018427387904, does not "
            "fit its storage of 8 bytes; the file is damaged, get it again");
}

TEST_F(TorchFile, ContentsAreNotCheckedAgainstChecksums) {
  std::string bytes = read_file(kFolder / "state_dict.bin");
  bytes[bytes.find("PK\x01\x02") + 16] ^= 1;
  write_file(folder_.path() / "w.bin", bytes);
  EXPECT_EQ(read_torch_header(InputFile(folder_.path() / "w.bin")).tensors.size(), 14u);
}

class BinSource : public testing::Test {
 protected:
  std::vector<std::string> tensors() const {
    SourceCheckpoint source(folder_.path());
    std::vector<std::string> names;
    for (const SourceTensor& tensor : source.tensors()) {
      names.push_back(tensor.name + "@" + source.weight_files()[tensor.file].name);
    }
    return names;
  }
  void write(const std::string& name, std::string_view text) {
    write_file(folder_.path() / name, text);
  }

  TemporaryFolder folder_;
};

TEST_F(BinSource, IsReadWhereThereAreNoSafetensors) {
  write("config.json", "{}");
  write("pytorch_model.bin", read_file(kFolder / "state_dict.bin"));
  write("training_args.bin", "");
  write("optimizer.bin", "");
  EXPECT_EQ(tensors().size(), 14u);
  EXPECT_THAT(SourceCheckpoint(folder_.path()).left_out_files(),
              ElementsAre("optimizer.bin", "training_args.bin"));
  write("model.safetensors", weights_named({"x"}));
  EXPECT_THAT(tensors(), ElementsAre("x@model.safetensors"));
}

TEST_F(BinSource, TakesTheShardsOfItsIndex) {
  const SourceCheckpoint source(kFolder / "model");
  ASSERT_EQ(source.weight_files().size(), 2u);
  EXPECT_EQ(source.weight_files()[0].name, "pytorch_model-00001-of-00002.bin");
  EXPECT_EQ(source.tensors().size(), 13u);
  EXPECT_TRUE(source.copied_files().empty());
  EXPECT_TRUE(source.left_out_files().empty());
}

TEST_F(BinSource, AsksWhichFilesAreTheWeights) {
  write("config.json", "{}");
  for (int i = 1; i <= 6; ++i) {
    write("pytorch_model-" + std::to_string(i) + ".bin", "");
  }
  write("training_args.bin", "");
  expect_error(ErrorCode::Checkpoint,
               folder_.string() +
                   ": are pytorch_model-1.bin, pytorch_model-2.bin, pytorch_model-3.bin, "
                   "pytorch_model-4.bin, pytorch_model-5.bin and 1 more the weights? Add "
                   "pytorch_model.bin.index.json or name the file pytorch_model.bin",
               [&] { tensors(); });
}

}  // namespace
}  // namespace oneshot
