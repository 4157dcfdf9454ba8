// Templates of auto-round: their keys, and the texts that they make.
#include "engine/text/prompt_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/text/image_messages.h"
#include "tests/calibration/image_calibration.h"

namespace oneshot {
namespace {

using testing::ElementsAre;
using Json = nlohmann::ordered_json;

/// The example in auto-round's documentation on vision-language models.
constexpr const char* kExample = R"({
    "model_type": "qwen2_vl",
    "format_user": "<|im_start|>user\n{{content}}<|im_end|>\n",
    "format_assistant": "<|im_start|>assistant\n{{content}}<|im_end|>\n",
    "format_system": "<|im_start|>system\n{{content}}<|im_end|>\n",
    "format_observation": "<|im_start|>tool\n{{content}}<|im_end|>\n<|im_start|>assistant\n",
    "format_separator": "\n",
    "default_system": "You are a helpful assistant.",
    "replace_tokens": ["<image>", "<|vision_start|><|image_pad|><|vision_end|>"],
    "extra_encode": "True",
    "processor": "qwen2_vl"
})";

constexpr const char* kQuestion = "What are the colors of the bus in the image?";
constexpr const char* kAnswer = "The bus in the image is white and red.";
constexpr const char* kSystem =
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n"
    "<|vision_start|><|image_pad|><|vision_end|>\n";
/// What the documentation says becomes of the conversation below.
const std::string kText =
    kSystem + std::string(kQuestion) + "<|im_end|>\n<|im_start|>assistant\n" + kAnswer +
    "<|im_end|>\n<|im_start|>user\nWhat feature can be seen on the back of the "
    "bus?<|im_end|>\n<|im_start|>assistant\nThe back of the bus features an "
    "advertisement.<|im_end|>\n";

Json conversation() {
  return {{{"role", "user"}, {"content", std::string("<image>\n") + kQuestion}},
          {{"role", "assistant"}, {"content", kAnswer}},
          {{"role", "user"}, {"content", "What feature can be seen on the back of the bus?"}},
          {{"role", "assistant"}, {"content", "The back of the bus features an advertisement."}}};
}

PromptTemplate parse(const std::string& json) {
  return parse_prompt_template(nlohmann::json::parse(json), "t.json");
}

void expect_refused(const std::string& message, const std::string& json) {
  expect_error(ErrorCode::Checkpoint, "t.json: " + message, [&] { parse(json); });
}

TEST(PromptTemplate, RendersTheExampleOfTheDocumentation) {
  const PromptTemplate form = parse(kExample);
  EXPECT_TRUE(form.extra_encode);
  EXPECT_THAT(form.unused, ElementsAre("format_separator", "processor"));
  EXPECT_EQ(render(form, with_replaced_tokens(form, with_image_marks(conversation(), {}))), kText);
}

TEST(PromptTemplate, OfAFileMakesTheRowsOfARecipe) {
  const ImageModel qwen("qwen2_vl");
  const TemporaryFolder folder;
  write_file(folder.path() / "template.json", kExample);
  // Written with 'role' and 'value', as the documentation does it.
  Json rows = Json::array();
  for (const Json& message : conversation()) {
    rows.push_back({{"role", message["role"]}, {"value", message["content"]}});
  }
  write_file(folder.path() / "rows.json",
             Json::array({{{"image", "0001.png"}, {"conversations", rows}}}).dump());
  CalibrationRequest request = image_request(folder.path() / "rows.json", 1);
  request.template_file = folder.path() / "template.json";
  const CalibrationData data = load_calibration(request, qwen.model);
  std::string expanded = kText;
  const std::string pad = "<|image_pad|>";
  for (int i = 1; i < 9; ++i) {
    expanded.insert(expanded.find(pad), pad);
  }
  EXPECT_EQ(data.rows[0], qwen.tokenizer->encode(expanded, false));
  EXPECT_THAT(data.warnings,
              ElementsAre(request.template_file->string() +
                          ": 'format_separator', 'processor' change nothing: the recipe names the "
                          "dataset, the model its processor, and auto-round puts no separator "
                          "either"));
  request.chat_template = "none";
  expect_error(ErrorCode::Recipe,
               "recipe.yaml:2:1: 'chat_template' and 'template' (with extra_encode) both say how a "
               "conversation is written; take one out",
               [&] { load_calibration(request, qwen.model); });
}

