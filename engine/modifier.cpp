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

void refuse_not_finite(const Rows& rows) {
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
