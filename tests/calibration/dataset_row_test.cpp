// What a row holds, and what is said of a row that holds nothing of use.
#include "engine/calibration/dataset_row.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/calibration/conversation.h"
#include "tests/support/expect_error.h"

namespace oneshot {
namespace {

using Ids = std::vector<int32_t>;
using Field = std::optional<std::string>;

const RowPlace kPlace{"rows.jsonl", 7};

DatasetRow parse(const std::string& json, const Field& field = {}) {
  return parse_dataset_row(json, kPlace, field);
}

std::string text(const std::string& json, const Field& field = {}) {
  return std::get<std::string>(parse(json, field));
}

std::string messages(const std::string& json, const Field& field = {}) {
  return std::get<Conversation>(parse(json, field)).messages.dump();
}

Ids ids(const std::string& json, const Field& field = {}) {
  return std::get<Ids>(parse(json, field));
}

void expect_refused(const std::string& message, const std::string& json, const Field& field = {}) {
  expect_error(ErrorCode::Checkpoint, "rows.jsonl:7: " + message, [&] { parse(json, field); });
}

TEST(DatasetRow, IsAText) {
  EXPECT_EQ(text(R"("a\nb")"), "a\nb");
  EXPECT_EQ(text(R"({"id": 1, "text": "x", "image": null})"), "x");
  EXPECT_EQ(text(R"({"text": "x", "prompt": "y"})", "prompt"), "y");
}

TEST(DatasetRow, IsAListOfIds) {
  EXPECT_EQ(ids(R"({"input_ids": [0, 2147483647], "text": "x"})"), (Ids{0, 2147483647}));
  EXPECT_EQ(ids(R"({"tokens": [3]})", "tokens"), (Ids{3}));
  EXPECT_EQ(ids(R"({"input_ids": []})"), Ids{});
}

TEST(DatasetRow, LeavesOutPadding) {
  EXPECT_EQ(ids(R"({"input_ids": [9, 1, 2, 9, 9], "attention_mask": [0, 1, 1, 0, 0]})"),
            (Ids{1, 2}));
  EXPECT_EQ(ids(R"({"input_ids": [1, 2], "attention_mask": [1, 1]})"), (Ids{1, 2}));
  EXPECT_EQ(ids(R"({"input_ids": [1, 2], "attention_mask": [0, 0]})"), Ids{});
  EXPECT_EQ(ids(R"({"input_ids": [1, 2], "attention_mask": null})"), (Ids{1, 2}));
  const std::string in_the_middle =
      "'attention_mask' must be ones with zeros before and behind them only; a token in the middle "
      "cannot be left out";
  expect_refused(in_the_middle, R"({"input_ids": [1, 2, 3], "attention_mask": [1, 0, 1]})");
  expect_refused(in_the_middle, R"({"input_ids": [1, 2, 3], "attention_mask": [0, 2, 0]})");
  expect_refused("'attention_mask' has 1 entries, 'input_ids' 2",
                 R"({"input_ids": [1, 2], "attention_mask": [1]})");
  expect_refused("'attention_mask' holds JSON number, expected a list of ones and zeros",
                 R"({"input_ids": [1, 2], "attention_mask": 1})");
}

TEST(DatasetRow, IsAConversation) {
  const std::string chat = R"([{"role":"user","content":"q"},{"role":"assistant","content":"a"}])";
  EXPECT_EQ(messages(R"({"messages": )" + chat + "}"), chat);
  EXPECT_EQ(messages(R"({"chat": )" + chat + "}", "chat"), chat);
  EXPECT_EQ(messages(R"({"conversations": [{"from": "human", "value": "q"},
                                           {"from": "gpt", "value": "a"}]})"),
            chat);
  EXPECT_EQ(messages(R"({"messages": [{"from": "system", "value": "s"}]})"),
            R"([{"role":"system","content":"s"}])");
  // What else a message holds is the template's.
  const std::string call = R"([{"role":"assistant","content":null,"tool_calls":[{"z":1,"a":2}]}])";
  EXPECT_EQ(messages(R"({"messages": )" + call + "}"), call);
  const std::string parts = R"([{"role":"user","content":[{"type":"text","text":"q"}]}])";
  EXPECT_EQ(messages(R"({"messages": )" + parts + "}"), parts);
}

TEST(DatasetRow, IsJoinedWithoutATemplate) {
  EXPECT_EQ(joined_contents(nlohmann::ordered_json::parse(
                R"([{"role": "system", "content": ""}, {"role": "user", "content": "q"},
                    {"role": "assistant", "content": null}, {"role": "assistant",
                     "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}])")),
            "q\nab");
}

TEST(DatasetRow, NamesTheFieldsOfARowWithoutText) {
  const std::string how = "; name the field that holds the text: `dataset: [{path: …, field: …}]`";
  const std::string none = "has no 'text', 'messages', 'conversations' or 'input_ids' (";
  expect_refused(none + "its fields are 'txt', 'id')" + how, R"({"txt": "x", "id": 1})");
  expect_refused(none + "it is empty)" + how, "{}");
  expect_refused("has no field 'promt', did you mean 'prompt'? (its fields are 'prompt', 'text')",
                 R"({"prompt": "x", "text": "y"})",
                 "promt");
  expect_refused("has no field 'other' (its fields are 'text')", R"({"text": "y"})", "other");
  expect_refused(none + "its fields are 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', …)" + how,
                 R"({"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"j":1,"k":1})");
}