TEST(PromptTemplate, WithoutExtraEncodeOnlyReplacesTokens) {
  const ImageModel phi("phi3_v");
  const TemporaryFolder folder;
  write_file(folder.path() / "template.json",
             R"({"replace_tokens": ["<image>", "<|image_1|>"], "extra_encode": false})");
  CalibrationRequest request = image_request(kImageData / "rows.json", 4);
  const Rows without = load_calibration(request, phi.model).rows;
  request.template_file = folder.path() / "template.json";
  EXPECT_EQ(load_calibration(request, phi.model).rows, without);
}

TEST(PromptTemplate, HasTheDefaultsOfAutoRound) {
  const PromptTemplate form = parse("{}");
  EXPECT_EQ(form.model_type, "user_define");
  EXPECT_EQ(form.format_system, "{{content}}");
  EXPECT_EQ(form.default_system, "");
  EXPECT_FALSE(form.extra_encode);
  EXPECT_FALSE(parse(R"({"extra_encode": "False"})").extra_encode);
  EXPECT_TRUE(parse(R"({"extra_encode": true})").extra_encode);
  const Json messages = {{{"role", "user"}, {"content", "<image>"}}};
  const std::string replace = R"("replace_tokens": ["<image>", "x"])";
  EXPECT_EQ(with_replaced_tokens(parse("{" + replace + "}"), messages)[0]["content"], "x");
  EXPECT_EQ(with_replaced_tokens(parse(R"({"model_type": "llava", )" + replace + "}"), messages),
            messages);
}

TEST(PromptTemplate, PutsEachRoleIntoItsForm) {
  const PromptTemplate form = parse(R"({"format_user": "U {{content}} {{content}}\n",
      "format_system": "S {{content}}\n", "format_function": "F {{content}}\n",
      "format_observation": "O {{content}}\n", "default_system": "d"})");
  const Json messages = {{{"role", "function"}, {"content", "f"}},
                         {{"role", "tool"}, {"content", "o"}},
                         {{"role", "user"}, {"content", "u"}}};
  EXPECT_EQ(render(form, messages), "S d\nF f\nO o\nU u {{content}}\n");
  EXPECT_EQ(render(form, {{{"role", "system"}, {"content", "own"}}}), "S own\n");
  expect_error(ErrorCode::Checkpoint,
               "t.json has no form for the role 'assistant'; write one, `format_assistant` of a "
               "template file",
               [&] {
                 render(form, {{{"role", "assistant"}, {"content", "a"}}});
               });
  expect_error(ErrorCode::Checkpoint,
               "t.json has no form for 'tool_calls'; write the call into the content",
               [&] { render(form, Json::parse(R"([{"role": "user", "tool_calls": [{}]}])")); });
  expect_error(ErrorCode::Checkpoint, "unknown role 'usr', did you mean 'user'?", [&] {
    render(form, {{{"role", "usr"}, {"content", "a"}}});
  });
  expect_error(ErrorCode::Checkpoint,
               "unknown role 'x'; known are user, assistant, system, function, observation, tool",
               [&] {
                 render(form, {{{"role", "x"}, {"content", "a"}}});
               });
}

