#include "formats/compressed_tensors/compressed_tensors_format.h"

#include "engine/error.h"
#include "formats/compressed_tensors/activation_scales.h"
#include "formats/compressed_tensors/layouts.h"
#include "formats/compressed_tensors/quantization_config.h"

namespace oneshot {
namespace {

constexpr const char* kConfigKey = "quantization_config";

class CompressedTensors : public Format {
 public:
  std::string name() const override { return "compressed_tensors"; }

  std::optional<std::string> unsupported(const PlannedModule& module) const override {
    return compressed_tensors::unsupported_shape(*module.scheme, module.columns);
  }

  std::vector<TensorSpec> tensors(const PlannedModule& module) const override {
    return compressed_tensors::layout_tensors(module);
  }

  int64_t row_alignment(const Scheme& scheme) const override {
    return compressed_tensors::layout_row_alignment(scheme);
  }

  void encode(const PlannedModule& module,
              const QuantizedWeight& rows,
              int64_t first_row,
              OutputTensors& output) const override {
    compressed_tensors::encode_layout(module, rows, first_row, output);
  }

  bool holds_caches() const override { return true; }

  std::vector<TensorSpec> cache_tensors(const PlannedCache& cache) const override {
    return compressed_tensors::cache_specs(cache);
  }

  void encode_cache(const PlannedCache& cache,
                    const CacheScales& scales,
                    OutputTensors& output) const override {
    compressed_tensors::encode_cache(cache, scales, output);
  }

  std::vector<std::string> quantized_modules(
      const std::vector<std::string>& tensors) const override {
    constexpr std::string_view kSuffix = ".weight_scale";  // every layout has one
    std::vector<std::string> modules;
    for (const std::string& tensor : tensors) {
      if (tensor.ends_with(kSuffix)) {
        modules.push_back(tensor.substr(0, tensor.size() - kSuffix.size()));
      }
    }
    return modules;
  }

  PlannedModule module(const TensorSource& source,
                       const std::string& name,
                       const Scheme& scheme) const override {
    return compressed_tensors::layout_module(source, name, scheme);
  }

  QuantizedWeight decode(const TensorSource& source,
                         const std::string& module,
                         const Scheme& scheme) const override {
    return compressed_tensors::decode_layout(source, module, scheme);
  }

  InputScales decode_inputs(const TensorSource& source,
                            const std::string& module,
                            const Scheme& scheme) const override {
    return compressed_tensors::read_inputs(
        source, compressed_tensors::layout_module(source, module, scheme));
  }

  std::optional<QuantArgs> cache_scheme(const nlohmann::json& config) const override {
    return compressed_tensors::cache_scheme_of(config.at(kConfigKey));
  }

  CacheScales decode_cache(const TensorSource& source,
                           const std::string& attention,
                           const QuantArgs& args) const override {
    return compressed_tensors::read_cache(source, attention, args);
  }

  std::vector<SmallFile> files(const Plan& plan,
                               const nlohmann::json& source_config) const override {
    nlohmann::json config = source_config;
    config[kConfigKey] = compressed_tensors::quantization_config(plan);
    // As the peer writes it: two spaces, sorted keys, ASCII, no newline at the end.
    return {{"config.json", config.dump(2, ' ', true)}};
  }

  bool recognizes(const nlohmann::json& config) const override {
    const auto found = config.find(kConfigKey);
    return found != config.end() && found->is_object() &&
           found->value("quant_method", nlohmann::json()) == "compressed-tensors";
  }

  Scheme scheme(const nlohmann::json& config, const std::string& module) const override {
    return compressed_tensors::scheme_of(config.at(kConfigKey), module);
  }
};

}  // namespace

std::unique_ptr<Format> make_compressed_tensors() {
  return std::make_unique<CompressedTensors>();
}

}  // namespace oneshot
