// Rows with images: from LLaVA's JSON to ids and files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "engine/checkpoint/sha256.h"
#include "tests/calibration/image_calibration.h"

namespace oneshot {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr int64_t kRows = 7;  // of rows.json

/// One row of LLaVA's form.
std::string row(const std::string& image, const std::string& question = "<image>\\nhi") {
  return R"({"image": )" + image + R"(, "conversations": [{"from": "human", "value": ")" +
         question + R"("}, {"from": "gpt", "value": "yes"}]})" + "\n";
}

class RowsOf : public testing::TestWithParam<const char*> {};

TEST_P(RowsOf, BecomeTheIdsOfTheProcessor) {
  const ImageModel model(GetParam());
  const nlohmann::json& expected = model.expected.at("rows");
  ASSERT_EQ(expected.size(), static_cast<size_t>(kRows));
  const nlohmann::json rows = read_json(kImageData / "rows.json");
  const TemporaryFolder folder;
  for (size_t i = 0; i < expected.size(); ++i) {
    write_file(folder.path() / "row.json", "[" + rows[i].dump() + "]");
    CalibrationRequest request = image_request(folder.path() / "row.json", 1);
    request.short_samples = ShortSamples::Pad;
    if (expected[i].is_null()) {  // CogVLM2 reads one image
      EXPECT_THROW(load_calibration(request, model.model), Error);
      continue;
    }
    EXPECT_THAT(load_calibration(request, model.model).rows,
                ElementsAre(expected[i].get<std::vector<int32_t>>()))
        << i;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Family,
    RowsOf,
    testing::Values("llava", "llava_original", "qwen2_vl", "mllama", "phi3_v", "cogvlm2"),
    [](const testing::TestParamInfo<const char*>& one) { return std::string(one.param); });

class ImageRows : public testing::Test {
 protected:
  std::filesystem::path write(const std::string& name, const std::string& text) const {
    write_file(folder_.path() / name, text);
    return folder_.path() / name;
  }

  CalibrationData load(const CalibrationRequest& request) const {
    return load_calibration(request, model_.model);
  }

  void expect_refused(ErrorCode code,
                      const std::string& message,
                      const CalibrationRequest& request) const {
    expect_error(code, message, [&] { load_calibration(request, model_.model); });
  }

  ImageModel model_{"qwen2_vl"};
  TemporaryFolder folder_;
};

TEST_F(ImageRows, AreTakenShortAndBesideText) {
  CalibrationRequest request = image_request(kImageData / "rows.json", kRows - 1);
  const CalibrationData data = load(request);
  EXPECT_EQ(data.rows.size(), 6U);  // the text alone is short, images never are
  EXPECT_EQ(data.counts.too_short, 1);
  EXPECT_EQ(data.rows_with_images, 6);
  const std::filesystem::path files = kImageData / "files";
  EXPECT_THAT(data.images[4], ElementsAre(files / "0000.png", files / "0001.png"));
  request.samples = kRows;
  request.short_samples = ShortSamples::Pad;
  const CalibrationData all = load(request);
  EXPECT_EQ(all.rows_with_images, 6);
  EXPECT_THAT(all.images[5], IsEmpty());
  EXPECT_EQ(all.rows.size(), 7U);
}

TEST_F(ImageRows, KeepTheirImagesWhereDatasetsAreShuffled) {
  CalibrationRequest request = image_request(kImageData / "rows.json", 12);
  request.datasets.push_back(request.datasets.front());
  request.shuffle = true;
  const CalibrationData data = load(request);
  ASSERT_EQ(data.images.size(), 12U);
  for (size_t i = 0; i < data.rows.size(); ++i) {
    int64_t tokens = 0;
    for (const auto& file : data.images[i]) {
      tokens += model_.expected.at("tokens").at(file.filename()).get<int64_t>();
    }
    EXPECT_EQ(std::count(data.rows[i].begin(), data.rows[i].end(), 607), tokens);
  }
}

TEST_F(ImageRows, FindImagesWhereTheyAreWrittenThenByNameThenBesideTheDataset) {
  const auto under = [&](const char* name) { return folder_.path() / name; };
  std::filesystem::create_directories(under("images/coco"));
  std::filesystem::create_directories(under("data/near"));
  write("images/coco/0000.png", "in coco");
  write("images/0000.png", "above");
  write("images/0001.png", "by name");
  write("data/near/0003.jpg", "beside");
  CalibrationRequest request = image_request(
      write("data/rows.jsonl",
            row(R"("coco/0000.png")") + row(R"(["gqa/0001.png"])") + row(R"("near/0003.jpg")")),
      3);
  request.extra_data_dir = under("images");
  EXPECT_THAT(load(request).images,
              ElementsAre(ElementsAre(under("images/coco/0000.png")),
                          ElementsAre(under("images/0001.png")),
                          ElementsAre(under("data/near/0003.jpg"))));
  request.extra_data_dir = under("pictures");
  expect_refused(ErrorCode::Checkpoint,
                 under("pictures").string() +
                     ": this folder of images is not there; is `extra_data_dir` right?",
                 request);
}

TEST_F(ImageRows, ThatAreMissingOrBrokenAreListed) {
  write("broken.png", "x");
  std::string rows = row(R"("0000.png")") + row(R"("http://x/y.png")") + row(R"("broken.png")");
  for (int i = 0; i < 4; ++i) {
    rows += row("\"no" + std::to_string(i) + ".png\"");
  }
  const auto file = write("rows.jsonl", rows);
  CalibrationRequest request = image_request(file, 2);
  const std::string place = file.string() + ":";
  const std::string listed = "recipe.yaml:2:1: 5 images are missing and 1 broken: " + place +
                             "2: 'http://x/y.png' is not there; " + place +
                             "3: broken.png: not an image; " + place +
                             "4: 'no0.png' is not there; " + place + "5: 'no1.png' is not there; " +
                             place + "6: 'no2.png' is not there; …";
  expect_refused(ErrorCode::Checkpoint,
                 listed +
                     "; correct 'extra_data_dir' or the files, or write `allow_fewer: true` to "
                     "leave out their rows",
                 request);
  request.allow_fewer = true;
  const CalibrationData data = load(request);
  EXPECT_EQ(data.rows.size(), 1U);
  EXPECT_EQ(data.image_failures.missing, 5);
  EXPECT_EQ(data.image_failures.broken, 1);
  EXPECT_EQ(data.counts.without_image, 6);
  EXPECT_THAT(data.warnings,
              ElementsAre(HasSubstr("6 have a missing or broken image"),
                          listed + "; their rows are left out"));
}

TEST_F(ImageRows, LoseTextAndNeverAnImage) {
  const auto file = write("rows.jsonl", row(R"("0001.png")", "<image>\\n" + std::string(99, 'x')));
  CalibrationRequest request = image_request(file, 1);
  const std::vector<int32_t> whole = load(request).rows[0];
  const auto last = std::find(whole.rbegin(), whole.rend(), 607);
  const int64_t needed = whole.rend() - last;
  request.sequence_length = needed;
  EXPECT_THAT(load(request).rows[0],
              testing::ElementsAreArray(whole.begin(), whole.begin() + needed));
  request.sequence_length = needed - 1;
  expect_refused(ErrorCode::Recipe,
                 "recipe.yaml:2:1: 'sequence_length' is " + std::to_string(needed - 1) +
                     ", the images of " + file.string() + ":1 take up 9 tokens and end at token " +
                     std::to_string(needed) +
                     "; write `sequence_length: " + std::to_string(needed) + "` or more",
                 request);
}

TEST_F(ImageRows, AreNotPacked) {
  CalibrationRequest request = image_request(kImageData / "rows.json", 1);
  request.short_samples = ShortSamples::Pack;
  expect_refused(ErrorCode::Recipe,
                 "recipe.yaml:2:1: `short: pack` cannot pack a row with an image (" +
                     (kImageData / "rows.json").string() + ":2); write `short: pad`",
                 request);
}

TEST_F(ImageRows, OfAnyLengthAreRead) {
  std::string question = "<image>\\n";
  for (int i = 0; i < 3000; ++i) {
    question += "q ";
  }
  CalibrationRequest request =
      image_request(write("rows.jsonl", row(R"("0000.png")", question)), 1);
  request.sequence_length = 2048;
  EXPECT_EQ(load(request).rows[0].size(), 2048U);
}

TEST_F(ImageRows, ThatAreWrongAreNamed) {
  const auto refused = [&](const std::string& what, const std::string& text) {
    const auto file = write("rows.jsonl", row(R"("0000.png")") + text);
    CalibrationRequest request = image_request(file, 2);
    expect_refused(ErrorCode::Checkpoint, file.string() + ":2: " + what, request);
  };
  const std::string places = " in the conversation; write one <image> for each";
  refused("1 images and 0 places for them" + places, row(R"("0000.png")", "hi"));
  refused("2 images and 1 places for them" + places, row(R"(["0000.png", "0001.png"])"));
  refused("0 images and 1 places for them" + places, row("null"));
  refused("'image' holds JSON number, expected the path of an image, or a list of them", row("5"));
  refused("'conversations'[0]: unknown role 'humam', did you mean 'human'?",
          R"({"image": "0000.png", "conversations": [{"from": "humam", "value": "<image>"}]})");
  refused(
      "a row with an image and without a conversation; write its text as `\"conversations\": "
      "[{\"from\": \"human\", \"value\": \"<image>\\n…\"}]`",
      R"({"image": "0000.png", "text": "x"})");
}

TEST_F(ImageRows, MayNameTheirImagesInParts) {
  const std::string parts = R"({"images": ["0001.png"], "messages": [{"role": "user", "content": [
      {"type": "text", "text": "look"}, {"type": "image"}]}]})";
  const CalibrationData data = load(image_request(write("rows.json", "[" + parts + "]"), 1));
  EXPECT_EQ(std::count(data.rows[0].begin(), data.rows[0].end(), 607), 9);
  EXPECT_EQ(model_.tokenizer->decode(data.rows[0], true),
            "system\nYou are a helpful assistant.\nuser\nlook\n");
}

