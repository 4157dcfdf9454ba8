// Ids of texts with images: those of the families' own processors.
#include "engine/text/image_prompt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/calibration/image_calibration.h"

namespace oneshot {
namespace {

using testing::ElementsAre;

class ImagePromptOf : public testing::TestWithParam<const char*> {};

TEST_P(ImagePromptOf, GivesTheIdsOfItsProcessor) {
  const ImageModel model(GetParam());
  const ImagePrompt prompt(model.config, *model.tokenizer, model.folder);
  const nlohmann::json& cases = model.expected.at("prompts");
  ASSERT_GE(cases.size(), 4U);
  for (const auto& one : cases) {
    const auto images = one.at("images").get<std::vector<int64_t>>();
    EXPECT_EQ(prompt.ids(one.at("text"), one.at("special_tokens"), images),
              one.at("ids").get<std::vector<int32_t>>())
        << one.dump();
  }
}

TEST_P(ImagePromptOf, RefusesMarksThatDoNotFitTheImages) {
  const ImageModel model(GetParam());
  const ImagePrompt prompt(model.config, *model.tokenizer, model.folder);
  const std::string mark = image_mark(prompt.family(), 1);
  const std::vector<int64_t> one{3}, two{3, 3};
  if (mark.empty()) {
    expect_error(ErrorCode::Checkpoint, "2 images, this model reads one at most", [&] {
      prompt.ids("x", true, two);
    });
    return;
  }
  expect_error(ErrorCode::Checkpoint,
               "the text has 1 image marks '" + mark + "', the images are 2",
               [&] { prompt.ids("x" + mark + "y", true, two); });
  expect_error(ErrorCode::Checkpoint,
               "the text has 2 image marks '" + mark + "', the images are 1",
               [&] { prompt.ids(mark + image_mark(prompt.family(), 2), true, one); });
}

INSTANTIATE_TEST_SUITE_P(
    Family,
    ImagePromptOf,
    testing::Values("llava", "llava_original", "qwen2_vl", "mllama", "phi3_v", "cogvlm2"),
    [](const testing::TestParamInfo<const char*>& one) { return std::string(one.param); });

TEST(ImagePrompt, KnowsThePlacesOfItsFamily) {
  const ImageModel llava("llava");
  const ImagePrompt prompt(llava.config, *llava.tokenizer, llava.folder);
  EXPECT_TRUE(prompt.is_place(620));
  EXPECT_FALSE(prompt.is_place(1));
  EXPECT_TRUE(prompt.begins_with_bos("<s>x"));
  EXPECT_FALSE(prompt.begins_with_bos("x<s>"));
}

TEST(ImagePrompt, NamesTheFamilyByModelTypeOrArchitecture) {
  const auto family = [](const char* json) { return image_family(nlohmann::json::parse(json)); };
  EXPECT_EQ(family(R"({"model_type": "qwen2_5_vl"})"), ImageFamily::Qwen2Vl);
  EXPECT_EQ(family(R"({"model_type": "llava", "architectures": ["LlavaLlamaForCausalLM"]})"),
            ImageFamily::LlavaOriginal);
  EXPECT_EQ(family(R"({"model_type": "llava_llama", "architectures": ["LlavaLlamaForCausalLM"]})"),
            ImageFamily::LlavaOriginal);
  EXPECT_EQ(family(R"({"model_type": "mllama_text_model"})"), std::nullopt);
  EXPECT_EQ(family(R"({"model_type": 3, "architectures": 4})"), std::nullopt);
}

TEST(ImagePrompt, RefusesATokenizerOfAnotherModel) {
  const ImageModel llava("llava"), original("llava_original");
  nlohmann::json config = llava.config;
  config["image_token_index"] = 32000;
  expect_error(ErrorCode::Checkpoint,
               llava.folder.string() +
                   ": the tokenizer has id 620 for the image token '<image>', config.json says "
                   "32000; use the tokenizer of this model",
               [&] { ImagePrompt(config, *llava.tokenizer, llava.folder); });
  expect_error(ErrorCode::Checkpoint,
               original.folder.string() +
                   ": the tokenizer lacks the image token '<image>', config.json says 620; use the "
                   "tokenizer of this model",
               [&] { ImagePrompt(llava.config, *original.tokenizer, original.folder); });
  config["image_token_index"] = "x";
  expect_error(ErrorCode::Checkpoint,
               "config.json: 'image_token_index' holds JSON string, expected a token id",
               [&] { ImagePrompt(config, *llava.tokenizer, llava.folder); });
  config = original.config;
  config["mm_use_im_start_end"] = true;
  expect_error(ErrorCode::Unsupported,
               "config.json: mm_use_im_start_end is true: images between <im_start> and <im_end> "
               "are not supported",
               [&] { ImagePrompt(config, *original.tokenizer, original.folder); });
  EXPECT_THROW(ImagePrompt({{"model_type", "llama"}}, *llava.tokenizer, llava.folder), Error);
}

TEST(ImagePrompt, WantsPhi3sMarksInOrder) {
  const ImageModel phi("phi3_v");
  const ImagePrompt prompt(phi.config, *phi.tokenizer, phi.folder);
  const std::vector<int64_t> two{1, 1};
  expect_error(ErrorCode::Checkpoint,
               "the text has the image mark '<|image_2|>' where number 1 is next; number them 1, "
               "2, … in the order of the images",
               [&] { prompt.ids("<|image_2|><|image_1|>", true, two); });
  // What only looks like a mark is text.
  EXPECT_EQ(prompt.ids("<|image_|> <|image_1", false, {}),
            phi.tokenizer->encode("<|image_|> <|image_1", false));
}

}  // namespace
}  // namespace oneshot
