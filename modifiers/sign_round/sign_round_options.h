// What `sign_round` is asked to do, apart from which modules and which scheme.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/modifier.h"
#include "recipes/option.h"

namespace oneshot {

/// What errors of a block's output are measured against.
enum class LossKind { Absolute, Relative };  // Relative: the size of the token's output

struct SignRoundOptions {
  int64_t iterations = 200;          // steps a block; 0: rounded to nearest
  size_t batch_size = 8;             // samples whose losses are added
  size_t gradient_accumulation = 1;  // batches a step
  LossKind loss = LossKind::Relative;
  double learning_rate = 0;         // of the rounding, at the first step; 0: see rate_of
  double minmax_learning_rate = 0;  // of the range factors; 0: see range_rate_of
  int64_t early_stopping = 0;       // steps without a lower loss after which a block ends; 0: never
  bool quantized_input = true;      // see Traits
  bool scale_search = false;        // begin with the scale of least weighted error
  bool round_failures = false;      // a block whose loss is not finite is rounded to nearest
  Unseen unseen = Unseen::Stop;

  /// Whether anything is to be found out on data.
  bool tunes() const { return iterations > 0 || scale_search; }
  /// Of the rounding of weights of so many bits: as given, else 0.7 ÷ iterations, and twice
  /// that from 1000 iterations on with 3 bits and fewer.
  double rate_of(int bits) const;
  /// Of the range factors: as given, else a fifth of `rate_of`.
  double range_rate_of(int bits) const;
};

/// The rows of these in the table of sign_round's options.
std::vector<recipes::Option> tuning_options();

/// Checked options; `quality` fills in what is not given.
SignRoundOptions read_tuning(const recipes::OptionValues& options);

}  // namespace oneshot
