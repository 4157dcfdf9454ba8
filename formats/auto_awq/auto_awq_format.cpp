#include "formats/auto_awq/auto_awq_format.h"

#include "engine/error.h"
#include "formats/integers/awq_layout.h"
#include "formats/integers/plan_schemes.h"

namespace oneshot {
namespace {

using nlohmann::json;

constexpr const char* kVersion = "0.15.1";  // the release whose keys and values are written

/// Everything that stays, under each name that a reader may know it by.
json kept_names(const integers::PlanSchemes& schemes) {
  json names = json::array();
  for (const PlannedModule* module : schemes.kept) {
    for (const std::string& name : integers::names_of(*module)) {
      names.push_back(name);
    }
  }
  return names;
}

class AutoAwq : public Format {
 public:
  std::string name() const override { return "auto_awq"; }

  std::optional<std::string> unsupported(const PlannedModule& module) const override {
    return integers::awq_unsupported(module);
  }

  std::optional<std::string> unsupported_together(const PlannedModule& one,
                                                  const PlannedModule& other) const override {
    const QuantArgs& a = one.scheme->weights;
    const QuantArgs& b = other.scheme->weights;
    if (integers::group_size_of(a) == integers::group_size_of(b) && a.symmetric == b.symmetric) {
      return std::nullopt;
    }
    return "all modules have one group size and one symmetry, and its scheme is " +
           describe(*one.scheme) + ", that of " + other.name + " " + describe(*other.scheme) +
           "; auto_round and compressed_tensors hold several";
  }

  std::vector<TensorSpec> tensors(const PlannedModule& module) const override {
    return integers::awq_tensors(module);
  }

  int64_t row_alignment(const Scheme&) const override { return integers::kAwqRowAlignment; }

  bool transposes() const override { return true; }

  void encode(const PlannedModule& module,
              const QuantizedWeight& rows,
              int64_t first_row,
              OutputTensors& output) const override {
    integers::awq_encode(module, rows, first_row, output);
  }

  std::vector<std::string> quantized_modules(
      const std::vector<std::string>& tensors) const override {
    return integers::modules_with_codes(tensors);
  }

  PlannedModule module(const TensorSource& source,
                       const std::string& name,
                       const Scheme& scheme) const override {
    return integers::awq_module(source, name, scheme);
  }

  QuantizedWeight decode(const TensorSource& source,
                         const std::string& module,
                         const Scheme& scheme) const override {
    return integers::awq_decode(source, module, scheme);
  }

  InputScales decode_inputs(const TensorSource&, const std::string&, const Scheme&) const override {
    return {};
  }

  std::vector<SmallFile> files(const Plan& plan, const json& source_config) const override {
    const integers::PlanSchemes schemes = integers::schemes_of(plan);
    const QuantArgs& args = schemes.common.weights;
    json config;
    config["autoround_version"] = kVersion;
    config["bits"] = args.bits;
    config["data_type"] = "int";
    config["group_size"] = integers::group_size_of(args);
    config["modules_to_not_convert"] = kept_names(schemes);
    config["provider"] = "auto-round";
    config["quant_method"] = "awq";
    config["sym"] = args.symmetric;
    if (!schemes.blocks.empty()) {
      config["to_quant_block_names"] = integers::joined(schemes.block_names);
    }
    config["version"] = "gemm";
    config["zero_point"] = !args.symmetric;
    json model = source_config;
    integers::set_float16(model);
    return integers::config_files(model, config);
  }

  bool recognizes(const json& config) const override {
    return integers::quantization_config_of(config).value("quant_method", json()) == "awq";
  }

  Scheme scheme(const json& config, const std::string&) const override {
    json quantization = integers::quantization_config_of(config);
    const json version = quantization.value("version", json("gemm"));
    if (version != "gemm" && version != "GEMM") {
      throw Error(ErrorCode::Unsupported,
                  "config.json: quantization_config: version " + version.dump() +
                      " of awq cannot be read; gemm can");
    }
    // Checkpoints from elsewhere have zero points and no `sym`.
    if (!quantization.contains("sym")) {
      quantization["sym"] = quantization.value("zero_point", json(true)) == false;
    }
    return integers::scheme_from(quantization, integers::default_scheme());
  }
};

}  // namespace

std::unique_ptr<Format> make_auto_awq() {
  return std::make_unique<AutoAwq>();
}

}  // namespace oneshot
