#include "modifiers/quantize/quantize_modifier.h"

#include <ATen/ATen.h>

#include "engine/error.h"
#include "modifiers/quantize/input_ranges.h"
#include "modifiers/quantize/quantize_math.h"
#include "recipes/quantizing_options.h"

namespace oneshot {
namespace {

class Quantize : public Modifier {
 public:
  Quantize(Scheme scheme, Selection selection, std::optional<QuantArgs> caches)
      : scheme_(std::move(scheme)), selection_(std::move(selection)), caches_(std::move(caches)) {}

  std::string name() const override { return "quantize"; }
  Traits traits() const override {
    return {.quantizes = true, .needs_calibration = scheme_.needs_calibration() || caches_};
  }

  void plan(PlanBuilder& builder) const override {
    const std::vector<Choice> choices = builder.select(selection_);
    const bool whole_tensor = scheme_.weights.strategy == Strategy::Tensor;
    for (size_t m = 0; m < choices.size(); ++m) {
      if (!choices[m].selected) {
        builder.leave(m, choices[m]);
        continue;
      }
      builder.quantize(m, scheme_, choices[m], selection_);
      if (whole_tensor || scheme_.weights.has_global_scale()) {
        builder.measure(m, scheme_.weights.has_global_scale());
      }
    }
    if (caches_) {
      builder.quantize_caches(*caches_);
    }
  }

  std::unique_ptr<BlockWork> observe(const CalibratedBlock& block,
                                     CalibrationResults& results) const override {
    return measure_inputs(block, results);
  }

  Statistics measure(const Rows& rows) const override {
    const ValueRange range = tensor_range(rows.values);
    if (!at::isfinite(range.max).item<bool>()) {
      refuse_not_finite(rows);
    }
    return {range.min, range.max};
  }

  QuantizedWeight quantize(const Rows& rows, const Statistics& statistics) const override {
    auto weight = round_to_nearest(scheme_, rows.values, {statistics.min, statistics.max});
    if (!weight) {
      refuse_not_finite(rows);
    }
    return *std::move(weight);
  }

 private:
  Scheme scheme_;
  Selection selection_;
  std::optional<QuantArgs> caches_;  // how keys and values are kept; absent: as they are
};

}  // namespace

std::vector<recipes::Option> quantize_options() {
  std::vector<recipes::Option> options = recipes::quantizing_options();
  for (recipes::Option& option : recipes::observer_options()) {
    options.push_back(std::move(option));
  }
  options.push_back({.name = "kv_cache_scheme",
                     .words = {"FP8"},
                     .spelling = recipes::Spelling::AnyCase,
                     .example = "kv_cache_scheme: FP8",
                     .description = "How attentions keep keys and values: FP8, a float8 scale for "
                                    "each, measured on `calibration:` data. Unset: as they are."});
  return options;
}

std::unique_ptr<Modifier> make_quantize(const recipes::ModifierEntry& entry,
                                        const recipes::Recipe& recipe) {
  Scheme scheme = recipes::read_scheme(entry.options, entry.name);
  recipes::override_observers(entry.options, entry.name, scheme);
  std::optional<QuantArgs> caches;
  if (entry.options.has("kv_cache_scheme")) {
    caches = find_preset("FP8")->input_activations;
  }
  if (!recipe.calibration && (scheme.needs_calibration() || caches)) {
    const std::string what = scheme.needs_calibration()
                                 ? entry.options.where("scheme") + ": quantize: scheme " +
                                       scheme.name + " has static activations"
                                 : entry.options.where("kv_cache_scheme") +
                                       ": quantize: kv_cache_scheme has static scales";
    throw Error(ErrorCode::Recipe,
                what + ", whose scales are measured on data: the recipe needs `calibration:`");
  }
  return std::make_unique<Quantize>(
      std::move(scheme), recipes::read_selection(entry.options), std::move(caches));
}

}  // namespace oneshot
