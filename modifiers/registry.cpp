#include "modifiers/registry.h"

#include <array>

#include "modifiers/quantize/quantize_modifier.h"
#include "modifiers/sign_round/sign_round_modifier.h"

namespace oneshot {
namespace {

constexpr std::array kModifiers{
    ModifierKind{"quantize",
                 "rounds weights to the nearest code, without data",
                 "",
                 "compressed_tensors",
                 quantize_options,
                 make_quantize},
    ModifierKind{"sign_round",
                 "rounds weights as auto-round does; `iterations: 0` needs no data",
                 "arXiv:2309.05516",
                 "auto_round",
                 sign_round_options,
                 make_sign_round},
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
