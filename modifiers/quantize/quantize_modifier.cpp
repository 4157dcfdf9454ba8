#include "modifiers/quantize/quantize_modifier.h"

#include <ATen/ATen.h>

#include "engine/error.h"
#include "modifiers/quantize/quantize_math.h"
#include "recipes/quantizing_options.h"

namespace oneshot {
namespace {

class Quantize : public Modifier {
 public:
  Quantize(Scheme scheme, Selection selection)
      : scheme_(std::move(scheme)), selection_(std::move(selection)) {}

  std::string name() const override { return "quantize"; }
  Traits traits() const override { return {.quantizes = true}; }

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
  }

  Statistics measure(const Rows& rows) const override {
    const TensorRange range = tensor_range(rows.values);
    if (!at::isfinite(range.max).item<bool>()) {
      refuse(rows);
    }
    return {range.min, range.max};
  }

  QuantizedWeight quantize(const Rows& rows, const Statistics& statistics) const override {
    auto weight = round_to_nearest(scheme_, rows.values, {statistics.min, statistics.max});
    if (!weight) {
      refuse(rows);
    }
    return *std::move(weight);
  }

 private:
  [[noreturn]] static void refuse(const Rows& rows) {
    const at::Tensor bad = at::isfinite(rows.values).logical_not().nonzero();
    throw Error(
        ErrorCode::Checkpoint,
        c10::str(rows.module.weight->name,
                 ": holds NaN or infinity (row ",
                 rows.first_row + bad[0][0].item<int64_t>(),
                 ", column ",
                 bad[0][1].item<int64_t>(),
                 "), which cannot be quantized; mend the checkpoint or add the module to ignore"));
  }

  Scheme scheme_;
  Selection selection_;
};

}  // namespace

std::vector<recipes::Option> quantize_options() {
  return recipes::quantizing_options();
}

std::unique_ptr<Modifier> make_quantize(const recipes::ModifierEntry& entry,
                                        const recipes::Recipe& recipe) {
  Scheme scheme = recipes::read_scheme(entry.options, entry.name);
  if (scheme.needs_calibration()) {
    const std::string what = entry.options.where("scheme") + ": quantize: scheme " + scheme.name +
                             " has static activations, ";
    if (!recipe.calibration) {
      throw Error(ErrorCode::Recipe,
                  what + "whose scales are measured on data: the recipe needs `calibration:`");
    }
    throw Error(
        ErrorCode::Unsupported,
        what +
            "and running a model on `calibration:` data is not supported yet; dynamic schemes "
            "such as FP8_DYNAMIC need no data");
  }
  return std::make_unique<Quantize>(std::move(scheme), recipes::read_selection(entry.options));
}

}  // namespace oneshot
