#include "engine/modifier.h"

#include <ATen/ATen.h>

#include "engine/error.h"

namespace oneshot {
namespace {

[[noreturn]] void missing(const Modifier& modifier, const char* method) {
  throw Error(ErrorCode::Failed,
              modifier.name() + " planned a " + method + " that it does not have");
}

}  // namespace

void Statistics::merge(const Statistics& other) {
  if (!other.min.defined()) {
    return;
  }
  min = min.defined() ? at::minimum(min, other.min) : other.min;
  max = max.defined() ? at::maximum(max, other.max) : other.max;
}

std::unique_ptr<BlockWork> Modifier::observe(const CalibratedBlock&, CalibrationResults&) const {
  missing(*this, "calibration");
}

TunedBlock Modifier::tune(const TunableBlock&) const {
  missing(*this, "tuning");
}

Statistics Modifier::measure(const Rows&) const {
  missing(*this, "measure");
}

at::Tensor Modifier::rewrite(const Rows&) const {
  missing(*this, "rewrite");
}

QuantizedWeight Modifier::quantize(const Rows&, const Statistics&) const {
  missing(*this, "quantize");
}

}  // namespace oneshot
