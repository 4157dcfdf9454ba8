#include "engine/nearest_word.h"

#include <gtest/gtest.h>

#include <vector>

namespace oneshot {
namespace {

const std::vector<std::string>& words() {
  static const std::vector<std::string> kWords = {
      "iterations", "ignore", "bits", "auto_round", "W4A16"};
  return kWords;
}

TEST(NearestWord, ForgivesOneEditForEveryThreeLetters) {
  EXPECT_EQ(nearest("iteration", words()), "iterations");
  EXPECT_EQ(nearest("itertaions", words()), "iterations");
  EXPECT_EQ(nearest("ignroe", words()), "ignore");
  EXPECT_EQ(nearest("bit", words()), "bits");
  EXPECT_EQ(nearest("w4a61", words()), "W4A16");
  EXPECT_EQ(nearest("Auto-Round", words()), "auto_round");
}

TEST(NearestWord, SaysNothingWhenNoneIsNear) {
  EXPECT_EQ(nearest("", words()), std::nullopt);
  EXPECT_EQ(nearest("x", words()), std::nullopt);
  EXPECT_EQ(nearest("biases", words()), std::nullopt);
  EXPECT_EQ(nearest("observer", words()), std::nullopt);
  EXPECT_EQ(nearest(std::string(1 << 20, 'i'), words()), std::nullopt);
  EXPECT_EQ(nearest("bits", {}), std::nullopt);
}

TEST(NearestWord, TakesTheNearestAndTheFirstOfEquals) {
  const std::vector<std::string> similar = {"sample", "samples", "simples"};
  EXPECT_EQ(nearest("samples", similar), "samples");
  EXPECT_EQ(nearest("saples", similar), "samples");
  EXPECT_EQ(nearest("smples", similar), "samples");
}

}  // namespace
}  // namespace oneshot
