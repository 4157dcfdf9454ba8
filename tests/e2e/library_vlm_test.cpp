// Recipes of the library for models that read images, run from end to end on a tiny model of the
// same family. Budgets are cut with --set, all else is as the recipe says.
#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "engine/checkpoint_model.h"
#include "tests/e2e/library_vlm_recipes.h"
#include "tests/e2e/tiny_vlm.h"

namespace oneshot {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// A run of a recipe in a folder of its own.
class LibraryRun {
 public:
  explicit LibraryRun(const VlmRecipe& recipe)
      : recipe_(recipe), model_(make_tiny_vlm(recipe.fixture, folder_.path())) {}

  void on_images() {
    set("calibration.dataset", write_conversations(folder_.path()));
    set("calibration.extra_data_dir", tiny_images());
    set("calibration.sequence_length", recipe_.fixture == std::string("phi3_v") ? "400" : "240");
    set("evaluation.choices", write_questions(folder_.path() / "questions"));
    tune_little();
  }

  void on_text() {
    set("calibration.dataset", ONESHOT_TEST_DATA "/calibration/texts.jsonl");
    set("calibration.sequence_length", "48");
    tune_little();
  }

  void set(const std::string& key, const fs::path& value) {
    overrides_.push_back(key + "=" + value.string());
  }

  void run() {
    const Job job = library_job(recipe_, overrides_);
    RunOptions options;
    options.model = model_;
    options.output = output();
    options.threads = 2;
    RunListener silent;
    report_ = run_job(job, options, silent);
  }

  const Report& report() const { return report_; }
  fs::path output() const { return folder_.path() / "out"; }

  /// What the recipe is for has codes near to its weights; all else has the bytes of the source.
  /// codes: the ending of their tensor; error: of the weights, as a share of their size.
  void expect_checkpoint(const fs::path& folder,
                         const std::string& format,
                         const std::string& codes,
                         double error) const {
    const WrittenCheckpoint source(model_), written(folder);
    const CheckpointModel readable(folder, cli::all_formats(), false);
    EXPECT_EQ(readable.format(), format);
    size_t quantized = 0;
    for (const TensorSpec& spec : source.tensors()) {
      const at::Tensor values = source.read(spec.name);
      const std::string module = module_of_weight(spec.name);
      if (!recipe_.quantizes(module)) {
        ASSERT_TRUE(written.spec(spec.name)) << spec.name;
        EXPECT_TRUE(at::equal(written.read(spec.name), values)) << spec.name;
        continue;
      }
      ++quantized;
      EXPECT_TRUE(written.spec(module + codes)) << module;
      const at::Tensor difference = readable.weights().load(spec.name) - values;
      EXPECT_LT((difference.square().mean() / values.square().mean()).sqrt().item<double>(), error)
          << module;
    }
    EXPECT_EQ(quantized, recipe_.fixture_modules);
  }

  /// Exactly those that the recipe quantizes and no sample of the data goes through.
  void expect_unseen() const {
    const WrittenCheckpoint source(model_);
    std::vector<std::string> expected;
    for (const TensorSpec& spec : source.tensors()) {
      const std::string module = module_of_weight(spec.name);
      if (recipe_.quantizes(module) && recipe_.leaves_unseen(module)) {
        expected.push_back(module);
      }
    }
    EXPECT_THAT(report_.unseen, testing::UnorderedElementsAreArray(expected));
  }

 private:
  void tune_little() {
    set("calibration.samples", "3");
    set("modifiers.0.iterations", "2");
    set("modifiers.0.batch_size", "2");
    set("modifiers.0.learning_rate", "0.01");
    set("modifiers.0.group_size", "32");
    set("evaluation.text", ONESHOT_EXAMPLE_DATA "/heldout.txt");
    set("evaluation.samples", "2");
    set("evaluation.sequence_length", "64");
  }

