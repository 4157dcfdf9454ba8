// Where a scale can move within a model.
#pragma once

#include <string>
#include <vector>

namespace oneshot {

/// Modules between which a scale can move without changing the function: from the output channels
/// of one into the input channels of others.
struct FoldablePair {
  std::string from;
  std::vector<std::string> into;
};

}  // namespace oneshot
