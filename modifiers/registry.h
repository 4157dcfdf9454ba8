// Every modifier that is built in.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "engine/modifier.h"
#include "recipes/recipe.h"

namespace oneshot {

struct ModifierKind {
  const char* name;
  const char* summary;
  const char* paper;           // or "" where there is none
  const char* default_format;  // when the recipe names no `output.formats`
  std::vector<recipes::Option> (*options)();
  std::unique_ptr<Modifier> (*make)(const recipes::ModifierEntry& entry,
                                    const recipes::Recipe& recipe);
};

/// In the order in which they are listed.
std::span<const ModifierKind> modifiers();

/// What the recipe parser needs to know of them.
std::vector<recipes::ModifierSyntax> modifier_syntax();

}  // namespace oneshot
