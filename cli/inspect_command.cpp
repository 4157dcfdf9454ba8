// oneshot inspect: what is in a checkpoint, and whether it is whole.
#include <cstdio>
#include <map>

#include "cli/commands.h"
#include "cli/text.h"
#include "engine/written_checkpoint.h"
#include "formats/registry.h"

namespace oneshot::cli {
namespace {

struct Tally {
  size_t count = 0;
  uint64_t bytes = 0;
};

/// What was found; the members of a checkpoint that is not quantized stay empty.
struct Inspection {
  std::string architecture, model_type;
  std::string format;
  std::map<std::string, size_t> schemes;  // description → modules
  std::map<std::string, Tally> dtypes;
  Tally all;
};

std::string architecture_of(const nlohmann::json& config) {
  const auto found = config.find("architectures");
  const bool named =
      found != config.end() && found->is_array() && !found->empty() && found->front().is_string();
  return named ? found->front().get<std::string>() : "unknown";
}

void inspect_format(const WrittenCheckpoint& checkpoint, Inspection& inspection) {
  std::vector<std::string> names;
  for (const TensorSpec& spec : checkpoint.tensors()) {
    names.push_back(spec.name);
  }
  for (const FormatEntry& entry : formats()) {
    const std::unique_ptr<Format> format = entry.make();
    if (!format->recognizes(checkpoint.config())) {
      continue;
    }
    inspection.format = entry.name;
    for (const std::string& module : format->quantized_modules(names)) {
      const Scheme scheme = format->scheme(checkpoint.config(), module);
      format->module(checkpoint, module, scheme);  // checks its tensors
      ++inspection.schemes[scheme.name + " (" + describe(scheme) + ")"];
    }
  }
}

Inspection inspect(const WrittenCheckpoint& checkpoint) {
  Inspection inspection;
  inspection.architecture = architecture_of(checkpoint.config());
  const auto type = checkpoint.config().find("model_type");
  const bool typed = type != checkpoint.config().end() && type->is_string();
  inspection.model_type = typed ? type->get<std::string>() : "unknown";
  for (const TensorSpec& spec : checkpoint.tensors()) {
    for (Tally* tally :
         {&inspection.dtypes[std::string(dtype_name(spec.dtype))], &inspection.all}) {
      ++tally->count;
      tally->bytes += spec.bytes();
    }
  }
  inspect_format(checkpoint, inspection);
  return inspection;
}

nlohmann::json to_json(const Inspection& inspection, const WrittenCheckpoint& checkpoint) {
  nlohmann::json tensors = nlohmann::json::array();
  for (const TensorSpec& spec : checkpoint.tensors()) {
    tensors.push_back({{"name", spec.name},
                       {"dtype", dtype_name(spec.dtype)},
                       {"shape", spec.shape},
                       {"bytes", spec.bytes()}});
  }
  nlohmann::json files = nlohmann::json::object();
  for (const WrittenFile& file : checkpoint.files()) {
    files[file.name] = file.bytes;
  }
  return {{"architecture", inspection.architecture},
          {"model_type", inspection.model_type},
          {"format",
           inspection.format.empty() ? nlohmann::json(nullptr) : nlohmann::json(inspection.format)},
          {"schemes", inspection.schemes},
          {"files", files},
          {"tensors", tensors},
          {"bytes", inspection.all.bytes}};
}

void print(const Inspection& inspection, const WrittenCheckpoint& checkpoint) {
  std::printf(
      "architecture  %s (%s)\n", inspection.architecture.c_str(), inspection.model_type.c_str());
  std::printf("format        %s\n",
              inspection.format.empty() ? "not quantized" : inspection.format.c_str());
  for (const auto& [scheme, count] : inspection.schemes) {
    std::printf("scheme        %zu × %s\n", count, scheme.c_str());
  }
  for (const WrittenFile& file : checkpoint.files()) {
    std::printf("file          %s, %s\n", file.name.c_str(), bytes_text(file.bytes).c_str());
  }
  std::vector<std::vector<std::string>> rows{{"dtype", "tensors", "bytes"}};
  for (const auto& [dtype, tally] : inspection.dtypes) {
    rows.push_back({dtype, std::to_string(tally.count), bytes_text(tally.bytes)});
  }
  rows.push_back({"all", std::to_string(inspection.all.count), bytes_text(inspection.all.bytes)});
  std::printf("\n%s", table_text(rows, {false, true, true}).c_str());
}

}  // namespace

void inspect_command(const std::filesystem::path& folder, bool json) {
  const WrittenCheckpoint checkpoint(folder);
  const Inspection inspection = inspect(checkpoint);
  if (json) {
    std::printf("%s\n", to_json(inspection, checkpoint).dump(2).c_str());
  } else {
    print(inspection, checkpoint);
  }
}

}  // namespace oneshot::cli
