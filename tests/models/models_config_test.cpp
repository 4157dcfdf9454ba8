// Configs that cannot be run, and rope settings by hand.
#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <cmath>

#include "engine/kernels/kernels.h"
#include "engine/models/registry.h"
#include "engine/models/rope.h"
#include "tests/support/expect_error.h"

namespace oneshot {
namespace {

using nlohmann::json;

json llama() {
  return {{"model_type", "llama"},
          {"hidden_size", 64},
          {"intermediate_size", 128},
          {"num_hidden_layers", 2},
          {"num_attention_heads", 4},
          {"num_key_value_heads", 2},
          {"vocab_size", 256}};
}

TEST(Config, AnUnknownArchitectureNamesTheKnownOnes) {
  expect_error(
      ErrorCode::Unsupported,
      "config.json: models of type 'mamba' cannot be run, only llama, mistral, qwen2, "
      "qwen3, phi3, llava, llava_llama, mllama, qwen2_vl, qwen2_5_vl, phi3_v, cogvlm2; recipes "
      "without calibration and evaluation work all the same",
      [] {
        make_model(nlohmann::json{{"model_type", "mamba"}});
      });
}

TEST(Config, DamagedValuesAreNamed) {
  const auto message = [](const char* key, const json& value) {
    json config = llama();
    config[key] = value;
    return error_message(ErrorCode::Checkpoint, [&] { make_model(config); });
  };
  EXPECT_EQ(message("hidden_size", "big"),
            "config.json: 'hidden_size' must be a whole number, found \"big\"");
  EXPECT_EQ(message("hidden_size", -1),
            "config.json: 'hidden_size' must be a size above 0, found -1");
  EXPECT_EQ(message("num_hidden_layers", nullptr),
            "config.json: 'num_hidden_layers' must be a size above 0, found nothing");
  EXPECT_EQ(message("num_key_value_heads", 3),
            "config.json: num_key_value_heads must divide num_attention_heads");
  EXPECT_EQ(message("head_dim", 7), "config.json: head_dim must be even");
  EXPECT_EQ(message("rope_scaling", "x"),
            "config.json: 'rope_scaling' must be an object, found \"x\"");
}

TEST(Config, WhatIsNotSupportedIsSaid) {
  json config = llama();
  config["hidden_act"] = "gelu";
  expect_error(ErrorCode::Unsupported,
               "config.json: hidden_act 'gelu' is not supported, only silu",
               [&] { make_model(config); });
  config["hidden_act"] = "silu";
  config["rope_scaling"] = {{"rope_type", "spiral"}};
  expect_error(ErrorCode::Unsupported, "config.json: rope type 'spiral' is not supported", [&] {
    make_model(config);
  });
}

TEST(Config, FoldablePairsLeaveOutValuesThatSeveralHeadsShare) {
  json config = llama();
  EXPECT_EQ(make_model(config)->foldable().size(), 2U * 3);
  config["num_key_value_heads"] = 4;
  EXPECT_EQ(make_model(config)->foldable().size(), 2U * 4);
}

TEST(Rope, BothGenerationsOfConfigsAreRead) {
  json old_one = llama();
  old_one["rope_theta"] = 500000.0;
  old_one["rope_scaling"] = {{"type", "linear"}, {"factor", 4.0}};
  json new_one = llama();
  new_one["rope_parameters"] = {{"rope_type", "linear"}, {"factor", 4.0}, {"rope_theta", 500000.0}};
  for (const json& config : {old_one, new_one}) {
    const RopeConfig rope = read_rope(config, 16, 10000);
    EXPECT_EQ(rope.theta, 500000.0);
    EXPECT_EQ(rope.type, RopeType::Linear);
    EXPECT_EQ(rope.factor, 4.0);
  }
}

TEST(Rope, LinearScalingDividesTheAngle) {
  RopeConfig rope{.type = RopeType::Linear, .theta = 10000, .dims = 4, .factor = 4};
  const RopeTables tables = rope_tables(rope, 0, 9);
  EXPECT_NEAR(tables.cosine[0][8][0].item<double>(), std::cos(2.0), 1e-6);
  EXPECT_NEAR(tables.sine[0][8][1].item<double>(), std::sin(8 / 100.0 / 4), 1e-6);
  EXPECT_NEAR(
      tables.sine[0][8][3].item<double>(), std::sin(8 / 100.0 / 4), 1e-6);  // the half repeats
}

TEST(Rope, DynamicScalingStartsWhereTheModelsLengthEnds) {
  RopeConfig rope{
      .type = RopeType::Dynamic, .theta = 10000, .dims = 4, .factor = 2, .max_positions = 8};
  RopeConfig plain = rope;
  plain.type = RopeType::Default;
  EXPECT_TRUE(rope_tables(rope, 0, 8).cosine.equal(rope_tables(plain, 0, 8).cosine));
  // 16 tokens: theta · (2 · 16 / 8 − 1)^(4 / 2) = 90000.
  plain.theta = 90000;
  EXPECT_TRUE(
      at::allclose(rope_tables(rope, 0, 16).sine, rope_tables(plain, 0, 16).sine, 1e-5, 1e-6));
}

TEST(Rope, TablesStartWhereTheTextGoesOn) {
  const RopeConfig rope{.type = RopeType::Linear, .theta = 10000, .dims = 4, .factor = 4};
  const RopeTables whole = rope_tables(rope, 0, 9);
  EXPECT_TRUE(rope_tables(rope, 7, 2).sine.equal(whole.sine.narrow(1, 7, 2)));
}

TEST(Rope, ScalingTellsHowLongATextMayBe) {
  RopeConfig rope{.type = RopeType::Default, .factor = 4, .max_positions = 64};
  rope.original_positions = 64;
  EXPECT_EQ(longest_text(rope), 64);
  EXPECT_EQ(starts_over_after(rope), 0);
  rope.type = RopeType::Dynamic;
  EXPECT_EQ(longest_text(rope), 256);
  rope.type = RopeType::Yarn;
  rope.original_positions = 16;
  EXPECT_EQ(longest_text(rope), 64);
  rope.type = RopeType::LongRope;
  EXPECT_EQ(longest_text(rope), 64);
  EXPECT_EQ(starts_over_after(rope), 16);
}

TEST(Rope, PartialRotationLeavesTheRest) {
  json config = llama();
  config["partial_rotary_factor"] = 0.5;
  const RopeConfig rope = read_rope(config, 16, 10000);
  EXPECT_EQ(rope.dims, 8);
  const RopeTables tables = rope_tables(rope, 0, 3);
  const at::Tensor x = at::arange(48).to(at::kFloat).view({1, 3, 1, 16});
  const at::Tensor turned =
      kernels::rotate_heads(x, tables.cosine, tables.sine).view({1, 3, 1, 16});
  EXPECT_TRUE(turned.narrow(-1, 8, 8).equal(x.narrow(-1, 8, 8)));
  EXPECT_FALSE(turned.narrow(-1, 0, 8).equal(x.narrow(-1, 0, 8)));
}

}  // namespace
}  // namespace oneshot
