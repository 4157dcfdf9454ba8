// What is known of a model's sizes without its weights.
#pragma once

#include <cstdint>

namespace oneshot {

struct ModelSizes {
  int64_t hidden = 0;             // of a hidden state
  int64_t vocabulary = 0;         // tokens
  int64_t longest_text = 0;       // tokens that a text may have; 0: not known
  int64_t starts_over_after = 0;  // a text that grows past so many tokens is read anew; 0: never
};

}  // namespace oneshot
