#include "engine/checkpoint_model.h"

#include <ATen/ATen.h>

#include "engine/error.h"
#include "engine/graph/fake_quantize.h"
#include "engine/models/registry.h"

namespace oneshot {
namespace {

constexpr std::string_view kWeight = ".weight";

void quantize_input(Module& module, const QuantArgs& args, const InputScales& measured) {
  module.prepare_input = [args, measured](const at::Tensor& input) {
    return fake_quantize(args, measured, input);
  };
}

}  // namespace

CheckpointModel::CheckpointModel(const std::filesystem::path& folder,
                                 std::vector<std::unique_ptr<Format>> formats,
                                 bool weight_only,
                                 at::ScalarType dtype)
    : checkpoint_(folder), dtype_(dtype), graph_(make_model(checkpoint_.config())) {
  choose_format(std::move(formats));
  if (!weight_only) {
    quantize_activations();
    quantize_caches();
  }
  weights_.has = [this](const std::string& tensor) { return checkpoint_.spec(tensor).has_value(); };
  weights_.load = [this](const std::string& tensor) { return load(tensor); };
}

void CheckpointModel::choose_format(std::vector<std::unique_ptr<Format>> formats) {
  for (std::unique_ptr<Format>& format : formats) {
    if (format->recognizes(checkpoint_.config())) {
      format_ = std::move(format);
    }
  }
  if (!format_) {
    const auto config = checkpoint_.config().find("quantization_config");
    if (config != checkpoint_.config().end() && !config->is_null()) {
      throw Error(ErrorCode::Unsupported,
                  "config.json: quantized with a method that cannot be read: " +
                      config->value("quant_method", nlohmann::json()).dump());
    }
    return;
  }
  std::vector<std::string> tensors;
  for (const TensorSpec& spec : checkpoint_.tensors()) {
    tensors.push_back(spec.name);
  }
  for (const std::string& module : format_->quantized_modules(tensors)) {
    quantized_[module] = format_->scheme(checkpoint_.config(), module);
  }
}

void CheckpointModel::quantize_activations() {
  for (const auto& [name, scheme] : quantized_) {
    Module* module = graph_->find(name);
    if (module == nullptr) {
      throw Error(ErrorCode::Checkpoint, name + ": is quantized, but the model has no such module");
    }
    if (scheme.input_activations) {
      quantize_input(
          *module, *scheme.input_activations, format_->decode_inputs(checkpoint_, name, scheme));
    }
  }
}

void CheckpointModel::quantize_caches() {
  const std::optional<QuantArgs> args =
      format_ ? format_->cache_scheme(checkpoint_.config()) : std::nullopt;
  for (size_t i = 0; args && i < graph_->block_count(); ++i) {
    const CacheStates states = graph_->block(i).cache_states();
    if (states.key != nullptr) {
      const CacheScales scales = format_->decode_cache(checkpoint_, states.attention, *args);
      quantize_input(*states.key, *args, scales.key);
      quantize_input(*states.value, *args, scales.value);
    }
  }
}

at::Tensor CheckpointModel::load(const std::string& tensor) const {
  if (tensor.ends_with(kWeight)) {
    const auto module = quantized_.find(tensor.substr(0, tensor.size() - kWeight.size()));
    if (module != quantized_.end()) {
      return dequantize(format_->decode(checkpoint_, module->first, module->second)).to(dtype_);
    }
  }
  if (!checkpoint_.spec(tensor)) {
    throw Error(ErrorCode::Checkpoint,
                tensor + ": the model needs this tensor, but the checkpoint does not have it");
  }
  return checkpoint_.read(tensor).to(dtype_);
}

}  // namespace oneshot
