// Short answers, worked out by hand from the rules that VQA and TextVQA publish for their
// evaluation.
#include "engine/evaluate/answer_score.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace oneshot {
namespace {

struct Case {
  const char* text;
  const char* normalized;
};

TEST(NormalizedAnswer, FollowsThePublishedRules) {
  const Case cases[] = {
      {"", ""},
      {"The dogs.", "dogs"},
      {" \n A\tcat\r\nand an Owl\u00a0", "cat and owl"},
      {"ÉCOLE", "école"},
      {"theatre", "theatre"},
      {"two", "2"},
      {"None", "0"},
      {"zero one three four five six seven eight nine ten", "0 1 3 4 5 6 7 8 9 10"},
      {"eleven", "eleven"},
      {"10,000", "10000"},
      {"yes, red,blue?", "yes redblue"},
      {"it's 5.5", "it's 5.5"},
      {"U.S.A.", "usa"},
      {"about .5", "about .5"},
      {"5.", "5"},
      {"2:50 pm", "2:50 pm"},
      {"girl's", "girl's"},
      {"50% & $3 #1", "50% & $3 #1"},
  };
  for (const Case& one : cases) {
    EXPECT_EQ(normalized_answer(one.text), one.normalized) << one.text;
  }
}

TEST(NormalizedAnswer, PunctuationIsABlankWhereItStandsBesideNone) {
  const Case cases[] = {
      {"(red)", "red"},
      {"red/green", "red green"},
      {"red / green", "red green"},
      {"t-shirt", "t shirt"},
      {"t-shirt - blue", "tshirt blue"},  // a hyphen beside a blank takes all of them away
      {"t-shirt /blue", "t shirt blue"},  // of one mark alone
      {"[a]{b}\"c\"_<d>;e=f+g\\h@i`j!", "b c d e f g h i j"},
  };
  for (const Case& one : cases) {
    EXPECT_EQ(normalized_answer(one.text), one.normalized) << one.text;
  }
}

TEST(NormalizedAnswer, GivesContractionsTheirApostrophe) {
  const Case cases[] = {
      {"dont", "don't"},
      {"Don't", "don't"},
      {"couldn'tve", "couldn't've"},
      {"couldnt've", "couldn't've"},
      {"7 oclock", "7 o'clock"},
      {"its well", "its well"},
      {"we're", "we're"},
  };
  for (const Case& one : cases) {
    EXPECT_EQ(normalized_answer(one.text), one.normalized) << one.text;
  }
}

std::vector<std::string> ten_answers(size_t equal) {
  std::vector<std::string> answers{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"};
  std::fill(answers.begin(), answers.begin() + static_cast<int64_t>(equal), "Stop.");
  return answers;
}

TEST(AnswerScore, OfManyAnswersIsTheMeanOverLeavingOutEach) {
  EXPECT_DOUBLE_EQ(answer_score("stop", ten_answers(0)), 0);
  EXPECT_DOUBLE_EQ(answer_score("stop", ten_answers(1)), 0.3);  // 9 × 1/3 and 1 × 0
  EXPECT_DOUBLE_EQ(answer_score("stop", ten_answers(2)), 0.6);  // 8 × 2/3 and 2 × 1/3
  EXPECT_DOUBLE_EQ(answer_score("stop", ten_answers(3)), 0.9);  // 7 × 1 and 3 × 2/3
  EXPECT_DOUBLE_EQ(answer_score("stop", ten_answers(4)), 1);
  EXPECT_DOUBLE_EQ(answer_score("The STOP!", ten_answers(10)), 1);
  const std::vector<std::string> three{"stop", "stop", "go"};
  EXPECT_DOUBLE_EQ(answer_score("stop", three), 4.0 / 9);  // 1 × 2/3 and 2 × 1/3
}

TEST(AnswerScore, OfOneOrTwoAnswersIsAllOrNothing) {
  const std::vector<std::string> one{"two dogs"};
  EXPECT_EQ(answer_score("2 dogs", one), 1);
  EXPECT_EQ(answer_score("2 dogs and a cat", one), 0);
  const std::vector<std::string> two{"Paris", "Lutetia"};
  EXPECT_EQ(answer_score("lutetia.", two), 1);
  EXPECT_EQ(answer_score("Rome", two), 0);
}

}  // namespace
}  // namespace oneshot
