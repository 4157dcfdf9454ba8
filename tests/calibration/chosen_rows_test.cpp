// Which rows are taken, and what becomes of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/calibration/small_calibration.h"

namespace oneshot {
namespace {

using testing::ElementsAre;

constexpr const char* kData = ONESHOT_TEST_DATA "/calibration/";

/// The trained model of 512 tokens whose tokenizer made the goldens.
struct TinyLlama {
  std::filesystem::path folder = ONESHOT_TEST_DATA "/../../examples/models/tiny-llama";
  Tokenizer tokenizer = Tokenizer::from_folder(folder);
  CalibratedModel model{&tokenizer, folder, 1024, 2048};
};

TEST(ChosenRows, AreThoseOfAutoRoundsRule) {
  const TinyLlama tiny;
  const auto expected = nlohmann::json::parse(read_file(std::string(kData) + "expected.json"));
  ASSERT_EQ(expected["samples"].size(), 4U);
  for (const auto& golden : expected["samples"]) {
    CalibrationRequest request = request_for(
        std::string(kData) + "texts.jsonl", golden["samples"], golden["sequence_length"]);
    request.shuffle = true;
    request.seed = golden["seed"];
    const CalibrationData data = load_calibration(request, tiny.model);
    EXPECT_EQ(data.rows.size(), golden["samples"].get<size_t>());
    EXPECT_EQ(data.sha256, golden["sha256"]) << golden["seed"];
    EXPECT_TRUE(data.warnings.empty());
  }
}

TEST(ChosenRows, AreTheGoldensInTheOrderOfTheFile) {
  const TinyLlama tiny;
  const CalibrationData from_text =
      load_calibration(request_for(std::string(kData) + "texts.jsonl", 64, 256), tiny.model);
  // Rows of ids need no tokenizer.
  const CalibrationData from_ids = load_calibration(
      request_for(std::string(kData) + "calib_ids.jsonl", 64, 256), {nullptr, "nowhere", 1024, {}});
  std::ifstream file(std::string(kData) + "calib_ids.jsonl");
  Rows expected;
  for (std::string line; std::getline(file, line);) {
    expected.push_back(nlohmann::json::parse(line)["input_ids"].get<std::vector<int32_t>>());
  }
  EXPECT_EQ(expected.size(), 64U);
  EXPECT_EQ(from_text.rows, expected);
  EXPECT_EQ(from_ids.rows, expected);
  EXPECT_EQ(from_text.sha256, from_ids.sha256);
}

TEST(ChosenRows, LeaveOutShortRepetitiveAndEmptyOnes) {
  const SmallModel small;
  const auto file =
      small.write("rows.jsonl", "\"acac\"\n\n\"ca\"\n\"\"\n\"accc\"\n\"cacacaca\"\n\"aacc\"\n");
  CalibrationRequest request = request_for(file, 3, 4);
  const CalibrationData data = load_calibration(request, small.model);
  EXPECT_THAT(
      data.rows,
      ElementsAre(ElementsAre(0, 2, 0, 2), ElementsAre(2, 0, 2, 0), ElementsAre(0, 0, 2, 2)));
  EXPECT_EQ(data.sequence_length, 4);
  EXPECT_EQ(data.counts.read, 6);
  EXPECT_EQ(data.counts.too_short, 1);
  EXPECT_EQ(data.counts.repetitive, 1);
  EXPECT_EQ(data.counts.empty, 1);
}

TEST(ChosenRows, OfTwoTokensMayRepeat) {
  const SmallModel small;
  const auto file = small.write("rows.jsonl", "\"cc\"\n");
  EXPECT_THAT(load_calibration(request_for(file, 1, 2), small.model).rows,
              ElementsAre(ElementsAre(2, 2)));
}

TEST(ChosenRows, MayStayShort) {
  const SmallModel small;
  const auto file = small.write("rows.jsonl", "\"a\"\n\"\"\n\"cabb\"\n");
  CalibrationRequest request = request_for(file, 2, 3);
  request.short_samples = ShortSamples::Pad;
  EXPECT_THAT(load_calibration(request, small.model).rows,
              ElementsAre(ElementsAre(0), ElementsAre(2, 3, 1)));
}

TEST(ChosenRows, ArePackedWithTheEndOfTextBetween) {
  const SmallModel small;
  const auto file = small.write("rows.jsonl", "\"abcab\"\n\"\"\n\"c\"\n\"aaba<s>\"\n\"cb\"\n");
  CalibrationRequest request = request_for(file, 2, 4);
  request.short_samples = ShortSamples::Pack;
  // abc ab c a | ab a <s> c | b: what is left at the end falls out
  EXPECT_THAT(load_calibration(request, small.model).rows,
              ElementsAre(ElementsAre(4, 3, 2, 0), ElementsAre(3, 0, 5, 2)));
  small.write("tokenizer_config.json", R"({"eos_token": {"content": "<s>", "special": true}})");
  request.samples = 3;
  EXPECT_THAT(
      load_calibration(request, small.model).rows,
      ElementsAre(ElementsAre(4, 3, 5, 2), ElementsAre(5, 0, 3, 0), ElementsAre(5, 2, 1, 5)));
}

TEST(ChosenRows, CutALongTextIntoWindows) {
  const SmallModel small;
  const auto file = small.write("long.txt", "cacabbca");
  CalibrationRequest request = request_for(file, 3, 2);
  request.short_samples = ShortSamples::Pack;
  EXPECT_THAT(load_calibration(request, small.model).rows,
              ElementsAre(ElementsAre(2, 0), ElementsAre(2, 3), ElementsAre(1, 2)));
}

TEST(ChosenRows, HaveSpecialTokensWhenAsked) {
  const SmallModel small;
  const Tokenizer tokenizer = read(with("/post_processor", nlohmann::json::parse(R"({
      "type": "TemplateProcessing",
      "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                 {"SpecialToken": {"id": "<s>", "type_id": 0}}],
      "special_tokens": {"<s>": {"id": "<s>", "ids": [5], "tokens": ["<s>"]}}})")));
  CalibratedModel model = small.model;
  model.tokenizer = &tokenizer;
  CalibrationRequest request = request_for(small.write("rows.jsonl", "\"cacaca\"\n"), 1, 4);
  EXPECT_THAT(load_calibration(request, model).rows, ElementsAre(ElementsAre(2, 0, 2, 0)));
  request.special_tokens = true;
  // A cut keeps them, as the library's truncation does.
  EXPECT_THAT(load_calibration(request, model).rows, ElementsAre(ElementsAre(5, 2, 0, 5)));
}

TEST(ChosenRows, GoThroughTheChatTemplate) {
  const SmallModel small;
  const auto file = small.write("rows.jsonl",
                                R"({"conversations": [{"from": "human", "value": "a"},
 {"from": "gpt", "value": "c"}]})"
                                "\n");
  CalibrationRequest request = request_for(file, 1, 4);
  request.datasets[0].format = DatasetFormat::Json;
  const std::string source =
      "{{ bos_token }}{% for m in messages %}{{ 'c' if m.role == 'assistant' else 'b' }}"
      "{{ m.content }}{% endfor %}";
  small.write("tokenizer_config.json",
              nlohmann::json{{"chat_template", source}, {"bos_token", "<s>"}}.dump());
  EXPECT_THAT(load_calibration(request, small.model).rows, ElementsAre(ElementsAre(5, 1, 0, 2)));
  request.chat_template = small.write("own.jinja", "{{ messages[1].content }}aca").string();
  EXPECT_THAT(load_calibration(request, small.model).rows, ElementsAre(ElementsAre(2, 0, 2, 0)));
  request.chat_template = "none";
  request.sequence_length = 2;  // "a\nc": the tokenizer has no line break
  EXPECT_THAT(load_calibration(request, small.model).rows, ElementsAre(ElementsAre(0, 2)));
}

TEST(ChosenRows, HaveAHashOfLengthsAndIds) {
  // sha256sum of 02 00×7, 01 00×3, ff ff 00 00, 00×8
  EXPECT_EQ(calibration_hash({{1, 65535}, {}}),
            "473e3d4477b29489c7c4626bafba5de30d00790e5fb8d531ab4387bc1702deb3");
  EXPECT_NE(calibration_hash({{1}, {2}}), calibration_hash({{1, 2}}));
}

}  // namespace
}  // namespace oneshot
