// oneshot list and oneshot schema: what is built in, from the tables that everything else uses.
#include <algorithm>
#include <cstdio>

#include "cli/commands.h"
#include "cli/text.h"
#include "engine/graph/family_names.h"
#include "engine/kernels/kernel_table.h"
#include "engine/models/registry.h"
#include "engine/quant/scheme.h"
#include "formats/registry.h"
#include "modifiers/registry.h"
#include "recipes/schema.h"

namespace oneshot::cli {
namespace {

using Rows = std::vector<std::vector<std::string>>;

Rows modifier_rows() {
  Rows rows{{"modifier", "default format", "what it does"}};
  for (const ModifierKind& kind : modifiers()) {
    const std::string paper = *kind.paper == '\0' ? "" : std::string(" (") + kind.paper + ")";
    rows.push_back({kind.name, kind.default_format, kind.summary + paper});
  }
  return rows;
}

Rows scheme_rows() {
  Rows rows{{"scheme", "needs data", "what it is"}};
  for (const Preset& preset : presets()) {
    rows.push_back(
        {preset.scheme.name, preset.scheme.needs_calibration() ? "yes" : "no", preset.summary});
  }
  return rows;
}

Rows format_rows() {
  Rows rows{{"format", "", "what reads it"}};
  for (const FormatEntry& entry : formats()) {
    rows.push_back({entry.name, "", entry.summary});
  }
  return rows;
}

Rows model_rows() {
  Rows rows{{"model type", "runs", "what is known of it"}};
  for (const ModelFamily& family : model_families()) {
    rows.push_back({family.name, "yes", family.summary});
  }
  for (const ModelNames& names : known_models()) {
    if (std::any_of(rows.begin(), rows.end(), [&](const auto& row) {
          return row.front() == names.model_type;
        })) {
      continue;  // runs
    }
    rows.push_back({names.model_type, "no", names.summary});
  }
  return rows;
}

Rows kernel_rows() {
  const kernels::KernelTable& cpu = kernels::cpu_kernels();
  const std::string best = kernels::cpu_instruction_set();
  const auto row = [&](const char* name, bool own) -> std::vector<std::string> {
    return {name, own ? best : "reference", own ? "Highway" : "ATen"};
  };
  return {{"kernel", "cpu", "made with"},
          row("group_absmax", cpu.group_absmax != nullptr),
          row("group_range", cpu.group_range != nullptr),
          row("encode_int", cpu.encode_int != nullptr),
          row("encode_fp8", cpu.encode_fp8 != nullptr),
          row("encode_fp4", cpu.encode_fp4 != nullptr),
          row("pack_int", cpu.pack_int != nullptr),
          row("unpack_int", cpu.unpack_int != nullptr),
          row("pack_nibbles", cpu.pack_nibbles != nullptr),
          row("unpack_nibbles", cpu.unpack_nibbles != nullptr),
          row("rms_norm", cpu.rms_norm != nullptr),
          row("silu_multiply", cpu.silu_multiply != nullptr),
          row("rotate_heads", cpu.rotate_heads != nullptr),
          row("causal_softmax", cpu.causal_softmax != nullptr)};
}

std::vector<std::string> format_names() {
  std::vector<std::string> names;
  for (const FormatEntry& entry : formats()) {
    names.emplace_back(entry.name);
  }
  return names;
}

}  // namespace

void list_command(const std::string& what) {
  const Rows rows = what == "modifiers" ? modifier_rows()
                    : what == "schemes" ? scheme_rows()
                    : what == "formats" ? format_rows()
                    : what == "models"  ? model_rows()
                                        : kernel_rows();
  std::fputs(table_text(rows, {false, false, false}).c_str(), stdout);
}

void schema_command(bool markdown) {
  const std::vector<std::string> names = format_names();
  const std::vector<recipes::ModifierSyntax> syntax = modifier_syntax();
  const std::string text = markdown ? recipes::recipe_reference(syntax, names)
                                    : recipes::recipe_schema(syntax, names).dump(2) + "\n";
  std::fputs(text.c_str(), stdout);
}

}  // namespace oneshot::cli
