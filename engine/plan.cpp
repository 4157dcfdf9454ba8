#include "engine/plan.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "engine/error.h"
#include "engine/format.h"
#include "engine/kernels/processor.h"
#include "engine/memory_budget.h"
#include "engine/modifier.h"
#include "engine/plan_builder.h"
#include "engine/plan_tensors.h"

namespace oneshot {
namespace {

void fill_modules(Plan& plan, std::span<const ModuleInfo> modules, const SourceCheckpoint& source) {
  for (const ModuleInfo& module : modules) {
    PlannedModule& planned = plan.modules.emplace_back();
    planned.name = module.name;
    planned.aliases = module.aliases;
    planned.kind = module.kind;
    for (const size_t tensor : module.tensors) {
      planned.bytes_before += source.tensors()[tensor].bytes;
    }
    if (!module.weight) {
      continue;
    }
    const SourceTensor& weight = source.tensors()[*module.weight];
    planned.weight = &weight;
    planned.dtype = plan.cast && is_plain_float(weight.dtype) ? *plan.cast : weight.dtype;
    const bool two = weight.shape.size() == 2;
    planned.rows = two ? weight.shape[0] : 1;
    planned.columns = std::accumulate(weight.shape.begin() + (two ? 1 : 0),
                                      weight.shape.end(),
                                      int64_t{1},
                                      std::multiplies<int64_t>());
  }
}

void run_modifiers(const PlanRequest& request, Plan& plan, std::span<const ModuleInfo> modules) {
  for (size_t i = 0; i < request.modifiers.size(); ++i) {
    const Modifier& modifier = *request.modifiers[i];
    plan.modifiers.push_back(modifier.name());
    PlanBuilder builder(plan, modules, i, modifier.name());
    modifier.plan(builder);
    const bool works =
        std::any_of(plan.modules.begin(), plan.modules.end(), [i](const PlannedModule& m) {
          return m.scheme && m.quantizer == i;
        });
    if (modifier.traits().quantizes && !works) {
      throw Error(ErrorCode::Recipe,
                  modifier.name() +
                      ": no module is left to quantize; look at its targets, ignore and "
                      "fp_layers with `oneshot plan`");
    }
  }
  for (PlannedModule& module : plan.modules) {
    if (module.rule.empty()) {
      module.rule = "no modifier targets it";
    }
    module.tuned = module.scheme && request.modifiers[module.quantizer]->traits().tunes;
  }
}

/// There is one second stream of samples, so all that tune learn from it, or none does.
void check_tuners(const PlanRequest& request) {
  std::optional<bool> quantized_input;
  for (const Modifier* modifier : request.modifiers) {
    const Traits traits = modifier->traits();
    if (!traits.tunes) {
      continue;
    }
    if (quantized_input.value_or(traits.quantized_input) != traits.quantized_input) {
      throw Error(
          ErrorCode::Recipe,
          modifier->name() + ": all modifiers of a recipe that tune need the same quantized_input");
    }
    quantized_input = traits.quantized_input;
  }
}

void keep_unseen(const PlanRequest& request, Plan& plan) {
  for (PlannedModule& module : plan.modules) {
    if (std::find(request.unseen.begin(), request.unseen.end(), module.name) !=
        request.unseen.end()) {
      module.scheme.reset();
      module.tuned = false;
      module.rule = "unseen: keep";
    }
  }
}

std::string member_list(const Plan& plan, const std::vector<size_t>& set) {
  std::string text;
  for (const size_t member : set) {
    const PlannedModule& module = plan.modules[member];
    text += (text.empty() ? "" : ", ") + module.name + " (" +
            (module.scheme ? module.scheme->name : "floating point") + ")";
  }
  return text;
}

/// Serving engines load these modules as one, so their schemes have to agree.
void check_fused_sets(Plan& plan, std::span<const ModuleInfo> modules) {
  for (const auto& set : fused_sets(modules)) {
    const std::optional<Scheme>& first = plan.modules[set.front()].scheme;
    const bool same = std::all_of(set.begin(), set.end(), [&](size_t member) {
      return plan.modules[member].scheme == first;
    });
    if (same) {
      continue;
    }
    for (const size_t member : set) {
      const PlannedModule& module = plan.modules[member];
      if (module.scheme && module.scheme->weights.has_global_scale()) {
        throw Error(
            ErrorCode::Recipe,
            module.name + ": " + module.scheme->name +
                " shares one global scale among modules that are loaded as one, but only some "
                "of them have it: " +
                member_list(plan, set) + "; target or ignore all of them");
      }
    }
    plan.warnings.push_back("vLLM loads these modules as one and refuses different schemes: " +
                            member_list(plan, set));
  }
}

void check_weight(const PlannedModule& module) {
  const bool known =
      module.dtype == Dtype::Bf16 || module.dtype == Dtype::F16 || module.dtype == Dtype::F32;
  if (!known) {
    throw Error(ErrorCode::Unsupported,
                module.weight->name + ": weights of dtype " +
                    std::string(dtype_name(module.dtype)) +
                    " cannot be quantized; `model: {dtype: bfloat16}` casts floating-point ones");
  }
  if (module.rows == 0 || module.columns == 0) {
    throw Error(ErrorCode::Unsupported,
                module.weight->name + ": an empty weight cannot be quantized");
  }
}

[[noreturn]] void refuse_format(const Format& format,
                                const PlannedModule& module,
                                const std::string& reason) {
  throw Error(ErrorCode::Unsupported,
              module.name + ": " + format.name() + " cannot hold it: " + reason +
                  "; `fp_layers: [" + module.name + "]` keeps it in floating point");
}

/// Each quantized module against the first.
void check_together(const Format& format, const Plan& plan) {
  const PlannedModule* first = nullptr;
  for (const PlannedModule& module : plan.modules) {
    if (!module.scheme) {
      continue;
    }
    first = first == nullptr ? &module : first;
    if (const auto reason = format.unsupported_together(module, *first)) {
      refuse_format(format, module, *reason);
    }
  }
}

void check_formats(const PlanRequest& request, const Plan& plan) {
  for (const Format* format : request.formats) {
    if (!plan.caches.empty() && !format->holds_caches()) {
      throw Error(ErrorCode::Unsupported,
                  format->name() +
                      " cannot hold scales of keys and values; leave kv_cache_scheme "
                      "out, or write compressed_tensors");
    }
  }
  for (const PlannedModule& module : plan.modules) {
    if (!module.scheme) {
      continue;
    }
    check_weight(module);
    for (const Format* format : request.formats) {
      if (const auto reason = format->unsupported(module)) {
        refuse_format(*format, module, *reason);
      }
    }
  }
  for (const Format* format : request.formats) {
    check_together(*format, plan);
  }
}

void choose_compute_dtype(Plan& plan) {
  const bool fits =
      std::all_of(plan.modules.begin(), plan.modules.end(), [](const PlannedModule& module) {
        return !module.scheme || module.dtype == Dtype::Bf16 ||
               (module.tuned && module.dtype == Dtype::F16);
      });
  plan.computed_in = fits && kernels::has_bfloat16_products() ? Dtype::Bf16 : Dtype::F32;
}

}  // namespace

uint64_t Plan::output_bytes() const {
  uint64_t total = 0;
  for (const PlannedOutput& output : outputs) {
    total += output.layout.total_bytes();
  }
  return total;
}

Plan make_plan(const PlanRequest& request) {
  std::vector<NamedShape> shapes;
  for (const SourceTensor& tensor : request.source->tensors()) {
    shapes.push_back({tensor.name, tensor.shape});
  }
  const std::vector<ModuleInfo> modules = list_modules(request.source->config(), shapes);

  Plan plan;
  plan.cast = request.cast;
  fill_modules(plan, modules, *request.source);
  check_tuners(request);
  run_modifiers(request, plan, modules);
  keep_unseen(request, plan);
  check_fused_sets(plan, modules);
  check_formats(request, plan);
  plan_tensors(request, plan, modules);
  choose_compute_dtype(plan);
  plan_memory(plan, request);
  return plan;
}

}  // namespace oneshot
