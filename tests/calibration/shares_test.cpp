// How several datasets share the samples.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/calibration/small_calibration.h"

namespace oneshot {
namespace {

using testing::ElementsAre;

/// Three datasets of one-token rows: so many of a, of b and of c.
class Shares : public testing::Test {
 protected:
  CalibrationRequest request(std::vector<int64_t> sizes, int64_t samples) const {
    CalibrationRequest made = request_for("", samples, 1);
    made.datasets.clear();
    for (size_t i = 0; i < sizes.size(); ++i) {
      const std::string letter(1, static_cast<char>('a' + i));
      std::string rows;
      for (int64_t n = 0; n < sizes[i]; ++n) {
        rows += "\"" + letter + "\"\n";
      }
      made.datasets.push_back({.path = small_.write(letter + ".jsonl", rows)});
    }
    return made;
  }

  /// How many samples each dataset gave, and that they stand in its order.
  std::vector<int64_t> taken(const CalibrationRequest& asked) const {
    const CalibrationData data = load_calibration(asked, small_.model);
    EXPECT_TRUE(std::is_sorted(data.rows.begin(), data.rows.end()));
    std::vector<int64_t> counts(asked.datasets.size());
    for (const auto& row : data.rows) {
      ++counts[static_cast<size_t>(row.at(0))];
    }
    return counts;
  }

  SmallModel small_;
};

TEST_F(Shares, AreEqual) {
  EXPECT_THAT(taken(request({9, 9, 9}, 6)), ElementsAre(2, 2, 2));
  EXPECT_THAT(taken(request({9, 9, 9}, 8)), ElementsAre(3, 3, 2));
  EXPECT_THAT(taken(request({9, 9, 9}, 2)), ElementsAre(1, 1, 0));
}

TEST_F(Shares, GoToTheOthersWhereADatasetEnds) {
  EXPECT_THAT(taken(request({1, 9, 9}, 9)), ElementsAre(1, 4, 4));
  EXPECT_THAT(taken(request({1, 2, 9}, 12)), ElementsAre(1, 2, 9));
}

TEST_F(Shares, AreWhatNamedNumbersLeave) {
  CalibrationRequest asked = request({9, 9, 9}, 9);
  asked.datasets[1].samples = 5;
  EXPECT_THAT(taken(asked), ElementsAre(2, 5, 2));
  asked.datasets[0].samples = 1;
  asked.datasets[2].samples = 3;
  EXPECT_THAT(taken(asked), ElementsAre(1, 5, 3));
}

TEST_F(Shares, AreCutToTheSamples) {
  CalibrationRequest asked = request({9, 9, 9}, 6);
  asked.datasets[0].samples = 4;
  asked.datasets[1].samples = 4;
  EXPECT_THAT(taken(asked), ElementsAre(4, 2, 0));
}

TEST_F(Shares, AreJoinedAndShuffled) {
  CalibrationRequest asked = request({5, 5}, 10);
  asked.shuffle = true;
  // numpy.random.default_rng(42).permutation(10): 5 6 0 7 3 2 4 9 1 8
  EXPECT_THAT(load_calibration(asked, small_.model).rows,
              ElementsAre(Rows::value_type{1},
                          Rows::value_type{1},
                          Rows::value_type{0},
                          Rows::value_type{1},
                          Rows::value_type{0},
                          Rows::value_type{0},
                          Rows::value_type{0},
                          Rows::value_type{1},
                          Rows::value_type{0},
                          Rows::value_type{1}));
}

TEST_F(Shares, ThatCannotFillTheSamplesAreRefused) {
  CalibrationRequest asked = request({9, 9}, 9);
  asked.datasets[0].samples = 3;
  asked.datasets[1].samples = 4;
  expect_error(
      ErrorCode::Recipe,
      "recipe.yaml:2:1: the datasets give 7 samples, 'samples' asks for 9; make them equal",
      [&] { load_calibration(asked, small_.model); });
  asked.allow_fewer = true;
  EXPECT_THAT(taken(asked), ElementsAre(3, 4));
}

TEST_F(Shares, OfADatasetThatEndsEarlyAreNamed) {
  CalibrationRequest asked = request({2, 9}, 8);
  asked.datasets[0].samples = 4;
  const std::string message = "recipe.yaml:2:1: '" + small_.folder.string() +
                              "/a.jsonl' has 2 of the 4 samples of 1 tokens asked for (of 2 rows 0 "
                              "are shorter, 0 repeat one token and 0 hold none)";
  expect_error(ErrorCode::Checkpoint,
               message +
                   "; give more data, lower 'samples' or 'sequence_length', write `short: "
                   "pack`, or `allow_fewer: true`",
               [&] { load_calibration(asked, small_.model); });
  asked.allow_fewer = true;
  EXPECT_THAT(taken(asked), ElementsAre(2, 4));
  EXPECT_THAT(load_calibration(asked, small_.model).warnings, ElementsAre(message));
}

}  // namespace
}  // namespace oneshot
