#include "engine/checkpoint_model.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <numeric>

#include "engine/error.h"
#include "engine/graph/fake_quantize.h"
#include "engine/graph/weight_check.h"
#include "engine/models/registry.h"

namespace oneshot {
namespace {

constexpr std::string_view kWeight = ".weight";

void quantize_input(Module& module, const QuantArgs& args, const InputScales& measured) {
  module.prepare_input = [args, measured](const at::Tensor& input) {
    return fake_quantize(args, measured, input);
  };
}

/// Gives back the memory of the mapped file once what was read has been decoded.
class ReadOnce : public TensorSource {
 public:
  explicit ReadOnce(const WrittenCheckpoint& checkpoint) : checkpoint_(checkpoint) {}
  ~ReadOnce() override {
    for (const std::string& name : read_) {
      checkpoint_.release(name);
    }
  }
  ReadOnce(const ReadOnce&) = delete;
  ReadOnce& operator=(const ReadOnce&) = delete;

  std::optional<TensorSpec> spec(const std::string& name) const override {
    return checkpoint_.spec(name);
  }
  at::Tensor read(const std::string& name) const override {
    read_.push_back(name);
    return checkpoint_.read(name);
  }

 private:
  const WrittenCheckpoint& checkpoint_;
  mutable std::vector<std::string> read_;
};

}  // namespace

CheckpointModel::CheckpointModel(const std::filesystem::path& folder,
                                 std::vector<std::unique_ptr<Format>> formats,
                                 bool weight_only,
                                 at::ScalarType dtype,
                                 const std::filesystem::path& vision_tower)
    : checkpoint_(folder, vision_tower),
      dtype_(dtype),
      graph_(make_model(ModelSource::of(checkpoint_))) {
  choose_format(std::move(formats));
  check_shapes();
  if (!weight_only) {
    quantize_activations();
    quantize_caches();
  }
  weights_.dtype = dtype_;
  weights_.has = [this](const std::string& tensor) { return checkpoint_.spec(tensor).has_value(); };
  weights_.load = [this](const std::string& tensor) { return load(tensor); };
  weights_.load_rows = [this](const std::string& tensor, const at::Tensor& rows) {
    return gather_rows(quantized_by(tensor) == quantized_.end() && checkpoint_.spec(tensor)
                           ? checkpoint_.read(tensor)
                           : load(tensor),
                       rows)
        .to(dtype_);
  };
}

void CheckpointModel::check_shapes() {
  std::vector<NamedShape> tensors;
  for (const TensorSpec& spec : checkpoint_.tensors()) {
    if (quantized_by(spec.name) == quantized_.end()) {
      tensors.push_back({spec.name, spec.shape});
    }
  }
  for (const auto& [name, scheme] : quantized_) {
    const PlannedModule was = format_->module(checkpoint_, name, scheme);
    tensors.push_back({name + std::string(kWeight), {was.rows, was.columns}});
  }
  check_weights(*graph_, tensors);
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
    if (module == nullptr) {  // what lies behind the states that are read of a tower never runs
      continue;
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

std::map<std::string, Scheme>::const_iterator CheckpointModel::quantized_by(
    const std::string& tensor) const {
  return tensor.ends_with(kWeight)
             ? quantized_.find(tensor.substr(0, tensor.size() - kWeight.size()))
             : quantized_.end();
}

at::Tensor CheckpointModel::load(const std::string& tensor) const {
  const ReadOnce source(checkpoint_);
  if (const auto module = quantized_by(tensor); module != quantized_.end()) {
    return dequantize(format_->decode(source, module->first, module->second)).to(dtype_);
  }
  if (!source.spec(tensor)) {
    throw Error(ErrorCode::Checkpoint,
                tensor + ": the model needs this tensor, but the checkpoint does not have it");
  }
  return source.read(tensor).to(dtype_, false, /*copy=*/true);
}

uint64_t CheckpointModel::loaded_bytes(const std::string& tensor) const {
  int64_t values = 0;
  if (const auto module = quantized_by(tensor); module != quantized_.end()) {
    const PlannedModule was = format_->module(checkpoint_, module->first, module->second);
    values = was.rows * was.columns;
  } else if (const auto spec = checkpoint_.spec(tensor)) {
    values = c10::multiply_integers(spec->shape);
  }
  return static_cast<uint64_t>(values) * c10::elementSize(dtype_);
}

/// What loading a tensor takes besides the result: codes, zero points, and values before they are
/// scaled; or the mapped file.
uint64_t CheckpointModel::loading_bytes(const std::string& tensor) const {
  if (quantized_by(tensor) != quantized_.end()) {
    return 3 * loaded_bytes(tensor);
  }
  const auto spec = checkpoint_.spec(tensor);
  return spec ? spec->bytes() : 0;
}

ModelBytes CheckpointModel::bytes(int threads) const {
  ModelBytes bytes;
  for (const WrittenFile& file : checkpoint_.files()) {
    bytes.stored += file.bytes;
  }
  for (const std::vector<NamedShape>& part : graph_->tensors_by_part()) {
    uint64_t loaded = 0;
    std::vector<uint64_t> loading;
    for (const NamedShape& tensor : part) {
      loaded += loaded_bytes(tensor.name);
      loading.push_back(loading_bytes(tensor.name));
    }
    std::sort(loading.rbegin(), loading.rend());
    loading.resize(std::min(loading.size(), static_cast<size_t>(threads)));
    bytes.loaded += loaded;
    bytes.largest_part =
        std::max(bytes.largest_part, std::accumulate(loading.begin(), loading.end(), loaded));
  }
  return bytes;
}

}  // namespace oneshot
