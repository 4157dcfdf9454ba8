#include "engine/graph/weight_check.h"

#include <charconv>
#include <unordered_map>

#include "engine/error.h"

namespace oneshot {
namespace {

std::string text_of(const std::vector<int64_t>& shape) {
  std::string text;
  for (const int64_t size : shape) {
    text += (text.empty() ? "" : ", ") + std::to_string(size);
  }
  return "[" + text + "]";
}

/// "model.layers." of the first block "model.layers.0".
std::string layers_prefix(ModelGraph& model) {
  const std::string& first = model.block(0).name();
  return first.substr(0, first.rfind('.') + 1);
}

/// Without the layers behind them, fewer blocks would give other results without a word.
void check_no_layer_is_left(ModelGraph& model, std::span<const NamedShape> tensors) {
  if (model.block_count() == 0) {
    return;
  }
  const std::string prefix = layers_prefix(model);
  for (const NamedShape& tensor : tensors) {
    size_t layer = 0;
    const char* const end = tensor.name.data() + tensor.name.size();
    if (tensor.name.starts_with(prefix) &&
        std::from_chars(tensor.name.data() + prefix.size(), end, layer).ec == std::errc() &&
        layer >= model.block_count()) {
      throw Error(ErrorCode::Checkpoint,
                  tensor.name + ": config.json announces " + std::to_string(model.block_count()) +
                      " layers only; does it belong to these weights?");
    }
  }
}

}  // namespace

void check_weights(ModelGraph& model, std::span<const NamedShape> tensors) {
  std::unordered_map<std::string, const NamedShape*> found;
  for (const NamedShape& tensor : tensors) {
    found[tensor.name] = &tensor;
  }
  for (const NamedShape& wanted : model.tensors()) {
    const auto tensor = found.find(wanted.name);
    if (tensor == found.end()) {
      throw Error(
          ErrorCode::Checkpoint,
          wanted.name + ": the model needs this tensor, but the checkpoint does not have it");
    }
    if (tensor->second->shape != wanted.shape) {
      throw Error(ErrorCode::Checkpoint,
                  wanted.name + ": has the shape " + text_of(tensor->second->shape) +
                      ", config.json announces " + text_of(wanted.shape) +
                      "; does it belong to these weights?");
    }
  }
  check_no_layer_is_left(model, tensors);
}

}  // namespace oneshot
