// Any bytes as a recipe: parse_recipe ends with a Recipe or an Error, and a Recipe survives being
// written out and read again.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "engine/error.h"
#include "recipes/quantizing_options.h"
#include "recipes/recipe.h"

namespace {

using oneshot::recipes::ParseInput;
using oneshot::recipes::Recipe;

Recipe parse(const std::string& text, const std::string& override) {
  static const std::vector<oneshot::recipes::ModifierSyntax> kModifiers = {
      {"quantize", "", oneshot::recipes::quantizing_options()}};
  static const std::vector<std::string> kFormats = {"compressed_tensors", "auto_round"};
  ParseInput input{.text = text, .file = "recipe.yaml"};
  if (!override.empty()) {
    input.overrides = {override};
  }
  return parse_recipe(input, kModifiers, kFormats);
}

void check_round_trip(const std::string& resolved) {
  constexpr size_t kLargestText = 1 << 20;  // aliases written out may make it too large to read
  try {
    if (resolved.size() <= kLargestText && parse(resolved, "").resolved() != resolved) {
      std::abort();
    }
  } catch (const oneshot::Error&) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string text(reinterpret_cast<const char*>(data), size);
  std::string override;
  if (const size_t end = text.find('\n');
      end != std::string::npos && text.rfind("--set ", 0) == 0) {
    override = text.substr(6, end - 6);
    text = text.substr(end + 1);
  }
  try {
    const Recipe recipe = parse(text, override);
    check_round_trip(recipe.resolved());
    for (const auto& modifier : recipe.modifiers) {
      read_selection(modifier.options);
      read_scheme(modifier.options, modifier.name);
    }
  } catch (const oneshot::Error& error) {
    if (std::string(error.what()).find('\n') != std::string::npos) {
      std::abort();  // a message is one line
    }
  }
  return 0;
}