  const VlmRecipe recipe_;
  const TemporaryFolder folder_;
  const fs::path model_;
  std::vector<std::string> overrides_;
  Report report_;
};

// 32 normal weights reach from −2.1 to 2.1 deviations, so codes are about 0.28 apart, and errors
// 0.28 ÷ √12 = 0.08. Those of 3 bits of mantissa are at most 1/16, by a root of 3 less on average.
constexpr double kInt4Error = 0.12, kFloat8Error = 0.04;

void expect_int4_config(const fs::path& folder, const std::string& method) {
  const json config = json::parse(read_file(folder / "config.json"))["quantization_config"];
  EXPECT_EQ(config["quant_method"], method);
  EXPECT_EQ(config["bits"], 4);
  EXPECT_EQ(config["group_size"], 32);
  EXPECT_EQ(config["sym"], true);
  for (const char* file : {"tokenizer.json", "tokenizer_config.json"}) {
    EXPECT_TRUE(fs::exists(folder / file)) << file;
  }
}

/// Of a model that knows nothing, so the same before and after within a little.
void expect_evaluation(const Report& report, bool with_images) {
  ASSERT_TRUE(report.evaluation);
  const json& evaluation = *report.evaluation;
  EXPECT_EQ(evaluation["after"]["tokens"], 2 * 63);
  EXPECT_NEAR(evaluation["perplexity_ratio"].get<double>(), 1, 0.3);
  EXPECT_EQ(evaluation["after"].contains("accuracy"), with_images);
}

class LibraryVlm : public testing::TestWithParam<VlmRecipe> {};

TEST_P(LibraryVlm, QuantizesWhatItIsFor) {
  LibraryRun run(GetParam());
  GetParam().reads_images() ? run.on_images() : run.on_text();
  run.run();
  const bool both = GetParam().writes_both();
  const fs::path folder = both ? run.output() / "auto_round" : run.output();
  run.expect_checkpoint(folder, "auto_round", ".qweight", kInt4Error);
  expect_int4_config(folder, "auto-round");
  if (both) {
    run.expect_checkpoint(run.output() / "auto_gptq", "auto_gptq", ".qweight", kInt4Error);
    expect_int4_config(run.output() / "auto_gptq", "gptq");
  }
  EXPECT_EQ(run.report().samples, 3U);
  run.expect_unseen();
  expect_evaluation(run.report(), GetParam().reads_images());
}

INSTANTIATE_TEST_SUITE_P(Recipes,
                         LibraryVlm,
                         testing::ValuesIn(sign_round_recipes()),
                         [](const auto& tested) { return std::string(tested.param.name); });

// As recipes/library/README.md says.
TEST(LibraryVlm, CogVlm2TakesTextAlone) {
  const TemporaryFolder folder;
  write_file(folder.path() / "text.yaml",
             "version: 1\nextends: " ONESHOT_RECIPE_LIBRARY
             "/cogvlm2-int4.yaml\ncalibration: {extra_data_dir: null}\n");
  VlmRecipe recipe = sign_round_recipes().back();
  recipe.recipe = (folder.path() / "text").string();
  recipe.unseen = kVisionExperts;
  LibraryRun run(recipe);
  run.on_text();
  run.run();
  run.expect_checkpoint(run.output(), "auto_round", ".qweight", kInt4Error);
  run.expect_unseen();
  EXPECT_EQ(run.report().unseen.size(), 10U);  // five of each of two blocks
}

TEST(LibraryVlm, Float8WritesASampleAtTheEnd) {
  LibraryRun run(float8_recipe());
  run.run();
  run.expect_checkpoint(run.output(), "compressed_tensors", ".weight_scale", kFloat8Error);
  const json config = json::parse(read_file(run.output() / "config.json"))["quantization_config"];
  EXPECT_EQ(config["quant_method"], "compressed-tensors");
  EXPECT_EQ(config["format"], "float-quantized");
  const json& group = config["config_groups"]["group_0"];
  EXPECT_EQ(group["targets"], json({"Linear"}));
  EXPECT_EQ(group["weights"]["strategy"], "channel");
  EXPECT_EQ(group["input_activations"]["strategy"], "token");
  EXPECT_EQ(group["input_activations"]["dynamic"], true);
  ASSERT_TRUE(run.report().evaluation);
  const json& evaluation = *run.report().evaluation;
  EXPECT_FALSE(evaluation["before"]["generated"].get<std::string>().empty());
  EXPECT_FALSE(evaluation["after"]["generated"].get<std::string>().empty());
}

}  // namespace
}  // namespace oneshot
