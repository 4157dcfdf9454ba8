#include "engine/cast_weight.h"

#include <ATen/ATen.h>

#include "engine/error.h"
#include "engine/tensor_bytes.h"

namespace oneshot {

at::Tensor cast_weight(const at::Tensor& values, const PlannedModule& module) {
  at::Tensor result = values.to(scalar_type(module.dtype));
  const at::Tensor lost = at::isfinite(values).logical_and(at::isfinite(result).logical_not());
  if (lost.any().item<bool>()) {
    throw Error(ErrorCode::Checkpoint,
                module.weight->name + ": holds values too large for " +
                    std::string(dtype_name(module.dtype)) + "; choose another `model: {dtype: …}`");
  }
  return result;
}

}  // namespace oneshot
