#include "formats/auto_round/auto_round_format.h"

#include "engine/error.h"
#include "formats/integers/awq_layout.h"
#include "formats/integers/gptq_layout.h"
#include "formats/integers/plan_schemes.h"

namespace oneshot {
namespace {

using integers::GptqLayout;
using integers::StoredZero;
using nlohmann::json;

constexpr const char* kVersion = "0.15.1";  // the release whose keys and values are written

enum class Packing { Gptq, Awq, PlainGptq };

/// What auto-round packs a scheme as. Plain: zero points as they are.
Packing packing_of(const Scheme& scheme) {
  if (scheme.weights.symmetric) {
    return Packing::Gptq;
  }
  return scheme.weights.bits == 4 ? Packing::Awq : Packing::PlainGptq;
}

const char* packing_name(Packing packing) {
  return packing == Packing::Gptq  ? "auto_round:auto_gptq"
         : packing == Packing::Awq ? "auto_round:auto_awq"
                                   : "auto_round";
}

GptqLayout gptq_layout(const Scheme& scheme) {
  return {packing_of(scheme) == Packing::Gptq ? StoredZero::MinusOne : StoredZero::AsItIs};
}

json scheme_json(const Scheme& scheme) {
  return {{"bits", scheme.weights.bits},
          {"data_type", "int"},
          {"group_size", integers::group_size_of(scheme.weights)},
          {"sym", scheme.weights.symmetric}};
}

/// The keys of a module in which it differs from the others; all of them outside of the blocks.
json differing_keys(const integers::PlanSchemes& schemes, const PlannedModule& module) {
  const json common = scheme_json(schemes.common);
  json keys = scheme_json(*module.scheme);
  if (schemes.in_blocks(module.name)) {
    for (const auto& [key, value] : common.items()) {
      if (keys[key] == value) {
        keys.erase(key);
      }
    }
  }
  return keys;
}

/// What differs from the scheme of most modules, by old and new names.
json extra_config(const integers::PlanSchemes& schemes) {
  json extra = json::object();
  const auto add = [&extra](const PlannedModule& module, const json& keys) {
    for (const std::string& name : integers::names_of(module)) {
      extra[name] = keys;
    }
  };
  for (const PlannedModule* module : schemes.others) {
    add(*module, differing_keys(schemes, *module));
  }
  for (const PlannedModule* module : schemes.kept_in_blocks) {
    add(*module,
        {{"act_bits", 16}, {"act_data_type", "float"}, {"bits", 16}, {"data_type", "float"}});
  }
  return extra;
}

class AutoRound : public Format {
 public:
  std::string name() const override { return "auto_round"; }

  std::optional<std::string> unsupported(const PlannedModule& module) const override {
    return packing_of(*module.scheme) == Packing::Awq ? integers::awq_unsupported(module)
                                                      : integers::gptq_unsupported(module);
  }

  std::optional<std::string> unsupported_together(const PlannedModule& one,
                                                  const PlannedModule& other) const override {
    const Packing packing = packing_of(*one.scheme);
    if (packing == packing_of(*other.scheme)) {
      return std::nullopt;
    }
    return "all modules have one packing_format, and its scheme is packed as " +
           std::string(packing_name(packing)) + ", that of " + other.name + " as " +
           packing_name(packing_of(*other.scheme)) + "; compressed_tensors holds both";
  }

  std::vector<TensorSpec> tensors(const PlannedModule& module) const override {
    return packing_of(*module.scheme) == Packing::Awq
               ? integers::awq_tensors(module)
               : integers::gptq_tensors(gptq_layout(*module.scheme), module);
  }

  int64_t row_alignment(const Scheme& scheme) const override {
    return packing_of(scheme) == Packing::Awq ? integers::kAwqRowAlignment
                                              : integers::kGptqRowAlignment;
  }

  bool transposes() const override { return true; }

  void encode(const PlannedModule& module,
              const QuantizedWeight& rows,
              int64_t first_row,
              OutputTensors& output) const override {
    if (packing_of(*module.scheme) == Packing::Awq) {
      integers::awq_encode(module, rows, first_row, output);
    } else {
      integers::gptq_encode(gptq_layout(*module.scheme), module, rows, first_row, output);
    }
  }

  std::vector<std::string> quantized_modules(
      const std::vector<std::string>& tensors) const override {
    return integers::modules_with_codes(tensors);
  }

  PlannedModule module(const TensorSource& source,
                       const std::string& name,
                       const Scheme& scheme) const override {
    return packing_of(scheme) == Packing::Awq
               ? integers::awq_module(source, name, scheme)
               : integers::gptq_module(gptq_layout(scheme), source, name, scheme);
  }

  QuantizedWeight decode(const TensorSource& source,
                         const std::string& module,
                         const Scheme& scheme) const override {
    return packing_of(scheme) == Packing::Awq
               ? integers::awq_decode(source, module, scheme)
               : integers::gptq_decode(gptq_layout(scheme), source, module, scheme);
  }

  InputScales decode_inputs(const TensorSource&, const std::string&, const Scheme&) const override {
    return {};
  }

  std::vector<SmallFile> files(const Plan& plan, const json& source_config) const override {
    const integers::PlanSchemes schemes = integers::schemes_of(plan);
    const Packing packing = packing_of(schemes.common);
    json config = scheme_json(schemes.common);
    config["autoround_version"] = kVersion;
    if (!schemes.blocks.empty()) {
      config["block_name_to_quantize"] = integers::joined(schemes.block_names);
    }
    config["packing_format"] = packing_name(packing);
    config["quant_method"] = "auto-round";
    if (json extra = extra_config(schemes); !extra.empty()) {
      config["extra_config"] = std::move(extra);
    }
    json model = source_config;
    if (packing == Packing::Awq) {
      integers::set_float16(model);  // what AWQ kernels compute in
    }
    return integers::config_files(model, config);
  }

  bool recognizes(const json& config) const override {
    return integers::quantization_config_of(config).value("quant_method", json()) == "auto-round";
  }

  Scheme scheme(const json& config, const std::string& module) const override {
    const json quantization = integers::quantization_config_of(config);
    Scheme scheme = integers::scheme_from(quantization, integers::default_scheme());
    const json extra = quantization.value("extra_config", json());
    if (const json* own = integers::entry_for(extra, "", module)) {
      scheme = integers::scheme_from(*own, scheme);
    }
    check_packing(quantization.value("packing_format", json()), scheme);
    return scheme;
  }

 private:
  /// Other packings that auto-round has would be read wrongly. gptqmodel differs in the zero points
  /// alone, which symmetric schemes do not need.
  static void check_packing(const json& packing, const Scheme& scheme) {
    const bool symmetric_gptq =
        scheme.weights.symmetric && (packing == "auto_round:gptqmodel" || packing == "auto_round");
    if (packing != packing_name(packing_of(scheme)) && !symmetric_gptq) {
      throw Error(ErrorCode::Unsupported,
                  "config.json: quantization_config: packing_format " + packing.dump() + " with " +
                      describe(scheme) + " cannot be read; " + packing_name(packing_of(scheme)) +
                      " can");
    }
  }
};

}  // namespace

std::unique_ptr<Format> make_auto_round() {
  return std::make_unique<AutoRound>();
}

}  // namespace oneshot
