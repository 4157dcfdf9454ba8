// The candidates of the search for a starting scale.
#pragma once

namespace oneshot::kernels {

/// Candidate k, −steps … steps, has the inverse scale −(2^(bits−1) − step · k) ÷ largest, the one
/// of the largest magnitude with its sign. k = 0 is tried first, then the others in order.
/// Source: search_scales of data_type/int.py of auto-round.
struct SearchGrid {
  double step;
  int steps;
};

constexpr SearchGrid search_grid(int bits) {
  constexpr int kSteps = 100;
  constexpr double kReach = 0.75;  // of 2^(bits−1), both ways
  return bits == 2 ? SearchGrid{0.01, 90} : SearchGrid{kReach * (1 << (bits - 1)) / kSteps, kSteps};
}

}  // namespace oneshot::kernels
