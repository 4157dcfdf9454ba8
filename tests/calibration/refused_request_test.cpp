// What a request asks for and its data cannot give, in one line each.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/text/vocabulary_fit.h"
#include "tests/calibration/small_calibration.h"

namespace oneshot {
namespace {

class RefusedRequest : public testing::Test {
 protected:
  void expect_refused(ErrorCode code,
                      const std::string& message,
                      const CalibrationRequest& request,
                      const CalibratedModel& model) const {
    expect_error(code, message, [&] { load_calibration(request, model); });
  }

  SmallModel small_;
};

TEST_F(RefusedRequest, TooFewRowsSayWhy) {
  const auto file =
      small_.write("rows.jsonl", "\"caca\"\n\"c\"\n\"ca\"\n\"\"\n\"accc\"\n\"acac\"\n");
  CalibrationRequest request = request_for(file, 64, 4);
  const std::string found = "recipe.yaml:2:1: '" + file.string() +
                            "' has 2 of the 64 samples of 4 tokens asked for (of 6 rows 2 are "
                            "shorter, 1 repeat one token and 1 hold none)";
  expect_refused(ErrorCode::Checkpoint,
                 found +
                     "; give more data, lower 'samples' or 'sequence_length', write `short: "
                     "pack`, or `allow_fewer: true`",
                 request,
                 small_.model);
  request.allow_fewer = true;
  const CalibrationData data = load_calibration(request, small_.model);
  EXPECT_EQ(data.rows.size(), 2U);
  EXPECT_THAT(data.warnings, testing::ElementsAre(found));
}

TEST_F(RefusedRequest, NoRowAtAllIsNeverAllowed) {
  const auto file = small_.write("rows.jsonl", "\"a\"\n");
  CalibrationRequest request = request_for(file, 3, 4);
  request.allow_fewer = true;
  expect_refused(ErrorCode::Checkpoint,
                 "recipe.yaml:2:1: '" + file.string() +
                     "' has 0 of the 3 samples of 4 tokens asked for (of 1 rows 1 are shorter, 0 "
                     "repeat one token and 0 hold none); give more data, lower 'samples' or "
                     "'sequence_length', write `short: pack`",
                 request,
                 small_.model);
  request.short_samples = ShortSamples::Pack;
  expect_refused(ErrorCode::Checkpoint,
                 "recipe.yaml:2:1: '" + file.string() +
                     "' has 0 of the 3 samples of 4 tokens asked for (of 1 rows 0 windows repeat "
                     "one token and 0 hold none); give more data, lower 'samples' or "
                     "'sequence_length'",
                 request,
                 small_.model);
}

TEST_F(RefusedRequest, LongerThanTheModelReads) {
  expect_refused(ErrorCode::Recipe,
                 "recipe.yaml:2:1: 'sequence_length' is 101, the model reads 100 tokens at most "
                 "(max_position_embeddings)",
                 request_for("rows.jsonl", 1, 101),
                 small_.model);
}

TEST_F(RefusedRequest, ImagesForAModelThatReadsNone) {
  const auto file = small_.write(
      "rows.jsonl", R"({"image": "a.png", "messages": [{"role": "user", "content": "<image>"}]})");
  CalibrationRequest request = request_for(file, 1, 4);
  const std::string refused =
      file.string() +
      ":1: a row with an image, and calibration with images is not supported for this model; use a "
      "dataset of text";
  expect_refused(ErrorCode::Unsupported, refused, request, small_.model);
  small_.write("rows.jsonl", R"({"messages": [{"role": "user", "content": [{"type": "image"}]}]})");
  expect_refused(ErrorCode::Unsupported, refused, request, small_.model);
  request.extra_data_dir = "images";
  expect_refused(ErrorCode::Unsupported,
                 "recipe.yaml:2:1: 'extra_data_dir' belongs to calibration with images, which is "
                 "not supported for this model; take it out of the recipe",
                 request,
                 small_.model);
}

TEST_F(RefusedRequest, TextWithoutATokenizer) {
  const auto file = small_.write("rows.jsonl", "\"abc\"\n");
  expect_refused(ErrorCode::Checkpoint,
                 file.string() +
                     ":1: a row of text, and model/tokenizer.json is not there; name the "
                     "tokenizer's folder, `model: {tokenizer: DIR}`, or use rows of input_ids",
                 request_for(file, 1, 1),
                 {nullptr, "model", 6, {}});
}

TEST_F(RefusedRequest, IdsBeyondTheVocabulary) {
  const auto file = small_.write("rows.jsonl", "{\"input_ids\": [1]}\n{\"input_ids\": [5, 6]}\n");
  expect_refused(ErrorCode::Checkpoint,
                 file.string() +
                     ":2: token id 6 is beyond the model's 6; was this dataset made with another "
                     "tokenizer?",
                 request_for(file, 2, 1 + 1),
                 small_.model);
}

TEST_F(RefusedRequest, ATokenizerThatDoesNotFitTheWeights) {
  CalibratedModel model = small_.model;
  model.vocabulary_size = 5;
  const std::string message = small_.folder.string() +
                              ": the tokenizer has 6 tokens, the model's embedding 5 rows: they do "
                              "not belong together; use the tokenizer of this model";
  const auto file = small_.write("rows.jsonl", "\"abc\"\n");
  expect_refused(ErrorCode::Checkpoint, message, request_for(file, 1, 1), model);
  check_fits(small_.tokenizer, small_.folder.path(), 6);
  expect_error(ErrorCode::Checkpoint, message, [&] {
    check_fits(small_.tokenizer, small_.folder.path(), 5);
  });
}

TEST_F(RefusedRequest, AConversationWithoutATemplate) {
  const auto file =
      small_.write("rows.jsonl", "{\"messages\": [{\"role\": \"user\", \"content\": \"abc\"}]}\n");
  CalibrationRequest request = request_for(file, 1, 1);
  expect_refused(ErrorCode::Checkpoint,
                 file.string() + ":1: a conversation, and " + small_.folder.string() +
                     " has no chat template; write `chat_template: FILE`, or `chat_template: none` "
                     "to join the messages by line breaks",
                 request,
                 small_.model);
  request.chat_template = (small_.folder.path() / "missing.jinja").string();
  expect_refused(ErrorCode::Checkpoint,
                 request.chat_template + ": cannot open: No such file or directory",
                 request,
                 small_.model);
  request.chat_template = small_.write("own.jinja", "{{ raise_exception('no') }}").string();
  expect_refused(ErrorCode::Checkpoint,
                 file.string() + ":1: " + request.chat_template + ":1: chat template: no",
                 request,
                 small_.model);
}

TEST_F(RefusedRequest, SpecialTokensThatLeaveNoRoom) {
  const Tokenizer tokenizer = read(with("/post_processor", nlohmann::json::parse(R"({
      "type": "TemplateProcessing",
      "single": [{"SpecialToken": {"id": "<s>"}}, {"SpecialToken": {"id": "<s>"}},
                 {"Sequence": {"id": "A"}}],
      "special_tokens": {"<s>": {"id": "<s>", "ids": [5], "tokens": ["<s>"]}}})")));
  CalibratedModel model = small_.model;
  model.tokenizer = &tokenizer;
  CalibrationRequest request = request_for(small_.write("rows.jsonl", "\"abc\"\n"), 1, 1);
  request.special_tokens = true;
  expect_refused(ErrorCode::Checkpoint,
                 "the tokenizer adds 2 special tokens to a text that may have 1",
                 request,
                 model);
}

}  // namespace
}  // namespace oneshot
