// Short answers in free words, compared with those of people.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace oneshot {

/// An answer as it is compared: lower case; white space as single blanks; no commas, question marks
/// and articles; other punctuation away where it stands beside a blank anywhere in the text, else
/// a blank; full stops away but before a digit; none, zero … ten as digits; contractions with their
/// apostrophe. Apostrophes, colons and # $ % & * ^ | ~ stay. UTF-8.
/// Source: the evaluations of VQA, arXiv:1505.00468, and of TextVQA, arXiv:1904.08920. Differs:
/// contractions are taken from a list of their correct spellings, so "im" is "i'm" too; and 's
/// stays with its word.
std::string normalized_answer(std::string_view text);

/// How right a text is, 0 to 1. With one or two answers: 1 when it equals one of them. With more:
/// the mean, over leaving out each answer in turn, of min(1, equal ones among the others ÷ 3).
/// Equal means: once normalized. answers: one or more.
/// Source: arXiv:1505.00468, section 3, averaged as their evaluation does.
double answer_score(std::string_view text, std::span<const std::string> answers);

}  // namespace oneshot
