// Every way in which a safetensors file can be wrong, and what the user is told.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "engine/checkpoint/input_file.h"
#include "engine/checkpoint/safetensors.h"
#include "tests/support/expect_error.h"
#include "tests/support/safetensors_file.h"
#include "tests/support/temporary_folder.h"

namespace oneshot {
namespace {

constexpr const char* kHint = "; the file is damaged, get it again";

struct Damage {
  std::string json;
  uint64_t data_bytes;
  std::string message;  // between the file and the hint
};

void expect_damage(const Damage& damage) {
  SCOPED_TRACE(damage.json);
  expect_error(ErrorCode::Checkpoint, "m.safetensors: " + damage.message + kHint, [&] {
    parse_safetensors_header(
        damage.json, 8 + damage.json.size() + damage.data_bytes, "m.safetensors");
  });
}

/// {"a":{FIELDS}}
std::string tensor_a(const std::string& fields) {
  return "{\"a\":{" + fields + "}}";
}

/// {"a":{"dtype":DTYPE,"shape":SHAPE,"data_offsets":OFFSETS}}
std::string tensor_a(const std::string& dtype,
                     const std::string& shape,
                     const std::string& offsets) {
  return tensor_a(R"("dtype":)" + dtype + R"(,"shape":)" + shape + R"(,"data_offsets":)" + offsets);
}

/// Two U8 tensors, a and b.
std::string tensors_a_b(uint64_t a_begin, uint64_t a_end, uint64_t b_begin, uint64_t b_end) {
  auto entry = [](uint64_t begin, uint64_t end) {
    return R"({"dtype":"U8","shape":[)" + std::to_string(end - begin) + R"(],"data_offsets":[)" +
           std::to_string(begin) + "," + std::to_string(end) + "]}";
  };
  return "{\"a\":" + entry(a_begin, a_end) + ",\"b\":" + entry(b_begin, b_end) + "}";
}

TEST(DamagedHeader, IsNoJsonObject) {
  const std::vector<Damage> damages = {
      {"", 0, "the header is no JSON object"},
      {"[]", 0, "the header is no JSON object"},
      {" {}", 0, "the header is no JSON object"},
      {"\xEF\xBB\xBF{}", 0, "the header is no JSON object"},
      {"{", 0, "the header is not valid JSON in UTF-8 at its byte 2"},
      {"{\"a\":1,}", 0, "the entry 'a' is 1, expected an object"},
      {"{\"a\" 1}", 0, "the header is not valid JSON in UTF-8 at its byte 6"},
      {"{}x", 0, "the header is not valid JSON in UTF-8 at its byte 3"},
      {"{}{}", 0, "the header is not valid JSON in UTF-8 at its byte 3"},
      {std::string("{}\0x", 4), 0, "the header is not valid JSON in UTF-8 at its byte 3"},
      {"{\"\xC3\x28\":{}}", 0, "the header is not valid JSON in UTF-8 at its byte 4"},
      {"{\"\xED\xA0\x80\":{}}", 0, "the header is not valid JSON in UTF-8 at its byte 4"},
      {R"({"\ud800":{}})", 0, "the header is not valid JSON in UTF-8 at its byte 9"},
  };
  for (const Damage& damage : damages) {
    expect_damage(damage);
  }
}

TEST(DamagedHeader, HasNamesThatCannotBe) {
  std::string a = R"("a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]})";
  const std::vector<Damage> damages = {
      {"{" + a + "," + a + "}", 0, "the header holds 'a' twice"},
      {R"({"__metadata__":{},"__metadata__":{}})", 0, "the header holds '__metadata__' twice"},
      {R"({"":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})", 0, "a tensor has an empty name"},
      {"{\"" + std::string(300, 'n') + "\":1}",
       0,
       "the entry '" + std::string(200, 'n') + "…' is 1, expected an object"},
      {R"({"a\nb":1})", 0, "the entry 'a\\nb' is 1, expected an object"},
  };
  for (const Damage& damage : damages) {
    expect_damage(damage);
  }
}

