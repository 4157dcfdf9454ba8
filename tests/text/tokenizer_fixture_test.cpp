// Ids and decoded text are those of the library `tokenizers`: tests/data/text/tokenizer/make.py.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "engine/text/tokenizer.h"
#include "tests/support/temporary_folder.h"

namespace oneshot {
namespace {

using Json = nlohmann::json;

const std::string kFolder = ONESHOT_TEST_DATA "/text/tokenizer/";

Tokenizer tokenizer_named(const std::string& name) {
  if (name == "tiny-llama") {
    return Tokenizer::from_folder(ONESHOT_TEST_DATA "/../../examples/models/tiny-llama");
  }
  return Tokenizer::from_json(Json::parse(read_file(kFolder + name + ".json")), name + ".json");
}

std::vector<Json> lines_of(const std::string& file) {
  std::istringstream stream(read_file(kFolder + file));
  std::vector<Json> lines;
  for (std::string line; std::getline(stream, line);) {
    lines.push_back(Json::parse(line));
  }
  return lines;
}

struct Answer {
  std::vector<int32_t> ids, ids_with_special;
  std::string text, text_without_special;
};

Answer answer(const Tokenizer& tokenizer, const std::string& text) {
  Answer found;
  found.ids = tokenizer.encode(text, false);
  found.ids_with_special = tokenizer.encode(text, true);
  found.text = tokenizer.decode(found.ids_with_special, false);
  found.text_without_special = tokenizer.decode(found.ids_with_special, true);
  return found;
}

class Fnv {
 public:
  void add(const void* data, size_t bytes) {
    for (size_t i = 0; i < bytes; ++i) {
      add(static_cast<const unsigned char*>(data)[i]);
    }
    add(255);
  }
  uint32_t sum() const { return sum_; }

 private:
  void add(unsigned char byte) { sum_ = (sum_ ^ byte) * 16777619u; }

  uint32_t sum_ = 2166136261u;
};

uint32_t checksum(const Answer& found) {
  Fnv fnv;
  fnv.add(found.ids.data(), found.ids.size() * sizeof(int32_t));
  fnv.add(found.ids_with_special.data(), found.ids_with_special.size() * sizeof(int32_t));
  fnv.add(found.text.data(), found.text.size());
  fnv.add(found.text_without_special.data(), found.text_without_special.size());
  return fnv.sum();
}

class TokenizerFixture : public testing::TestWithParam<const char*> {
 protected:
  static void SetUpTestSuite() { texts_ = new std::vector<Json>(lines_of("texts.jsonl")); }
  static void TearDownTestSuite() { delete texts_; }

  static const std::vector<Json>* texts_;
};
const std::vector<Json>* TokenizerFixture::texts_ = nullptr;

TEST_P(TokenizerFixture, EqualsTheLibraryOnTextsWrittenByHand) {
  const Tokenizer tokenizer = tokenizer_named(GetParam());
  const std::vector<Json> expected = lines_of(std::string(GetParam()) + ".expected");
  ASSERT_GT(expected.size(), 60u);
  for (size_t i = 0; i < expected.size(); ++i) {
    SCOPED_TRACE((*texts_)[i].dump());
    const Answer found = answer(tokenizer, (*texts_)[i]);
    EXPECT_EQ(found.ids, expected[i][0].get<std::vector<int32_t>>());
    EXPECT_EQ(found.ids_with_special, expected[i][1].get<std::vector<int32_t>>());
    EXPECT_EQ(found.text, expected[i][2]);
    EXPECT_EQ(found.text_without_special, expected[i][3]);
  }
}

TEST_P(TokenizerFixture, EqualsTheLibraryOnTenThousandTexts) {
  const Tokenizer tokenizer = tokenizer_named(GetParam());
  const std::string sums = read_file(kFolder + GetParam() + ".sums");
  ASSERT_EQ(texts_->size(), 10000u);
  ASSERT_EQ(sums.size(), texts_->size() * 4);
  for (size_t i = 0; i < texts_->size(); ++i) {
    uint32_t expected = 0;
    for (size_t byte = 0; byte < 4; ++byte) {
      expected |= uint32_t{static_cast<unsigned char>(sums[i * 4 + byte])} << (8 * byte);
    }
    ASSERT_EQ(checksum(answer(tokenizer, (*texts_)[i])), expected)
        << "text " << i << ": " << (*texts_)[i].dump();
  }
}

INSTANTIATE_TEST_SUITE_P(All,
                         TokenizerFixture,
                         testing::Values("llama2",
                                         "flags",
                                         "metaspace_first",
                                         "metaspace_always",
                                         "llama3",
                                         "qwen2",
                                         "tekken",
                                         "digits",
                                         "words",
                                         "nfkc",
                                         "nfd",
                                         "split_removed",
                                         "split_merged_with_previous",
                                         "split_merged_with_next",
                                         "split_contiguous",
                                         "prefix_space",
                                         "tiny-llama"),
                         [](const auto& tested) {
                           std::string name = tested.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace oneshot