TEST_F(ImageRows, NeedAFamilyThatIsKnown) {
  ImageModel other("llava");
  other.config = {{"model_type", "idefics"}};
  expect_error(ErrorCode::Unsupported,
               "config.json: not of a family whose images are known here; those of llava, "
               "qwen2_vl, qwen2_5_vl, mllama, phi3_v and cogvlm2 are",
               [&] { load_calibration(image_request(kImageData / "rows.json", 1), other.model); });
}

TEST_F(ImageRows, ChangeTheHashWithTheirFiles) {
  write("0000.png", "one");
  CalibrationRequest request = image_request(write("rows.jsonl", row(R"("0000.png")")), 1);
  request.extra_data_dir.reset();
  const CalibrationData first = load(request);
  write("0000.png", "two");
  const CalibrationData second = load(request);
  EXPECT_EQ(first.rows, second.rows);
  EXPECT_NE(first.sha256, second.sha256);
  // By the words of calibration_hash(): one row of n ids, then one image.
  std::string bytes;
  const auto append = [&](uint64_t value, int count) {
    for (int i = 0; i < count; ++i) {
      bytes += static_cast<char>(value >> (8 * i));
    }
  };
  append(second.rows[0].size(), 8);
  for (const int32_t id : second.rows[0]) {
    append(static_cast<uint32_t>(id), 4);
  }
  append(1, 8);
  EXPECT_EQ(second.sha256, sha256_hex(bytes + sha256_hex("two")));
  EXPECT_EQ(calibration_hash({{1, 2}}, {{}}), calibration_hash({{1, 2}}));
}

}  // namespace
}  // namespace oneshot