TEST(DamagedHeader, HasMetadataThatAreNotStrings) {
  const std::vector<Damage> damages = {
      {R"({"__metadata__":"pt"})",
       0,
       "the entry '__metadata__' is the string 'pt', expected an object"},
      {R"({"__metadata__":{"format":1}})", 0, "'__metadata__': 'format' is 1, expected a string"},
      {R"({"__metadata__":{"format":null}})",
       0,
       "'__metadata__': 'format' is null, expected a string"},
      {R"({"__metadata__":{"format":{}}})",
       0,
       "'__metadata__': 'format' is an object, expected a string"},
      {R"({"__metadata__":{"format":[]}})",
       0,
       "'__metadata__': 'format' is a list, expected a string"},
      {R"({"__metadata__":{"k":"1","k":"2"}})", 0, "'__metadata__' holds 'k' twice"},
  };
  for (const Damage& damage : damages) {
    expect_damage(damage);
  }
}

TEST(DamagedHeader, HasFieldsThatAreMissingOrTooMany) {
  const std::vector<Damage> damages = {
      {R"({"a":[]})", 0, "the entry 'a' is a list, expected an object"},
      {R"({"a":null})", 0, "the entry 'a' is null, expected an object"},
      {tensor_a(""), 0, "tensor 'a' has no field 'dtype'"},
      {tensor_a(R"("dtype":"U8","data_offsets":[0,0])"), 0, "tensor 'a' has no field 'shape'"},
      {tensor_a(R"("dtype":"U8","shape":[0])"), 0, "tensor 'a' has no field 'data_offsets'"},
      {tensor_a(R"("dtype":"U8","strides":[1])"), 0, "tensor 'a' has the unknown field 'strides'"},
      {tensor_a(R"("dtype":"U8","dtype":"U8")"), 0, "tensor 'a' has the field 'dtype' twice"},
  };
  for (const Damage& damage : damages) {
    expect_damage(damage);
  }
}

TEST(DamagedHeader, HasFieldsOfTheWrongType) {
  const std::string shape = ", expected a list of sizes";
  const std::string offsets = ", expected a list of two byte offsets";
  const std::vector<Damage> damages = {
      {tensor_a("8", "[]", "[0,1]"), 0, "tensor 'a': 'dtype' holds 8, expected a string"},
      {tensor_a("[]", "[]", "[0,1]"), 0, "tensor 'a': 'dtype' holds a list, expected a string"},
      {tensor_a("\"F17\"", "[]", "[0,1]"), 1, "tensor 'a' has the unknown dtype 'F17'"},
      {tensor_a("\"U8\"", "3", "[0,3]"), 0, "tensor 'a': 'shape' holds 3" + shape},
      {tensor_a("\"U8\"", "{}", "[0,3]"), 0, "tensor 'a': 'shape' holds an object" + shape},
      {tensor_a("\"U8\"", "[[3]]", "[0,3]"), 0, "tensor 'a': 'shape' holds a list" + shape},
      {tensor_a("\"U8\"", "[\"3\"]", "[0,3]"),
       0,
       "tensor 'a': 'shape' holds the string '3'" + shape},
      {tensor_a("\"U8\"", "[true]", "[0,3]"), 0, "tensor 'a': 'shape' holds true" + shape},
      {tensor_a("\"U8\"", "[-3]", "[0,3]"), 0, "tensor 'a': 'shape' holds -3" + shape},
      {tensor_a("\"U8\"", "[3.0]", "[0,3]"), 0, "tensor 'a': 'shape' holds 3.0" + shape},
      {tensor_a("\"U8\"", "[1e0]", "[0,1]"), 0, "tensor 'a': 'shape' holds 1e0" + shape},
      {tensor_a("\"U8\"", "[9223372036854775808]", "[0,3]"),
       0,
       "tensor 'a': 'shape' holds 9223372036854775808" + shape},
      {tensor_a("\"U8\"", "[18446744073709551616]", "[0,3]"),
       0,
       "tensor 'a': 'shape' holds 18446744073709551616" + shape},
      {tensor_a("\"U8\"", "[3]", "3"), 0, "tensor 'a': 'data_offsets' holds 3" + offsets},
      {tensor_a("\"U8\"", "[3]", "[3]"), 0, "tensor 'a': 'data_offsets' holds 1 numbers" + offsets},
      {tensor_a("\"U8\"", "[3]", "[0,1,3]"),
       0,
       "tensor 'a': 'data_offsets' holds 3 numbers" + offsets},
      {tensor_a("\"U8\"", "[3]", "[-3,0]"), 0, "tensor 'a': 'data_offsets' holds -3" + offsets},
  };
  for (const Damage& damage : damages) {
    expect_damage(damage);
  }
}

