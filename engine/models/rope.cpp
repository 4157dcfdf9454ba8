#include "engine/models/rope.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "engine/error.h"
#include "engine/models/config_reader.h"

namespace oneshot {
namespace {

using nlohmann::json;

RopeType type_of(const std::string& name) {
  const std::pair<const char*, RopeType> types[] = {{"default", RopeType::Default},
                                                    {"mrope", RopeType::Default},
                                                    {"linear", RopeType::Linear},
                                                    {"dynamic", RopeType::Dynamic},
                                                    {"llama3", RopeType::Llama3},
                                                    {"yarn", RopeType::Yarn},
                                                    {"longrope", RopeType::LongRope},
                                                    {"su", RopeType::LongRope}};
  for (const auto& [known, type] : types) {
    if (name == known) {
      return type;
    }
  }
  throw Error(ErrorCode::Unsupported, "config.json: rope type '" + name + "' is not supported");
}

/// θ^(−2k / dims), k = 0 … dims / 2 − 1.
at::Tensor base_frequencies(double theta, int64_t dims) {
  const at::Tensor exponent =
      at::arange(0, dims, 2, at::kLong).to(at::kFloat) / static_cast<double>(dims);
  return 1.0 / at::pow(theta, exponent);
}

at::Tensor llama3_frequencies(const RopeConfig& config, const at::Tensor& base) {
  const auto original = static_cast<double>(config.original_positions);
  const at::Tensor wavelength = 2 * std::numbers::pi / base;
  const at::Tensor smooth = (original / wavelength - config.low_frequency_factor) /
                            (config.high_frequency_factor - config.low_frequency_factor);
  const at::Tensor stretched = base / config.factor;
  const at::Tensor between = (1 - smooth) * stretched + smooth * base;
  const at::Tensor low =
      at::where(wavelength > original / config.low_frequency_factor, stretched, between);
  return at::where(wavelength < original / config.high_frequency_factor, base, low);
}

at::Tensor yarn_frequencies(const RopeConfig& config, const at::Tensor& base) {
  const auto dims = static_cast<double>(config.dims);
  const auto original = static_cast<double>(config.original_positions);
  const auto dimension_of = [&](double rotations) {
    return dims * std::log(original / (rotations * 2 * std::numbers::pi)) /
           (2 * std::log(config.theta));
  };
  double low = dimension_of(config.beta_fast);
  double high = dimension_of(config.beta_slow);
  if (config.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, dims - 1);
  if (low == high) {
    high += 0.001;
  }
  const at::Tensor ramp =
      ((at::arange(config.dims / 2, at::kLong).to(at::kFloat) - low) / (high - low)).clamp(0, 1);
  return base / config.factor * ramp + base * (1 - ramp);
}

at::Tensor frequencies(const RopeConfig& config, int64_t length) {
  const at::Tensor base = base_frequencies(config.theta, config.dims);
  switch (config.type) {
    case RopeType::Default:
      return base;
    case RopeType::Linear:
      return base / config.factor;
    case RopeType::Llama3:
      return llama3_frequencies(config, base);
    case RopeType::Yarn:
      return yarn_frequencies(config, base);
    case RopeType::Dynamic: {
      const auto dims = static_cast<double>(config.dims);
      const auto max = static_cast<double>(config.max_positions);
      const double seen = std::max(static_cast<double>(length), max);
      const double growth = config.factor * seen / max - (config.factor - 1);
      return base_frequencies(config.theta * std::pow(growth, dims / (dims - 2)), config.dims);
    }
    case RopeType::LongRope: {
      const bool is_long = length > config.original_positions;
      return base / at::tensor(is_long ? config.long_factor : config.short_factor, at::kFloat);
    }
  }
  return base;
}

/// What cosine and sine are multiplied with.
double attention_scale(const RopeConfig& config) {
  if (config.attention_factor) {
    return *config.attention_factor;
  }
  if (config.factor <= 1) {
    return 1;
  }
  if (config.type == RopeType::LongRope) {
    return std::sqrt(1 + std::log(config.factor) /
                             std::log(static_cast<double>(config.original_positions)));
  }
  if (config.type != RopeType::Yarn) {
    return 1;
  }
  const auto scale = [&](double m) { return 0.1 * m * std::log(config.factor) + 1; };
  return config.mscale && config.mscale_all_dims
             ? scale(*config.mscale) / scale(*config.mscale_all_dims)
             : scale(1);
}

void read_longrope(const ConfigReader& rope, RopeConfig& config, bool has_factor) {
  config.short_factor = rope.numbers("short_factor");
  config.long_factor = rope.numbers("long_factor");
  const auto wanted = static_cast<size_t>(config.dims / 2);
  if (config.short_factor.size() != wanted || config.long_factor.size() != wanted) {
    throw Error(ErrorCode::Checkpoint,
                "config.json: short_factor and long_factor must have " + std::to_string(wanted) +
                    " numbers");
  }
  if (!has_factor) {
    config.factor =
        static_cast<double>(config.max_positions) / static_cast<double>(config.original_positions);
  }
}

/// Of the angles of one half of the dims, [T, dims / 2].
RopeTables tables_of(const RopeConfig& config, const at::Tensor& half) {
  const at::Tensor angle = at::cat({half, half}, -1).unsqueeze(0);  // [1, T, dims]
  const double scale = attention_scale(config);
  return {angle.cos() * scale, angle.sin() * scale};
}

}  // namespace

RopeConfig read_rope(const json& model, int64_t head_dim, double default_theta) {
  const ConfigReader top(model, "config.json");
  const bool is_new = top.has("rope_parameters");
  const ConfigReader rope = top.section(is_new ? "rope_parameters" : "rope_scaling");
  RopeConfig config;
  config.theta = is_new && rope.has("rope_theta") ? rope.number("rope_theta", default_theta)
                                                  : top.number("rope_theta", default_theta);
  const std::string type =
      rope.has("rope_type") ? rope.text("rope_type", "default") : rope.text("type", "default");
  config.type = type_of(type);
  const double partial = rope.has("partial_rotary_factor") ? rope.number("partial_rotary_factor", 1)
                                                           : top.number("partial_rotary_factor", 1);
  config.dims = static_cast<int64_t>(static_cast<double>(head_dim) * partial) / 2 * 2;
  config.max_positions = top.integer("max_position_embeddings", 2048);
  config.original_positions =
      top.integer("original_max_position_embeddings",
                  rope.integer("original_max_position_embeddings", config.max_positions));
  config.factor = rope.number("factor", 1);
  config.low_frequency_factor = rope.number("low_freq_factor", 1);
  config.high_frequency_factor = rope.number("high_freq_factor", 4);
  config.beta_fast = rope.number("beta_fast", 32);
  config.beta_slow = rope.number("beta_slow", 1);
  config.truncate = rope.boolean("truncate", true);
  config.sections = rope.integers("mrope_section");
  config.attention_factor = rope.optional_number("attention_factor");
  config.mscale = rope.optional_number("mscale");
  config.mscale_all_dims = rope.optional_number("mscale_all_dim");
  const bool has_factor = rope.has("factor");
  if (config.type == RopeType::LongRope) {
    read_longrope(rope, config, has_factor);
  } else if (config.type == RopeType::Yarn && !has_factor) {
    config.factor =
        static_cast<double>(config.max_positions) / static_cast<double>(config.original_positions);
  }
  return config;
}

RopeTables rope_tables(const RopeConfig& config, int64_t first, int64_t length) {
  const int64_t end = first + length;
  const at::Tensor positions = at::arange(first, end, at::kLong).to(at::kFloat);
  return tables_of(config, at::outer(positions, frequencies(config, end)));
}

RopeTables rope_tables(const RopeConfig& config, const at::Tensor& positions) {
  std::vector<int64_t> row_of;  // by frequency
  for (size_t row = 0; row < config.sections.size(); ++row) {
    row_of.insert(
        row_of.end(), static_cast<size_t>(config.sections[row]), static_cast<int64_t>(row));
  }
  row_of.resize(static_cast<size_t>(config.dims / 2));
  const at::Tensor turns =  // [T, dims / 2]
      positions.to(at::kFloat).index_select(0, at::tensor(row_of)).t();
  const int64_t end = positions.max().item<int64_t>() + 1;
  return tables_of(config, turns * frequencies(config, end));
}

int64_t longest_text(const RopeConfig& config) {
  if (config.type == RopeType::Default || config.type == RopeType::Llama3 ||
      config.type == RopeType::LongRope) {
    return config.max_positions;
  }
  const double stretched = static_cast<double>(config.original_positions) * config.factor;
  return std::max(config.max_positions, static_cast<int64_t>(stretched));
}

int64_t starts_over_after(const RopeConfig& config) {
  return config.type == RopeType::LongRope ? config.original_positions : 0;
}

}  // namespace oneshot
