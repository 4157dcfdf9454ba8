// oneshot check and oneshot plan: everything that can be said before a weight is read.
#include <algorithm>
#include <cctype>
#include <cstdio>
#include <map>

#include "cli/commands.h"
#include "cli/job.h"
#include "cli/text.h"
#include "engine/error.h"
#include "recipes/inputs.h"

namespace oneshot::cli {
namespace {

/// "model.layers.12.mlp" → "model.layers.#.mlp".
std::string without_numbers(const std::string& name) {
  std::string folded;
  size_t begin = 0;
  while (begin <= name.size()) {
    const size_t end = std::min(name.find('.', begin), name.size());
    const std::string part = name.substr(begin, end - begin);
    const bool number = !part.empty() && std::all_of(part.begin(), part.end(), [](unsigned char c) {
      return std::isdigit(c) != 0;
    });
    folded += (begin == 0 ? "" : ".") + (number ? "#" : part);
    begin = end + 1;
  }
  return folded;
}

/// Modules that differ in their numbers only.
struct Line {
  size_t count = 0;
  uint64_t before = 0, after = 0;
};

std::string becomes(const PlannedModule& module, const Plan& plan) {
  if (module.scheme) {
    return module.scheme->name == "custom" ? describe(*module.scheme) : module.scheme->name;
  }
  if (!module.rewriters.empty()) {
    return "rewritten";
  }
  if (!module.written) {
    return "stays in its folder";
  }
  return plan.cast ? "cast" : "copied";
}

std::string plan_table(const Plan& plan) {
  using Key = std::vector<std::string>;
  std::vector<Key> order;
  std::map<Key, Line> lines;
  for (const PlannedModule& module : plan.modules) {
    const Key key{without_numbers(module.name), becomes(module, plan), module.rule};
    auto [line, is_new] = lines.try_emplace(key);
    if (is_new) {
      order.push_back(key);
    }
    ++line->second.count;
    line->second.before += module.bytes_before;
    line->second.after += module.bytes_after;
  }
  std::vector<std::vector<std::string>> rows{
      {"module", "count", "becomes", "before", "after", "rule"}};
  for (const Key& key : order) {
    const Line& line = lines.at(key);
    rows.push_back({key[0],
                    std::to_string(line.count),
                    key[1],
                    bytes_text(line.before),
                    bytes_text(line.after),
                    key[2]});
  }
  if (!plan.caches.empty()) {
    uint64_t bytes = 0;
    for (const PlannedCache& cache : plan.caches) {
      bytes += cache.bytes;
    }
    rows.push_back({plan.caches.front().attention + ".{k,v}_scale",
                    std::to_string(plan.caches.size()),
                    "scales of keys and values",
                    bytes_text(0),
                    bytes_text(bytes),
                    "kv_cache_scheme"});
  }
  return table_text(rows, {false, true, false, true, true, false});
}

nlohmann::json plan_json(const Plan& plan) {
  nlohmann::json modules = nlohmann::json::array();
  for (const PlannedModule& module : plan.modules) {
    nlohmann::json entry{{"name", module.name},
                         {"scheme", nullptr},
                         {"rule", module.rule},
                         {"bytes_before", module.bytes_before},
                         {"bytes_after", module.bytes_after}};
    if (module.scheme) {
      entry["scheme"] = module.scheme->name;
      entry["quantization"] = describe(*module.scheme);
    }
    modules.push_back(std::move(entry));
  }
  nlohmann::json caches = nlohmann::json::array();
  for (const PlannedCache& cache : plan.caches) {
    caches.push_back({{"attention", cache.attention}, {"bytes", cache.bytes}});
  }
  nlohmann::json files = nlohmann::json::object();
  for (const PlannedOutput& output : plan.outputs) {
    for (const OutputShard& shard : output.layout.shards()) {
      files[output.folder.empty() ? shard.file : output.folder + "/" + shard.file] = shard.bytes;
    }
  }
  nlohmann::json memory = nlohmann::json::object();
  for (const MemoryPart& part : plan.memory) {
    memory[part.what] = part.bytes;
  }
  return {{"modules", modules},
          {"caches", caches},
          {"files", files},
          {"output_bytes", plan.output_bytes()},
          {"peak_memory_bytes", plan.peak_memory_bytes},
          {"memory", memory},
          {"samples_at_once", plan.samples_at_once},
          {"threads", plan.threads},
          {"warnings", plan.warnings}};
}

void print_plan(const Plan& plan) {
  std::fputs(plan_table(plan).c_str(), stdout);
  uint64_t before = 0;
  for (const PlannedModule& module : plan.modules) {
    before += module.bytes_before;
  }
  std::printf("\nweights      %s → %s\n",
              bytes_text(before).c_str(),
              bytes_text(plan.output_bytes()).c_str());
  for (const PlannedOutput& output : plan.outputs) {
    for (const OutputShard& shard : output.layout.shards()) {
      const std::string folder = output.folder.empty() ? "" : output.folder + "/";
      std::printf("file         %s%s, %llu bytes\n",
                  folder.c_str(),
                  shard.file.c_str(),
                  static_cast<unsigned long long>(shard.bytes));
    }
  }
  std::printf("peak memory  at most about %s with %d threads\n",
              bytes_text(plan.peak_memory_bytes).c_str(),
              plan.threads);
  for (const MemoryPart& part : plan.memory) {
    std::printf("             %8s  %s\n", bytes_text(part.bytes).c_str(), part.what.c_str());
  }
}

void warn(const std::vector<std::string>& warnings) {
  for (const std::string& warning : warnings) {
    std::fprintf(stderr, "warning: %s\n", warning.c_str());
  }
}

/// `check` and `plan` open no data, so what is not there is only a warning.
void warn_missing(const recipes::Recipe& recipe) {
  for (const std::string& missing : recipes::missing_inputs(recipe)) {
    std::fprintf(stderr, "warning: %s\n", missing.c_str());
  }
}

/// A tower that is missing has been warned of.
std::filesystem::path tower_that_is_there(const Job& job) {
  std::error_code ignored;
  return std::filesystem::exists(job.vision_tower, ignored) ? job.vision_tower
                                                            : std::filesystem::path();
}

}  // namespace

void check_command(const RecipeArguments& arguments) {
  const recipes::Recipe recipe = read_recipe(arguments);
  const Job job = make_job(recipe);
  warn(job.warnings);
  warn_missing(recipe);
  if (arguments.model.empty()) {
    std::printf("%s: the recipe is right; add --model DIR to check it against a checkpoint\n",
                recipe.file.c_str());
    return;
  }
  const SourceCheckpoint source(arguments.model, tower_that_is_there(job));
  const Plan plan = plan_job(job, source, thread_count(arguments.threads), arguments.memory);
  warn(plan.warnings);
  const auto quantized = std::count_if(plan.modules.begin(),
                                       plan.modules.end(),
                                       [](const PlannedModule& m) { return m.scheme.has_value(); });
  std::printf("%s: fits %s: %td modules to quantize\n",
              recipe.file.c_str(),
              arguments.model.string().c_str(),
              quantized);
}

void plan_command(const RecipeArguments& arguments) {
  const recipes::Recipe recipe = read_recipe(arguments);
  const Job job = make_job(recipe);
  const SourceCheckpoint source(arguments.model, tower_that_is_there(job));
  const Plan plan = plan_job(job, source, thread_count(arguments.threads), arguments.memory);
  warn(job.warnings);
  warn_missing(recipe);
  warn(plan.warnings);
  if (arguments.json) {
    std::printf("%s\n", plan_json(plan).dump(2).c_str());
  } else {
    print_plan(plan);
  }
}

}  // namespace oneshot::cli
