// Recipes of the library on a tiny model of the same family: what they quantize, what stays, and
// that the output is read back. Budgets are cut with --set, all else is as the recipe says.
#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "engine/checkpoint_model.h"
#include "tests/support/recipe_run.h"

namespace oneshot {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int kBlocks = 6;
constexpr size_t kLinears = 42;      // seven of each
constexpr int kMadeBlocks = 2;       // of the model in tests/data
constexpr int kTimesVocabulary = 4;  // 256 → 1024, that of the embedded tokenizer

/// "model.layers.<from>.x" with another number; other names as they are.
std::string in_block(const std::string& name, int from, int to) {
  const std::string prefix = "model.layers." + std::to_string(from) + ".";
  return name.starts_with(prefix)
             ? "model.layers." + std::to_string(to) + "." + name.substr(prefix.size())
             : name;
}

void write_tensors(const fs::path& file, const std::map<std::string, at::Tensor>& tensors) {
  std::vector<TensorInfo> infos;
  std::string data;
  for (const auto& [name, values] : tensors) {
    const at::Tensor flat = values.contiguous();
    infos.push_back({name, Dtype::F32, flat.sizes().vec(), data.size(), flat.nbytes()});
    data.append(static_cast<const char*>(flat.const_data_ptr()), flat.nbytes());
  }
  write_file(file, serialize_safetensors_header(infos) + data);
}

/// The tiny Qwen2 with its blocks three times over, and with the embedded tokenizer.
fs::path tiny_qwen(const TemporaryFolder& folder) {
  const WrittenCheckpoint made(test_model("qwen2"));
  std::map<std::string, at::Tensor> tensors;
  for (const TensorSpec& spec : made.tensors()) {
    at::Tensor values = made.read(spec.name);
    if (spec.name == "lm_head.weight" || spec.name == "model.embed_tokens.weight") {
      values = values.repeat({kTimesVocabulary, 1});
    }
    for (int block = 0; block < kBlocks; ++block) {
      const std::string name = in_block(spec.name, block % kMadeBlocks, block);
      if (block < kMadeBlocks || name != spec.name) {
        tensors[name] = values;
      }
    }
  }
  json config = made.config();
  config["num_hidden_layers"] = kBlocks;
  config["vocab_size"] = config["vocab_size"].get<int>() * kTimesVocabulary;
  fs::path model = folder.path() / "model";
  write_file(model / "config.json", config.dump());
  write_tensors(model / "model.safetensors", tensors);
  fs::copy(tiny_llama() / "tokenizer.json", model);
  fs::copy(tiny_llama() / "tokenizer_config.json", model);
  return model;
}

Report run_library_recipe(const std::string& name, const fs::path& model, const fs::path& output) {
  cli::RecipeArguments arguments;
  arguments.recipe = fs::path(ONESHOT_RECIPE_LIBRARY) / name;
  const std::string data = ONESHOT_TEST_DATA "/calibration/texts.jsonl";
  const std::string text = ONESHOT_EXAMPLE_DATA "/heldout.txt";
  arguments.overrides = {"calibration.dataset=" + data,
                         "calibration.samples=6",
                         "calibration.sequence_length=32",
                         "modifiers.0.iterations=4",
                         "modifiers.0.batch_size=2",
                         "modifiers.0.learning_rate=0.01",
                         "modifiers.0.group_size=32",
                         "evaluation.text=" + text,
                         "evaluation.samples=4",
                         "evaluation.sequence_length=32"};
  const Job job = cli::make_job(cli::read_recipe(arguments));
  RunOptions options;
  options.model = model;
  options.output = output;
  options.threads = 2;
  RunListener silent;
  return run_job(job, options, silent);
}

/// Root mean square of the difference, as a share of that of the weight.
double relative_error(const at::Tensor& weight, const at::Tensor& other) {
  return ((other - weight).square().mean() / weight.square().mean()).sqrt().item<double>();
}

/// Source and output side by side.
class Tensors {
 public:
  Tensors(const fs::path& model, const fs::path& output)
      : source_(model), written_(output), readable_(output, cli::all_formats(), false) {}

  std::string format() const { return readable_.format(); }
  const std::vector<TensorSpec>& of_source() const { return source_.tensors(); }

