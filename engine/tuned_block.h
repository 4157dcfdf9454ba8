// What came out of tuning a block.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/quant/quantized_weight.h"

namespace oneshot {

struct TunedBlock {
  std::string name;
  size_t number = 0;                               // in the order of tuning
  std::map<std::string, QuantizedWeight> weights;  // by module, whole
  std::vector<double> losses;       // mean square error of the block's output before each step
  int64_t best = 0;                 // the iteration whose parameters were kept
  double seconds = 0;               // that it took
  std::vector<std::string> unseen;  // modules that no sample went through
  std::string failure;  // why the block was rounded to nearest instead; empty: it was not
};

}  // namespace oneshot
