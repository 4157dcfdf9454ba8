#include "engine/plan_tensors.h"

#include <algorithm>
#include <map>

#include "engine/format.h"
#include "engine/modifier.h"

namespace oneshot {
namespace {

TensorSpec kept_spec(const PlannedTensor& tensor) {
  return {tensor.source->name, tensor.dtype, tensor.source->shape};
}

/// The tensors of one output in state-dict order, which is that of the source.
std::vector<TensorSpec> output_specs(const PlanRequest& request,
                                     const Plan& plan,
                                     const Format& format) {
  std::map<const SourceTensor*, const PlannedModule*> quantized;
  for (const PlannedModule& module : plan.modules) {
    if (module.scheme) {
      quantized[module.weight] = &module;
    }
  }
  std::vector<TensorSpec> specs;
  for (const PlannedCache& cache : plan.caches) {
    for (TensorSpec& spec : format.cache_tensors(cache)) {
      specs.push_back(std::move(spec));
    }
  }
  size_t kept = 0;
  for (const SourceTensor& tensor : request.source->tensors()) {
    if (!plan.left.empty() && request.source->is_in_tower(tensor)) {
      continue;
    }
    const auto found = quantized.find(&tensor);
    if (found == quantized.end()) {
      specs.push_back(kept_spec(plan.kept[kept++]));
      continue;
    }
    for (TensorSpec& spec : format.tensors(*found->second)) {
      specs.push_back(std::move(spec));
    }
  }
  return specs;
}

/// Of a tower in a folder of its own, nothing is written as long as no modifier changes it.
/// owner: module of every tensor. Returns whether the tower stays.
bool leave_tower(const PlanRequest& request, Plan& plan, const std::vector<size_t>& owner) {
  const SourceCheckpoint& source = *request.source;
  std::vector<size_t> modules;
  for (size_t t = 0; t < owner.size(); ++t) {
    if (source.is_in_tower(source.tensors()[t])) {
      modules.push_back(owner[t]);
    }
  }
  const bool changes = std::any_of(modules.begin(), modules.end(), [&](size_t m) {
    return plan.modules[m].scheme || !plan.modules[m].rewriters.empty();
  });
  const std::string where = source.tower_folder().string();
  if (changes && !source.is_tower_inside() && tower_place(source.config()).empty()) {
    plan.warnings.push_back("the vision tower " + where +
                            " is in the weights of the output, its config.json is not, because "
                            "mm_vision_tower is no place inside: name it with --vision-tower when "
                            "you use that");
  }
  if (changes || modules.empty()) {
    return false;
  }
  for (const size_t m : modules) {
    plan.modules[m].written = false;
  }
  if (!source.is_tower_inside()) {
    plan.warnings.push_back("the vision tower " + where +
                            " is not quantized and not part of the output: name it with "
                            "--vision-tower when you use that");
  } else if (plan.cast) {
    plan.warnings.push_back("the vision tower " + where +
                            " is copied as it is: model.dtype does not change it");
  }
  return true;
}

void count_bytes(Plan& plan) {
  for (PlannedCache& cache : plan.caches) {
    for (const TensorSpec& spec : plan.outputs.front().format->cache_tensors(cache)) {
      cache.bytes += spec.bytes();
    }
  }
  for (const PlannedTensor& tensor : plan.kept) {
    plan.modules[tensor.module].bytes_after += kept_spec(tensor).bytes();
  }
  for (PlannedModule& module : plan.modules) {
    if (module.scheme) {
      for (const TensorSpec& spec : plan.outputs.front().format->tensors(module)) {
        module.bytes_after += spec.bytes();
      }
    }
  }
}

}  // namespace

void plan_tensors(const PlanRequest& request, Plan& plan, std::span<const ModuleInfo> modules) {
  std::vector<size_t> owner(request.source->tensors().size());
  for (size_t m = 0; m < modules.size(); ++m) {
    for (const size_t tensor : modules[m].tensors) {
      owner[tensor] = m;
    }
  }
  const bool tower_stays = leave_tower(request, plan, owner);
  for (size_t t = 0; t < owner.size(); ++t) {
    const SourceTensor& tensor = request.source->tensors()[t];
    const PlannedModule& module = plan.modules[owner[t]];
    if (tower_stays && request.source->is_in_tower(tensor)) {
      plan.left.push_back({&tensor, tensor.dtype, owner[t]});
      continue;
    }
    if (module.scheme && module.weight == &tensor) {
      continue;
    }
    const bool cast = plan.cast && is_plain_float(tensor.dtype);
    plan.kept.push_back({&tensor, cast ? *plan.cast : tensor.dtype, owner[t]});
  }
  for (const Format* format : request.formats) {
    const std::string folder = request.formats.size() > 1 ? format->name() : "";
    plan.outputs.push_back(
        {format, folder, OutputLayout(output_specs(request, plan, *format), request.shard_size)});
  }
  count_bytes(plan);
}

}  // namespace oneshot