  /// The values of the source in float16.
  bool is_cast(const std::string& tensor) const {
    return written_.spec(tensor).has_value() &&
           at::equal(written_.read(tensor), source_.read(tensor).to(at::kHalf));
  }

  /// Codes in place of the weight, near to it. 32 normal weights reach from −2.1 to 2.1 deviations,
  /// so codes are about 0.28 apart, and errors 0.28 ÷ √12 = 0.08.
  bool is_quantized(const std::string& tensor) const {
    const std::string module = tensor.substr(0, tensor.rfind('.'));
    return !written_.spec(tensor) && written_.spec(module + ".qweight").has_value() &&
           relative_error(source_.read(tensor), readable_.weights().load(tensor)) < 0.12;
  }

 private:
  WrittenCheckpoint source_, written_;
  CheckpointModel readable_;
};

/// The Linears of the blocks are quantized but for the kept ones, all else is cast.
void expect_quantized_but(const std::set<std::string>& kept,
                          const fs::path& model,
                          const fs::path& output) {
  const Tensors tensors(model, output);
  EXPECT_EQ(tensors.format(), "auto_round");
  size_t quantized = 0;
  for (const TensorSpec& spec : tensors.of_source()) {
    const bool is_linear = spec.name.ends_with("_proj.weight");
    const bool stays = !is_linear || kept.contains(spec.name.substr(0, spec.name.rfind('.')));
    EXPECT_TRUE(stays ? tensors.is_cast(spec.name) : tensors.is_quantized(spec.name)) << spec.name;
    quantized += stays ? 0 : 1;
  }
  EXPECT_EQ(quantized, kLinears - kept.size());
}

void expect_biases(const fs::path& output) {
  const WrittenCheckpoint written(output);
  for (int block = 0; block < kBlocks; ++block) {
    for (const char* name : {"q_proj", "k_proj", "v_proj"}) {
      const std::string bias =
          "model.layers." + std::to_string(block) + ".self_attn." + name + ".bias";
      EXPECT_TRUE(written.spec(bias)) << bias;
    }
  }
}

/// Of a model that knows nothing, so the same before and after within a little.
void expect_evaluation(const Report& report) {
  ASSERT_TRUE(report.evaluation);
  const json& evaluation = *report.evaluation;
  EXPECT_EQ(evaluation["before"]["tokens"], 4 * 31);
  EXPECT_NEAR(evaluation["perplexity_ratio"].get<double>(), 1, 0.1);
  EXPECT_TRUE(evaluation["after"]["generated"].is_string());
}

json quantization_config(const fs::path& output) {
  return json::parse(read_file(output / "config.json"))["quantization_config"];
}

TEST(RecipeLibrary, QwenSymmetricKeepsTheMlpOfBlock5) {
  const TemporaryFolder folder;
  const fs::path model = tiny_qwen(folder);
  const fs::path output = folder.path() / "out";
  const Report report = run_library_recipe("qwen2.5-32b-int4-sym.yaml", model, output);
  const std::string mlp = "model.layers.5.mlp.";
  expect_quantized_but({mlp + "gate_proj", mlp + "up_proj", mlp + "down_proj"}, model, output);
  expect_biases(output);
  expect_evaluation(report);
  EXPECT_EQ(report.blocks.size(), static_cast<size_t>(kBlocks));
  const json config = quantization_config(output);
  EXPECT_EQ(config["sym"], true);
  EXPECT_EQ(config["bits"], 4);
  EXPECT_EQ(config["extra_config"].size(), 3u);
  for (const char* name : {"gate_proj", "up_proj", "down_proj"}) {
    EXPECT_EQ(config["extra_config"][mlp + name]["bits"], 16) << name;
  }
  EXPECT_EQ(json::parse(read_file(output / "config.json"))["torch_dtype"], "float16");
}

TEST(RecipeLibrary, QwenAsymmetricQuantizesEveryBlock) {
  const TemporaryFolder folder;
  const fs::path model = tiny_qwen(folder);
  const fs::path output = folder.path() / "out";
  const Report report = run_library_recipe("qwen2.5-32b-int4-asym.yaml", model, output);
  expect_quantized_but({}, model, output);
  expect_biases(output);
  expect_evaluation(report);
  const json config = quantization_config(output);
  EXPECT_EQ(config["sym"], false);
  EXPECT_FALSE(config.contains("extra_config"));
}

}  // namespace
}  // namespace oneshot
