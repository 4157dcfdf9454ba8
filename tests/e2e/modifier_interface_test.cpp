// The interface carries modifiers that only rewrite weights: a fake one halves them.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "engine/tensor_bytes.h"
#include "tests/support/recipe_run.h"

namespace oneshot {
namespace {

/// Halves the weights of Linears and norms. Powers of two, so that every result is exact.
class Halve : public Modifier {
 public:
  std::string name() const override { return "halve"; }
  Traits traits() const override { return {}; }
  void plan(PlanBuilder& builder) const override {
    for (size_t m = 0; m < builder.modules().size(); ++m) {
      const ModuleKind kind = builder.modules()[m].kind;
      if (kind == ModuleKind::Linear || kind == ModuleKind::Norm) {
        builder.rewrite(m, "halved");
      }
    }
  }
  at::Tensor rewrite(const Rows& rows) const override { return rows.values * 0.5; }
};

void run_with_halve(const TemporaryFolder& folder, Job job) {
  RunListener listener;
  RunOptions options;
  options.model = tiny_llama();
  options.output = folder.path() / "out";
  options.threads = 2;
  run_job(job, options, listener);
}

at::Tensor tensor(const std::map<std::string, std::string>& tensors, const std::string& name) {
  const std::string& bytes = tensors.at(name);
  return tensor_of(reinterpret_cast<const std::byte*>(bytes.data()),
                   Dtype::Bf16,
                   {static_cast<int64_t>(bytes.size() / 2)})
      .clone();
}

TEST(RewritingModifier, WritesTheNewValuesOfTensorsThatAreNotQuantized) {
  const TemporaryFolder folder;
  Job job = job_of(folder, quantize_recipe("scheme: FP8_DYNAMIC, ignore: [lm_head]"));
  job.modifiers.insert(job.modifiers.begin(), std::make_unique<Halve>());
  run_with_halve(folder, std::move(job));
  const auto before = tensor_bytes_of(tiny_llama() / "model.safetensors");
  const auto after = tensor_bytes_of(folder.path() / "out/model.safetensors");
  for (const char* halved :
       {"lm_head.weight", "model.norm.weight", "model.layers.1.input_layernorm.weight"}) {
    EXPECT_TRUE(tensor(after, halved).equal(tensor(before, halved) * 0.5)) << halved;
  }
  EXPECT_EQ(after.at("model.embed_tokens.weight"), before.at("model.embed_tokens.weight"));
}

TEST(RewritingModifier, HandsItsRowsToTheQuantizerBehindIt) {
  const TemporaryFolder folder;
  const std::string recipe = quantize_recipe("scheme: FP8_DYNAMIC, ignore: [lm_head]");
  run_recipe(folder, {.recipe = recipe, .output = "plain"});
  Job job = job_of(folder, recipe);
  job.modifiers.insert(job.modifiers.begin(), std::make_unique<Halve>());
  run_with_halve(folder, std::move(job));
  const auto plain = tensor_bytes_of(folder.path() / "plain/model.safetensors");
  const auto halved = tensor_bytes_of(folder.path() / "out/model.safetensors");
  const std::string module = "model.layers.0.mlp.down_proj";
  EXPECT_EQ(halved.at(module + ".weight"), plain.at(module + ".weight"));  // the codes are the same
  EXPECT_TRUE(tensor(halved, module + ".weight_scale")
                  .equal(tensor(plain, module + ".weight_scale") * 0.5));
}

TEST(RewritingModifier, CannotComeBehindTheQuantizer) {
  const TemporaryFolder folder;
  Job job = job_of(folder, quantize_recipe("scheme: FP8_DYNAMIC, ignore: [lm_head]"));
  job.modifiers.push_back(std::make_unique<Halve>());
  EXPECT_THROW(run_with_halve(folder, std::move(job)), Error);
}

}  // namespace
}  // namespace oneshot
