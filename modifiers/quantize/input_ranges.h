// Static activations: what `quantize` does with a block while calibration samples go through it.
#pragma once

#include <memory>

#include "engine/modifier.h"

namespace oneshot {

/// Watches the inputs of the modules that have static or local activations, and keys and values;
/// puts their scales into `results` at the end. Source: QuantizationModifier of llm-compressor.
std::unique_ptr<BlockWork> measure_inputs(const CalibratedBlock& block,
                                          CalibrationResults& results);

}  // namespace oneshot