TEST(DamagedHeader, HasSizesThatDoNotFit) {
  const std::vector<Damage> damages = {
      {tensor_a("\"F32\"", "[2,3]", "[0,20]"),
       20,
       "tensor 'a': F32 [2,3] takes 24 bytes, its data_offsets hold 20"},
      {tensor_a("\"F32\"", "[]", "[0,0]"),
       0,
       "tensor 'a': F32 [] takes 4 bytes, its data_offsets hold 0"},
      {tensor_a("\"U8\"", "[4294967296,4294967296]", "[0,0]"),
       0,
       "tensor 'a': U8 [4294967296,4294967296] is no whole number of bytes below 2^61"},
      {tensor_a("\"I64\"", "[2305843009213693952]", "[0,0]"),
       0,
       "tensor 'a': I64 [2305843009213693952] is no whole number of bytes below 2^61"},
      {tensor_a("\"F4\"", "[3]", "[0,2]"),
       2,
       "tensor 'a': F4 [3] is no whole number of bytes below 2^61"},
      {tensor_a("\"F6_E2M3\"", "[6]", "[0,5]"),
       5,
       "tensor 'a': F6_E2M3 [6] is no whole number of bytes below 2^61"},
      {tensor_a("\"U8\"", "[4]", "[8,4]"), 8, "tensor 'a' ends at byte 4, before its begin at 8"},
  };
  for (const Damage& damage : damages) {
    expect_damage(damage);
  }
}

TEST(DamagedHeader, HasDataThatIsShortLongOrShared) {
  const std::string exabyte = "1152921504606846976";
  const std::vector<Damage> damages = {
      {tensors_a_b(0, 8, 4, 12),
       12,
       "tensor 'b' begins at byte 4 of the data, tensor 'a' ends at 8"},
      {tensors_a_b(0, 8, 0, 8), 8, "tensor 'b' begins at byte 0 of the data, tensor 'a' ends at 8"},
      {tensors_a_b(0, 8, 2, 2), 8, "tensor 'b' begins at byte 2 of the data, tensor 'a' ends at 8"},
      {tensors_a_b(0, 8, 12, 16),
       16,
       "tensor 'b' begins at byte 12 of the data, tensor 'a' ends at 8"},
      {tensors_a_b(4, 8, 8, 16),
       16,
       "tensor 'a' begins at byte 4 of the data, the data begins at 0"},
      {tensors_a_b(0, 8, 8, 16),
       15,
       "the tensors take 16 bytes, the file holds 15 after its header"},
      {tensors_a_b(0, 8, 8, 16), 19, "3 bytes after the last tensor belong to none"},
      {"{}", 1, "1 bytes after the last tensor belong to none"},
      {tensor_a("\"U8\"", "[" + exabyte + "]", "[0," + exabyte + "]"),
       3,
       "the tensors take " + exabyte + " bytes, the file holds 3 after its header"},
  };
  for (const Damage& damage : damages) {
    expect_damage(damage);
  }
}

TEST(DamagedHeader, IsLongerThanTheFile) {
  expect_error(ErrorCode::Checkpoint,
               std::string("m.safetensors: the header takes 10 bytes, the file has 9") + kHint,
               [] { parse_safetensors_header("{}", 9, "m.safetensors"); });
}

TEST(DamagedFile, ClaimsAHeaderThatItDoesNotHave) {
  TemporaryFolder folder;
  std::filesystem::path file = folder.path() / "m.safetensors";
  const std::vector<std::pair<std::string, std::string>> damages = {
      {"", "0 bytes are no safetensors file"},
      {"1234567", "7 bytes are no safetensors file"},
      {length_bytes(3) + "{}", "the header claims 3 bytes, the file has 10"},
      {length_bytes(100'000'000) + "{}", "the header claims 100000000 bytes, the file has 10"},
      {length_bytes(100'000'001) + "{}",
       "the header claims 100000001 bytes, safetensors allows 100000000"},
      {length_bytes(~uint64_t{0}) + "{}",
       "the header claims 18446744073709551615 bytes, safetensors allows 100000000"},
      {safetensors_bytes("{}", "x"), "1 bytes after the last tensor belong to none"},
  };
  for (const auto& [bytes, message] : damages) {
    write_file(file, bytes);
    expect_error(ErrorCode::Checkpoint, file.string() + ": " + message + kHint, [&] {
      read_safetensors_header(InputFile(file));
    });
  }
}

}  // namespace
}  // namespace oneshot
