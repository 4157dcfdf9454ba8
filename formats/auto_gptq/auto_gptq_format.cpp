#include "formats/auto_gptq/auto_gptq_format.h"

#include <set>

#include "engine/error.h"
#include "engine/graph/block_names.h"
#include "formats/integers/gptq_layout.h"
#include "formats/integers/plan_schemes.h"

namespace oneshot {
namespace {

using nlohmann::json;

constexpr const char* kVersion = "0.15.1";  // the release whose keys and values are written
constexpr integers::GptqLayout kLayout{integers::StoredZero::MinusOne, true};

json scheme_json(const Scheme& scheme) {
  return {{"bits", scheme.weights.bits},
          {"group_size", integers::group_size_of(scheme.weights)},
          {"sym", scheme.weights.symmetric}};
}

/// "self_attn.q_proj" of "model.layers.0.self_attn.q_proj".
std::string name_in_block(const std::string& module, const std::string& list) {
  return module.substr(module.find('.', list.size() + 1) + 1);
}

/// For each list of blocks, what is quantized in one block of it or more, by its name in the block.
json modules_in_blocks(const Plan& plan, const integers::PlanSchemes& schemes) {
  json lists = json::array();
  for (const std::string& list : schemes.blocks) {
    std::set<std::string> names;
    for (const PlannedModule& module : plan.modules) {
      const auto own = block_list_of(module.name);
      if (module.scheme && own && own->name == list) {
        names.insert(name_in_block(module.name, list));
      }
    }
    lists.push_back(names);
  }
  return lists;
}

/// Regular expressions of modules that are quantized otherwise ("+:") or not at all ("-:"). A list
/// of blocks that stays as a whole is one entry; lm_head has a key of its own.
json dynamic(const integers::PlanSchemes& schemes) {
  json entries = json::object();
  for (const PlannedModule* module : schemes.others) {
    for (const std::string& name : integers::names_of(*module)) {
      entries["+:" + integers::escaped(name)] = scheme_json(*module->scheme);
    }
  }
  for (const PlannedModule* module : schemes.kept) {
    const bool in_list = block_list_of(module->name).has_value();
    if (in_list && !schemes.in_blocks(module->name)) {
      for (const std::string& list : integers::block_names_of(*module)) {
        entries["-:" + integers::escaped_start(list + ".")] = json::object();
      }
    } else if (in_list || !module->name.ends_with("lm_head")) {
      for (const std::string& name : integers::names_of(*module)) {
        entries["-:" + integers::escaped(name)] = json::object();
      }
    }
  }
  return entries;
}

class AutoGptq : public Format {
 public:
  std::string name() const override { return "auto_gptq"; }

  std::optional<std::string> unsupported(const PlannedModule& module) const override {
    if (auto reason = integers::gptq_unsupported(module)) {
      return reason;
    }
    if (!module.scheme->weights.symmetric) {
      return "its zero points are stored minus one, which loses a zero point of 0; auto_round and "
             "compressed_tensors hold asymmetric schemes";
    }
    return std::nullopt;
  }

  std::vector<TensorSpec> tensors(const PlannedModule& module) const override {
    return integers::gptq_tensors(kLayout, module);
  }

  int64_t row_alignment(const Scheme&) const override { return integers::kGptqRowAlignment; }

  bool transposes() const override { return true; }

  void encode(const PlannedModule& module,
              const QuantizedWeight& rows,
              int64_t first_row,
              OutputTensors& output) const override {
    integers::gptq_encode(kLayout, module, rows, first_row, output);
  }

  std::vector<std::string> quantized_modules(
      const std::vector<std::string>& tensors) const override {
    return integers::modules_with_codes(tensors);
  }

  PlannedModule module(const TensorSource& source,
                       const std::string& name,
                       const Scheme& scheme) const override {
    return integers::gptq_module(kLayout, source, name, scheme);
  }

  QuantizedWeight decode(const TensorSource& source,
                         const std::string& module,
                         const Scheme& scheme) const override {
    return integers::gptq_decode(kLayout, source, module, scheme);
  }

  InputScales decode_inputs(const TensorSource&, const std::string&, const Scheme&) const override {
    return {};
  }

  std::vector<SmallFile> files(const Plan& plan, const json& source_config) const override {
    const integers::PlanSchemes schemes = integers::schemes_of(plan);
    json config = scheme_json(schemes.common);
    config["autoround_version"] = kVersion;
    config["damp_percent"] = 0.01;
    config["data_type"] = "int";
    config["desc_act"] = false;
    config["lm_head"] =
        std::any_of(schemes.others.begin(), schemes.others.end(), [](const PlannedModule* module) {
          return module->name.ends_with("lm_head");
        });
    config["provider"] = "auto-round";
    config["quant_method"] = "gptq";
    config["true_sequential"] = false;
    if (json entries = dynamic(schemes); !entries.empty()) {
      config["dynamic"] = std::move(entries);
    }
    if (!schemes.blocks.empty() && !schemes.kept_in_blocks.empty()) {
      config["modules_in_block_to_quantize"] = modules_in_blocks(plan, schemes);
    }
    json model = source_config;
    integers::set_float16(model);
    return integers::config_files(model, config);
  }

  bool recognizes(const json& config) const override {
    return integers::quantization_config_of(config).value("quant_method", json()) == "gptq";
  }

  Scheme scheme(const json& config, const std::string& module) const override {
    const json quantization = integers::quantization_config_of(config);
    const json stored = quantization.value("checkpoint_format", json());
    if (!stored.is_null() && stored != "gptq") {
      throw Error(ErrorCode::Unsupported,
                  "config.json: quantization_config: checkpoint_format " + stored.dump() +
                      " cannot be read; gptq can");
    }
    const Scheme scheme = integers::scheme_from(quantization, integers::default_scheme());
    const json entries = quantization.value("dynamic", json());
    const json* own = integers::entry_for(entries, "+:", module);
    return own != nullptr ? integers::scheme_from(*own, scheme) : scheme;
  }
};

}  // namespace

std::unique_ptr<Format> make_auto_gptq() {
  return std::make_unique<AutoGptq>();
}

}  // namespace oneshot
