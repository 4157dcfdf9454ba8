// Orders as numpy 2.4 gave them: tests/data/calibration/make.py.
#include "engine/calibration/numpy_permutation.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "engine/checkpoint/sha256.h"
#include "tests/support/temporary_folder.h"

namespace oneshot {
namespace {

TEST(NumpyPermutation, IsNumpysForEverySeedAndCount) {
  const auto expected =
      nlohmann::json::parse(read_file(ONESHOT_TEST_DATA "/calibration/expected.json"));
  ASSERT_EQ(expected["permutations"].size(), 7U);
  for (const auto& golden : expected["permutations"]) {
    std::string text;
    std::vector<int64_t> begin;
    for (const int64_t i : numpy_permutation(golden["seed"], golden["count"])) {
      text += (text.empty() ? "" : ",") + std::to_string(i);
      if (begin.size() < 40) {
        begin.push_back(i);
      }
    }
    EXPECT_EQ(begin, golden["begin"].get<std::vector<int64_t>>()) << golden["seed"];
    EXPECT_EQ(sha256_hex(text), golden["sha256"]) << golden["seed"];
  }
}

TEST(NumpyPermutation, BeginsAsTheDefaultDatasetOfAutoRoundDoes) {
  // pile-10k, seed 42
  const std::vector<int64_t> order = numpy_permutation(42, 10000);
  EXPECT_EQ(std::vector<int64_t>(order.begin(), order.begin() + 6),
            (std::vector<int64_t>{8132, 8268, 719, 8237, 4555, 6651}));
}

}  // namespace
}  // namespace oneshot
