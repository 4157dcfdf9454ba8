#include "modifiers/quantize/input_ranges.h"

#include <ATen/ATen.h>

#include "engine/calibration/observer.h"
#include "engine/error.h"
#include "engine/tensor_bytes.h"

namespace oneshot {
namespace {

/// One observed tensor: who sees it, and where its scales go.
struct Watch {
  std::string name;
  QuantArgs args;
  Dtype dtype;  // of the scales
  std::unique_ptr<ActivationObserver> observer;
  InputScales* result;
};

class InputRanges : public BlockWork {
 public:
  InputRanges(const CalibratedBlock& block, CalibrationResults& results) {
    for (const auto& [module, planned] : block.modules) {
      watch(*module,
            *planned->scheme->input_activations,
            planned->dtype,
            block.samples,
            results.inputs[planned->name]);
    }
    for (const auto& [states, cache] : block.caches) {
      CacheScales& scales = results.caches[cache->attention];
      watch(*states.key, cache->args, cache->dtype, block.samples, scales.key);
      watch(*states.value, cache->args, cache->dtype, block.samples, scales.value);
    }
  }

  void finish() override {
    for (const Watch& watch : watches_) {
      const ValueRange found = watch.observer->range();
      if (!at::isfinite(found.min).item<bool>() || !at::isfinite(found.max).item<bool>()) {
        throw Error(ErrorCode::Checkpoint,
                    watch.name +
                        ": its input is not finite on the calibration data; is the checkpoint "
                        "damaged, or its dtype too small?");
      }
      const at::ScalarType dtype = scalar_type(watch.dtype);
      *watch.result = input_scales(watch.args, {found.min.to(dtype), found.max.to(dtype)});
    }
  }

 private:
  void watch(
      Module& module, const QuantArgs& args, Dtype dtype, size_t samples, InputScales& result) {
    watches_.push_back({module.name(), args, dtype, make_observer(args, samples), &result});
    ActivationObserver& observer = *watches_.back().observer;
    hooks_.push_back(module.add_hook(
        [&observer](const HookCall& call) { observer.see(call.sample, call.input); }));
  }

  std::vector<Watch> watches_;
  std::vector<HookHandle> hooks_;
};

}  // namespace

std::unique_ptr<BlockWork> measure_inputs(const CalibratedBlock& block,
                                          CalibrationResults& results) {
  return std::make_unique<InputRanges>(block, results);
}

}  // namespace oneshot