TEST(DatasetRow, NamesWhatIsNoText) {
  const std::string expected =
      ", expected a text or an object with 'text', 'messages', 'conversations' or 'input_ids'";
  expect_refused("a row that is JSON number" + expected, "5");
  expect_refused("a row that is JSON null" + expected, "null");
  expect_refused("a row that is JSON array" + expected, "[1, 2]");
  expect_refused(
      "a row that is JSON string, expected an object with the field 'text'", "\"x\"", "text");
  expect_refused("'text' holds JSON null, expected a text", R"({"text": null})");
  expect_refused("'messages' holds JSON string, expected a list of messages",
                 R"({"messages": "x"})");
  expect_refused("'input_ids' holds JSON string, expected a list of token ids",
                 R"({"input_ids": "x"})");
  expect_refused(
      "'a' holds JSON boolean, expected a text, a list of messages or a list of token ids",
      R"({"a": true})",
      "a");
}

TEST(DatasetRow, NamesIdsThatAreNone) {
  expect_refused("'input_ids'[1]: expected a token id, found -1", R"({"input_ids": [1, -1]})");
  expect_refused("'input_ids'[0]: expected a token id, found 2147483648",
                 R"({"input_ids": [2147483648]})");
  expect_refused("'input_ids'[0]: expected a token id, found 18446744073709551615",
                 R"({"input_ids": [18446744073709551615]})");
  expect_refused("'input_ids'[0]: expected a token id, found 1.5", R"({"input_ids": [1.5]})");
  expect_refused("'input_ids'[0]: expected a token id, found JSON array",
                 R"({"input_ids": [[1]]})");
}

TEST(DatasetRow, NamesMessagesThatAreNone) {
  const auto expect = [](const std::string& message, const std::string& list) {
    expect_refused("'messages'" + message, R"({"messages": )" + list + "}");
  };
  expect("[0]: holds JSON string, expected a message", R"(["x"])");
  expect("[1]: a message needs a 'role' and a 'content', or 'from' and 'value'",
         R"([{"role": "user", "content": "x"}, {"content": "x"}])");
  expect("[0]: 'content' is missing", R"([{"role": "user"}])");
  expect("[0]: 'content' holds JSON number, expected a text",
         R"([{"role": "user", "content": 1}])");
  expect("[0]: 'value' is missing", R"([{"from": "gpt"}])");
  expect("[0]: unknown role 'humann', did you mean 'human'?",
         R"([{"from": "humann", "value": "x"}])");
  expect("[0]: unknown role 'bing'; known are human, gpt, system, tool",
         R"([{"from": "bing", "value": "x"}])");
  expect("[0]: a part of the content is no object with a 'type'",
         R"([{"role": "user", "content": ["x"]}])");
  expect("[0]: a part of type 'text' has no text",
         R"([{"role": "user", "content": [{"type": "text"}]}])");
}

TEST(DatasetRow, KeepsThePathsOfImages) {
  const auto images = [](const std::string& image) {
    return std::get<Conversation>(
               parse("{" + image + R"(, "messages": [{"role": "user", "content": "x"}]})"))
        .images;
  };
  EXPECT_THAT(images(R"("image": "a/b.jpg")"), testing::ElementsAre("a/b.jpg"));
  EXPECT_THAT(images(R"("images": ["a.jpg", "b.jpg"])"), testing::ElementsAre("a.jpg", "b.jpg"));
  EXPECT_THAT(images(R"("image": null, "images": [])"), testing::IsEmpty());
  expect_refused("'images' holds JSON object, expected the path of an image, or a list of them",
                 R"({"images": [{"bytes": ""}], "text": "x"})");
}

TEST(DatasetRow, RefusesVideosAndSounds) {
  expect_error(ErrorCode::Unsupported,
               "rows.jsonl:7: a row with 'video': calibration with videos or sounds is not "
               "supported; use a dataset of texts and images",
               [] { parse(R"({"video": "a.mp4", "text": "x"})"); });
  expect_error(
      ErrorCode::Unsupported,
      "rows.jsonl:7: 'messages'[0]: content of type 'image_url' is not supported; use a dataset of "
      "texts and images",
      [] { parse(R"({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]})"); });
}

TEST(DatasetRow, RefusesHugeStructures) {
  expect_refused("nested deeper than 100", std::string(200'000, '[') + std::string(200'000, ']'));
  std::string keys;
  for (int i = 0; i < 1001; ++i) {
    keys += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":0";
  }
  expect_refused("an object with more than 1000 keys", "{" + keys + "}");
}

}  // namespace
}  // namespace oneshot
