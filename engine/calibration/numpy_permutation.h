// The order in which numpy would shuffle rows: what the datasets library, and so auto-round, does.
#pragma once

#include <cstdint>
#include <vector>

namespace oneshot {

/// The numbers 0 … count − 1 in the order of numpy.random.default_rng(seed).permutation(count).
/// Source: numpy 2.4: SeedSequence, PCG64 (O'Neill, HMC-CS-2014-0905, XSL RR 128/64), Fisher and
/// Yates from the top with masked rejection. count ≥ 0.
std::vector<int64_t> numpy_permutation(uint64_t seed, int64_t count);

}  // namespace oneshot
