#include "engine/evaluate/answer_score.h"

#include <algorithm>
#include <array>
#include <map>

#include "engine/text/jinja_text.h"

namespace oneshot {
namespace {

constexpr std::string_view kPunctuation = ";/[]\"{}()=+\\_-><@`!";
constexpr std::string_view kTakenOut = ",?";
constexpr double kAgreeing = 3;  // people whose answer is right for sure

constexpr std::array<std::string_view, 3> kArticles{"a", "an", "the"};
constexpr std::array<std::string_view, 11> kNumbers{
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"};

/// Without those that are another word when the apostrophe is missing: we're, she'll, it's.
constexpr std::string_view kContractions[] = {
    "ain't",        "aren't",     "can't",     "could've",   "couldn't",     "couldn't've",
    "didn't",       "doesn't",    "don't",     "hadn't",     "hadn't've",    "hasn't",
    "haven't",      "he'd",       "he'd've",   "he's",       "how'd",        "how'll",
    "how's",        "i'd've",     "i'm",       "i've",       "isn't",        "it'd",
    "it'd've",      "it'll",      "ma'am",     "might've",   "mightn't",     "mightn't've",
    "must've",      "mustn't",    "needn't",   "o'clock",    "oughtn't",     "shan't",
    "she'd've",     "she's",      "should've", "shouldn't",  "shouldn't've", "somebody'd",
    "somebody'll",  "somebody's", "someone'd", "someone'll", "someone's",    "something'd",
    "something'll", "that'd",     "that's",    "there'd",    "there're",     "there's",
    "they'd",       "they'd've",  "they'll",   "they're",    "they've",      "'twas",
    "wasn't",       "we'd've",    "we've",     "weren't",    "what'll",      "what're",
    "what's",       "what've",    "when's",    "where'd",    "where's",      "where've",
    "who'd",        "who'll",     "who's",     "who've",     "why'll",       "why're",
    "why's",        "won't",      "would've",  "wouldn't",   "wouldn't've",  "y'all",
    "you'd",        "you'd've",   "you'll",    "you're",     "you've"};

std::string without(std::string_view text, std::string_view characters) {
  std::string kept(text);
  std::erase_if(kept, [&](char c) { return characters.find(c) != std::string_view::npos; });
  return kept;
}

/// Their right spelling, by their letters.
std::map<std::string, std::string_view> contractions_by_letters() {
  std::map<std::string, std::string_view> right;
  for (const std::string_view contraction : kContractions) {
    right[without(contraction, "'")] = contraction;
  }
  return right;
}

/// A blank for every character of white space, and none at the ends.
std::string on_one_line(std::string_view text) {
  std::string line;
  for (const std::string_view character : jinja::characters(jinja::strip(text))) {
    line += jinja::is_space(jinja::code_point(character)) ? " " : std::string(character);
  }
  return line;
}

bool stands_beside_blank(std::string_view text, char mark) {
  const std::string before{mark, ' '};
  const std::string behind{' ', mark};
  return text.find(before) != std::string_view::npos || text.find(behind) != std::string_view::npos;
}

std::string without_punctuation(std::string_view text) {
  std::string kept;
  for (const char c : text) {
    if (kPunctuation.find(c) == std::string_view::npos) {
      kept += c;
    } else if (!stands_beside_blank(text, c)) {
      kept += ' ';
    }
  }
  return kept;
}

std::string without_full_stops(std::string_view text) {
  std::string kept;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool before_digit = i + 1 < text.size() && text[i + 1] >= '0' && text[i + 1] <= '9';
    if (text[i] != '.' || before_digit) {
      kept += text[i];
    }
  }
  return kept;
}

/// The word as it is compared; empty for an article.
std::string normalized_word(const std::string& word) {
  static const std::map<std::string, std::string_view> kRight = contractions_by_letters();
  if (std::find(kArticles.begin(), kArticles.end(), word) != kArticles.end()) {
    return "";
  }
  if (word == "none") {
    return "0";
  }
  const auto number = std::find(kNumbers.begin(), kNumbers.end(), word);
  if (number != kNumbers.end()) {
    return std::to_string(number - kNumbers.begin());
  }
  const auto found = kRight.find(without(word, "'"));
  return found != kRight.end() ? std::string(found->second) : word;
}

std::string normalized_words(std::string_view text) {
  std::string words;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find(' ', begin), text.size());
    const std::string word = normalized_word(std::string(text.substr(begin, end - begin)));
    begin = end + 1;
    if (!word.empty()) {
      words += (words.empty() ? "" : " ") + word;
    }
  }
  return words;
}

}  // namespace

std::string normalized_answer(std::string_view text) {
  const std::string line = on_one_line(without(jinja::to_lower(text), kTakenOut));
  return normalized_words(without_full_stops(without_punctuation(line)));
}

double answer_score(std::string_view text, std::span<const std::string> answers) {
  const std::string given = normalized_answer(text);
  const auto equal =
      static_cast<double>(std::count_if(answers.begin(), answers.end(), [&](const auto& answer) {
        return normalized_answer(answer) == given;
      }));
  if (answers.size() < 3) {
    return equal > 0 ? 1 : 0;
  }
  const auto all = static_cast<double>(answers.size());
  const double an_equal_left_out = std::min(1.0, (equal - 1) / kAgreeing);
  const double another_left_out = std::min(1.0, equal / kAgreeing);
  return (equal * an_equal_left_out + (all - equal) * another_left_out) / all;
}

}  // namespace oneshot
