#include "modifiers/registry.h"

#include <array>

#include "modifiers/quantize/quantize_modifier.h"

namespace oneshot {
namespace {

constexpr std::array kModifiers{
    ModifierKind{"quantize",
                 "rounds weights to the nearest code, without data",
                 "",
                 "compressed_tensors",
                 quantize_options,
                 make_quantize},
};

}  // namespace

std::span<const ModifierKind> modifiers() {
  return kModifiers;
}

std::vector<recipes::ModifierSyntax> modifier_syntax() {
  std::vector<recipes::ModifierSyntax> syntax;
  for (const ModifierKind& kind : kModifiers) {
    syntax.push_back({kind.name, kind.summary, kind.options()});
  }
  return syntax;
}

}  // namespace oneshot
