// Rotary position embeddings and the ways in which they are stretched to longer texts.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

namespace oneshot {

enum class RopeType { Default, Linear, Dynamic, Llama3, Yarn, LongRope };

/// Source: arXiv:2104.09864; scaling as Transformers computes it (modeling_rope_utils.py).
struct RopeConfig {
  RopeType type = RopeType::Default;
  double theta = 10000;
  int64_t dims = 0;  // of a head that are rotated
  double factor = 1;
  int64_t max_positions = 0;                                   // of the model
  int64_t original_positions = 0;                              // of its first training
  double low_frequency_factor = 1, high_frequency_factor = 4;  // llama3
  double beta_fast = 32, beta_slow = 1;                        // yarn
  bool truncate = true;
  std::optional<double> attention_factor, mscale, mscale_all_dims;
  std::vector<double> short_factor, long_factor;  // longrope, dims / 2 each
  std::vector<int64_t> sections;  // of dims / 2: how many turn by each row of positions; empty: all
                                  // by the first
};

/// Reads `rope_parameters`, `rope_scaling` or plain `rope_theta` of a config.
/// throws Checkpoint for damaged values, Unsupported for an unknown type.
RopeConfig read_rope(const nlohmann::json& config, int64_t head_dim, double default_theta);

struct RopeTables {
  at::Tensor cosine, sine;  // float32 [1, T, dims], scaled
};

/// For positions first … first + length − 1 of a text that has been read up to there: dynamic and
/// longrope scaling depend on where it ends.
RopeTables rope_tables(const RopeConfig& config, int64_t first, int64_t length);

/// For positions int64 [sections, T], T above 0: where a token stands in time, down and across.
/// Source: arXiv:2409.12191, section 2.1 (M-RoPE).
RopeTables rope_tables(const RopeConfig& config, const at::Tensor& positions);

/// Tokens that a text may have: the model's positions, stretched where the scaling says so.
int64_t longest_text(const RopeConfig& config);

/// The text length past which keys that were rotated before it no longer fit (longrope changes all
/// angles there); 0: there is none. Keys of the dynamic scaling stay as they were rotated, as
/// Transformers leaves them.
int64_t starts_over_after(const RopeConfig& config);

}  // namespace oneshot
