// Hooks see what a module computed, for as long as their handle lives.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "engine/graph/layers.h"

namespace oneshot {
namespace {

Weights identity() {
  return {[](const std::string&) { return true; },
          [](const std::string&) { return at::eye(2) * 2; }};
}

TEST(Hooks, SeeNameInputAndOutput) {
  Linear linear("layer", 2, 2, false);
  linear.load(identity());
  int calls = 0;
  const HookHandle handle = linear.add_hook([&](const HookCall& call) {
    ++calls;
    EXPECT_EQ(call.module, "layer");
    EXPECT_TRUE(call.output.equal(call.input * 2));
  });
  linear.forward(at::ones({1, 2}));
  linear.forward(at::ones({3, 2}));
  EXPECT_EQ(calls, 2);
}

TEST(Hooks, AreDroppedWithTheirHandle) {
  Linear linear("layer", 2, 2, false);
  linear.load(identity());
  int first = 0;
  int second = 0;
  HookHandle kept = linear.add_hook([&](const HookCall&) { ++first; });
  {
    const HookHandle dropped = linear.add_hook([&](const HookCall&) { ++second; });
    linear.forward(at::ones({1, 2}));
  }
  linear.forward(at::ones({1, 2}));
  EXPECT_EQ(first, 2);
  EXPECT_EQ(second, 1);
  kept = linear.add_hook([&](const HookCall&) { ++second; });  // drops the first
  linear.forward(at::ones({1, 2}));
  EXPECT_EQ(first, 2);
  EXPECT_EQ(second, 2);
}

TEST(Hooks, MayOutliveTheModule) {
  auto linear = std::make_unique<Linear>("layer", 2, 2, false);
  const HookHandle handle = linear->add_hook([](const HookCall&) {});
  linear.reset();
}

}  // namespace
}  // namespace oneshot
