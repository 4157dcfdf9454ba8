// Source: recipe/recipe.py and modifiers/factory.py of llm-compressor 0.14.
#include "recipes/llm_compressor.h"

#include <algorithm>
#include <array>

#include "engine/nearest_word.h"
#include "recipes/llm_compressor_arguments.h"
#include "recipes/llm_compressor_quantization.h"

namespace oneshot::recipes {
namespace {

constexpr std::string_view kStage = "_stage";
constexpr std::string_view kGroup = "_modifiers";
constexpr std::string_view kModifier = "Modifier";
constexpr const char* kQuantization = "QuantizationModifier";

/// Words of ours that somebody may add to such a file, where llm-compressor skips them.
constexpr std::array<std::string_view, 7> kOurWords = {
    "model", "calibration", "modifiers", "stages", "output", "evaluation", "extends"};

const std::vector<std::string>& class_names() {
  static const std::vector<std::string> kNames = {kQuantization,
                                                  "GPTQModifier",
                                                  "AWQModifier",
                                                  "SmoothQuantModifier",
                                                  "AutoRoundModifier",
                                                  "SpinQuantModifier",
                                                  "QuIPModifier",
                                                  "SparseGPTModifier",
                                                  "WandaPruningModifier",
                                                  "REAPPruningModifier",
                                                  "MagnitudePruningModifier",
                                                  "ConstantPruningModifier"};
  return kNames;
}

/// ", did you mean 'AWQModifier'?": near without the ending that they all have.
std::string nearest_class(const std::string& name) {
  const auto stem = [](const std::string& text) {
    return text.substr(0, text.size() - (text.ends_with(kModifier) ? kModifier.size() : 0));
  };
  std::vector<std::string> stems;
  std::transform(class_names().begin(), class_names().end(), std::back_inserter(stems), stem);
  const auto near = nearest(stem(name), stems);
  return near ? ", did you mean '" + *near + std::string(kModifier) + "'?"
              : "; it has " + join(class_names(), "and");
}

bool holds_modifiers(const YamlNode& node) {
  const auto is_modifier = [](const YamlNode& key) { return key.text.ends_with(kModifier); };
  return std::any_of(node.keys.begin(), node.keys.end(), is_modifier) ||
         std::any_of(node.items.begin(), node.items.end(), holds_modifiers);
}

/// A key that llm-compressor passes over in silence.
void skip(const YamlNode& key,
          const YamlNode& value,
          std::string_view ending,
          std::vector<std::string>& warnings) {
  if (holds_modifiers(value)) {
    fail(key.where,
         in_quotes(key.text) +
             " holds modifiers, which llm-compressor skips: its name must end in '" +
             std::string(ending) + "'");
  }
  warnings.push_back(key.where + ": " + in_quotes(key.text) +
                     " says nothing in an llm-compressor recipe and is skipped");
}

void check_mapping(const YamlNode& key, const YamlNode& value, const std::string& of) {
  if (value.kind != YamlNode::Kind::Mapping) {
    const bool is_null = value.kind == YamlNode::Kind::Null;
    fail(is_null ? key.where : value.where,
         in_quotes(key.text) + " must be a mapping of " + of + ", found " + found(value));
  }
}

/// "quantize (W4A16)".
std::string in_short(const YamlNode& entry) {
  const YamlNode& scheme = entry.items[0].items[0];
  const bool is_preset = scheme.kind == YamlNode::Kind::Scalar;
  return entry.keys[0].text + " (" + (is_preset ? printable(scheme.text, 60) : "own scheme") + ")";
}

class Translation {
 public:
  Translation(const YamlNode& root, std::vector<std::string>& warnings)
      : root_(root), warnings_(warnings) {}

  YamlNode translate();

 private:
  void check_top();
  void stage(const YamlNode& stage);
  void group(const YamlNode& group);
  void modifier(const YamlNode& key, const YamlNode& arguments);

  const YamlNode& root_;
  std::vector<std::string>& warnings_;
  std::vector<YamlNode> entries_;
  std::string summary_;
};

YamlNode Translation::translate() {
  check_top();
  for (size_t i = 0; i < root_.keys.size(); ++i) {
    const YamlNode& key = root_.keys[i];
    const YamlNode& value = root_.items[i];
    if (key.text.ends_with(kStage)) {
      check_mapping(key, value, "groups, such as quant_modifiers");
      stage(value);
    } else {
      skip(key, value, kStage, warnings_);
    }
  }
  if (entries_.empty()) {
    fail(root_.where, "an llm-compressor recipe without modifiers: nothing to do");
  }
  warnings_.insert(warnings_.begin(),
                   printable(root_.file) + ": read as an llm-compressor recipe: " + summary_ +
                       ", with allow_unmatched: true");
  YamlNode ours = mapping_at(root_);
  add_item(ours, "version", scalar_at(root_, "1"));
  add_item(ours, "modifiers", list_at(root_, std::move(entries_)));
  return ours;
}

void Translation::check_top() {
  for (const YamlNode& key : root_.keys) {
    if (key.text == "version") {
      fail(key.where,
           "'version' is a word of ours, a key that ends in '_stage' one of llm-compressor's: a "
           "recipe is one or the other");
    }
    if (std::find(kOurWords.begin(), kOurWords.end(), key.text) != kOurWords.end()) {
      fail(key.where,
           in_quotes(key.text) +
               " is no word of llm-compressor's recipes: write a recipe with "
               "'version: 1' that extends this one, or use --set");
    }
  }
}

void Translation::stage(const YamlNode& stage) {
  for (size_t i = 0; i < stage.keys.size(); ++i) {
    const YamlNode& key = stage.keys[i];
    const YamlNode& value = stage.items[i];
    if (key.text.ends_with(kGroup)) {
      check_mapping(key, value, "modifiers, such as QuantizationModifier");
      group(value);
    } else {
      skip(key, value, kGroup, warnings_);
    }
  }
}

void Translation::group(const YamlNode& group) {
  for (size_t i = 0; i < group.keys.size(); ++i) {
    modifier(group.keys[i], group.items[i]);
  }
}

void Translation::modifier(const YamlNode& key, const YamlNode& arguments) {
  const std::vector<std::string>& known = class_names();
  if (std::find(known.begin(), known.end(), key.text) == known.end()) {
    fail(key.where,
         "llm-compressor has no modifier " + in_quotes(key.text) + nearest_class(key.text));
  }
  if (key.text != kQuantization) {
    fail(key.where,
         "llm-compressor's " + in_quotes(key.text) + " is not supported yet; " + kQuantization +
             " is",
         ErrorCode::Unsupported);
  }
  check_mapping(key, arguments, "options, such as scheme: W4A16");
  std::string became;
  for (YamlNode& entry : quantize_entries(key, arguments, warnings_)) {
    became += (became.empty() ? "" : " and ") + in_short(entry);
    entries_.push_back(std::move(entry));
  }
  summary_ += (summary_.empty() ? "" : ", ") + key.text + " is " + became;
}

}  // namespace

bool is_llm_compressor(const YamlNode& root) {
  return std::any_of(root.keys.begin(), root.keys.end(), [](const YamlNode& key) {
    return key.text.ends_with(kStage);
  });
}

YamlNode from_llm_compressor(const YamlNode& root, std::vector<std::string>& warnings) {
  return Translation(root, warnings).translate();
}

}  // namespace oneshot::recipes