TEST(PromptTemplate, RefusesWhatIsNoKey) {
  expect_refused("'format_usr' is no key of a template, did you mean 'format_user'?",
                 R"({"format_usr": "{{content}}"})");
  expect_refused(
      "'zzz' is no key of a template; known are model_type, format_user, "
      "format_assistant, format_system, format_function, format_observation, "
      "format_separator, default_dataset, processor, default_system, replace_tokens, "
      "extra_encode",
      R"({"zzz": 1})");
  expect_refused("'format_user' holds JSON number, expected a text", R"({"format_user": 1})");
  expect_refused("'format_user' has no {{content}}, where a message would stand",
                 R"({"format_user": "x"})");
  expect_refused("'extra_encode' must be true or false, or \"True\" or \"False\"",
                 R"({"extra_encode": "yes"})");
  const std::string pairs =
      "'replace_tokens' must be a list of an even number of texts: old, new, old, new, …";
  expect_refused(pairs, R"({"replace_tokens": ["a"]})");
  expect_refused(pairs, R"({"replace_tokens": "a"})");
  expect_refused("'replace_tokens' holds JSON number, expected a text",
                 R"({"replace_tokens": [1, "a"]})");
  expect_refused("'replace_tokens' replaces an empty text", R"({"replace_tokens": ["", "a"]})");
}

TEST(PromptTemplate, OfEachFamilyIsBuiltIn) {
  const Json messages = {{{"role", "user"}, {"content", "<image>\nQ"}},
                         {{"role", "assistant"}, {"content", "A"}}};
  const auto text = [&](ImageFamily family, const std::string& eos) {
    return render(family_template(family, eos), with_image_marks(messages, family));
  };
  EXPECT_EQ(text(ImageFamily::Llava, ""), "USER: <image>\nQ ASSISTANT: A</s>");
  EXPECT_EQ(text(ImageFamily::Llava, "<|end|>"), "USER: <image>\nQ ASSISTANT: A<|end|>");
  EXPECT_EQ(text(ImageFamily::LlavaOriginal, ""),
            "A chat between a curious user and an artificial intelligence assistant. The assistant "
            "gives helpful, detailed, and polite answers to the user's questions. USER: "
            "<image>\nQ ASSISTANT: A</s>");
  EXPECT_EQ(text(ImageFamily::Qwen2Vl, ""),
            "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n"
            "<|vision_start|><|image_pad|><|vision_end|>Q<|im_end|>\n<|im_start|>assistant\n"
            "A<|im_end|>\n");
  EXPECT_EQ(text(ImageFamily::Mllama, ""),
            "<|start_header_id|>user<|end_header_id|>\n\n<|image|>Q<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n\nA<|eot_id|>");
  EXPECT_EQ(text(ImageFamily::Phi3V, ""),
            "<|user|>\n<|image_1|>\nQ<|end|>\n<|assistant|>\nA<|end|>\n");
  EXPECT_EQ(text(ImageFamily::CogVlm2, ""), "Question: Q Answer: A\n");
}

TEST(ImageMessages, BringTagsToTheFront) {
  const Json messages = {{{"role", "user"}, {"content", " <image> a <image>\n"}},
                         {{"role", "assistant"}, {"content", " b "}},
                         {{"role", "user"}, {"content", {{{"type", "image"}}}}}};
  EXPECT_EQ(count_image_places(messages), 3);
  EXPECT_TRUE(has_image_parts(messages));
  EXPECT_EQ(with_image_marks(messages, ImageFamily::Phi3V)[0]["content"],
            "<|image_1|>\n<|image_2|>\na");
  EXPECT_EQ(with_image_marks(messages, ImageFamily::Phi3V)[2]["content"], "<|image_3|>\n");
  const Json parts = with_image_parts(messages, ImageFamily::Llava);
  EXPECT_EQ(parts[0]["content"].dump(),
            R"([{"type":"image"},{"type":"image"},{"type":"text","text":"a"}])");
  EXPECT_EQ(parts[1]["content"].dump(), R"([{"type":"text","text":" b "}])");
  EXPECT_EQ(parts[2]["content"].dump(), R"([{"type":"image"}])");
}

}  // namespace
}  // namespace oneshot
