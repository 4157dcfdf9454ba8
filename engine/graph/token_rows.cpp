#include "engine/graph/token_rows.h"

#include <ATen/ATen.h>

#include "engine/error.h"

namespace oneshot {

at::Tensor typed_places(const TextBatch& batch) {
  if (batch.images == nullptr || !batch.images->input.contains("token_type_ids")) {
    return {};
  }
  const at::Tensor places = batch.images->input.at("token_type_ids").reshape({1, -1}).eq(1);
  const int64_t untyped = batch.first + batch.ids.size(1) - places.size(1);
  return untyped > 0 ? at::constant_pad_nd(places, {0, untyped}) : places;
}

at::Tensor gather_rows(const at::Tensor& table, const at::Tensor& ids) {
  if (ids.numel() > 0 &&
      (ids.min().item<int64_t>() < 0 || ids.max().item<int64_t>() >= table.size(0))) {
    throw Error(ErrorCode::Checkpoint,
                "token " + std::to_string(ids.max().item<int64_t>()) +
                    " is outside the model's vocabulary of " + std::to_string(table.size(0)) +
                    "; does the tokenizer belong to the model?");
  }
  return at::embedding(table, ids);
}

}  // namespace oneshot
