#include "engine/graph/matching.h"

#include <re2/re2.h>

#include <algorithm>
#include <cctype>
#include <memory>

#include "engine/error.h"
#include "engine/nearest_word.h"

namespace oneshot {
namespace {

constexpr std::string_view kRegexPrefix = "re:";
constexpr size_t kNearestShown = 3;

bool is_regex(const std::string& pattern) {
  return pattern.starts_with(kRegexPrefix);
}

/// A pattern that was compiled once.
class Matcher {
 public:
  explicit Matcher(const std::string& pattern) : pattern_(pattern) {
    if (is_regex(pattern)) {  // from the start, open at the end: as Python's re.match
      const std::string expression = pattern.substr(kRegexPrefix.size());
      regex_ = std::make_unique<RE2>("^(?:" + expression + ")", RE2::Quiet);
    }
  }

  bool fits(const ModuleInfo& module) const {
    return kind_name(module.kind) == pattern_ || fits(module.name) ||
           std::any_of(module.aliases.begin(),
                       module.aliases.end(),
                       [this](const std::string& name) { return fits(name); });
  }

 private:
  bool fits(const std::string& name) const {
    return regex_ ? RE2::PartialMatch(name, *regex_) : name == pattern_;
  }

  std::string pattern_;
  std::unique_ptr<RE2> regex_;
};

/// What is left of a regular expression when its special characters are taken out, for a search of
/// similar names: "re:.*q_prj$" → "q_prj".
std::string literal_part(const std::string& pattern) {
  std::string text;
  for (const char c : is_regex(pattern) ? pattern.substr(kRegexPrefix.size()) : pattern) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.' || c == '-') {
      text += c;
    }
  }
  const size_t begin = text.find_first_not_of('.');
  const size_t end = text.find_last_not_of('.');
  return begin == std::string::npos ? "" : text.substr(begin, end - begin + 1);
}

/// All runs of whole components of a name that are as many as `count`.
void add_windows(const std::string& name, size_t count, std::vector<std::string>& windows) {
  std::vector<size_t> starts{0};
  for (size_t i = 0; i < name.size(); ++i) {
    if (name[i] == '.') {
      starts.push_back(i + 1);
    }
  }
  starts.push_back(name.size() + 1);
  for (size_t i = 0; i + count < starts.size(); ++i) {
    windows.push_back(name.substr(starts[i], starts[i + count] - 1 - starts[i]));
  }
}

std::string nearest_names(const std::string& pattern, std::span<const ModuleInfo> modules) {
  const std::string literal = literal_part(pattern);
  const size_t components =
      1 + static_cast<size_t>(std::count(literal.begin(), literal.end(), '.'));
  std::vector<std::string> candidates;
  for (const ModuleInfo& module : modules) {
    add_windows(module.name, components, candidates);
    for (const std::string& alias : module.aliases) {
      add_windows(alias, components, candidates);
    }
  }
  std::sort(candidates.begin(), candidates.end());
  candidates.erase(std::unique(candidates.begin(), candidates.end()), candidates.end());
  std::string text;
  for (size_t shown = 0; shown < kNearestShown; ++shown) {
    const std::optional<std::string> name = nearest(literal, candidates);
    if (!name) {
      break;
    }
    text += (text.empty() ? "" : ", ") + ("'" + *name + "'");
    std::erase(candidates, *name);
  }
  return text;
}

std::string at_pattern(const Pattern& pattern,
                       const std::string& modifier,
                       const std::string& text) {
  return (pattern.where.empty() ? "" : pattern.where + ": ") + modifier + ": " + text;
}

[[noreturn]] void fail(ErrorCode code,
                       const Pattern& pattern,
                       const std::string& modifier,
                       const std::string& text) {
  throw Error(code, at_pattern(pattern, modifier, text));
}

/// An exact name of a part that holds modules would match none of them: say how to write it.
void refuse_container(const std::string& modifier,
                      const std::string& key,
                      const Pattern& pattern,
                      std::span<const ModuleInfo> modules) {
  if (is_regex(pattern.text)) {
    return;
  }
  const std::string inside = pattern.text + ".";
  const auto begins = [&](const std::string& name) { return name.starts_with(inside); };
  const bool container = std::any_of(modules.begin(), modules.end(), [&](const ModuleInfo& m) {
    return begins(m.name) || std::any_of(m.aliases.begin(), m.aliases.end(), begins);
  });
  if (container) {
    fail(ErrorCode::Recipe,
         pattern,
         modifier,
         key + " '" + pattern.text + "' is a part that holds modules, not a module; write 're:" +
             pattern.text + "\\..*' for all of them");
  }
}

void refuse_unmatched(const std::string& modifier,
                      const std::string& key,
                      const Pattern& pattern,
                      std::span<const ModuleInfo> modules) {
  const std::string names = nearest_names(pattern.text, modules);
  fail(ErrorCode::Recipe,
       pattern,
       modifier,
       key + " '" + pattern.text + "' matches no module" +
           (names.empty() ? "" : "; the nearest names are " + names) +
           "; `allow_unmatched: true` permits it");
}

bool named_with(const ModuleInfo& module, const std::string& part) {
  return contains_part(module.name, part) ||
         std::any_of(module.aliases.begin(), module.aliases.end(), [&](const std::string& alias) {
           return contains_part(alias, part);
         });
}

/// Which modules a pattern fits; those of fp_layers are parts of names.
std::vector<bool> fits_of(const std::string& key,
                          const Pattern& pattern,
                          std::span<const ModuleInfo> modules) {
  const Matcher matcher(pattern.text);
  std::vector<bool> fits;
  for (const ModuleInfo& module : modules) {
    fits.push_back(key == "fp_layers" ? named_with(module, pattern.text) : matcher.fits(module));
  }
  return fits;
}

/// The first pattern of a list that fits each module: its index, or nothing.
std::vector<std::optional<size_t>> first_fits(const std::string& modifier,
                                              const std::string& key,
                                              const std::vector<Pattern>& patterns,
                                              bool allow_unmatched,
                                              std::span<const ModuleInfo> modules) {
  std::vector<std::optional<size_t>> fits(modules.size());
  for (size_t p = 0; p < patterns.size(); ++p) {
    const std::vector<bool> is_fit =
        modules_fitted({modifier, key, allow_unmatched}, patterns[p], modules);
    for (size_t m = 0; m < modules.size(); ++m) {
      if (is_fit[m] && !fits[m]) {
        fits[m] = p;
      }
    }
  }
  return fits;
}

std::string quoted_rule(const std::string& text, const Pattern& pattern) {
  return text + " '" + pattern.text + "'";
}

/// Only Linears can be quantized: an exact target that is none, or is tied, ends the run.
void refuse_target(const std::string& modifier, const Pattern& target, const ModuleInfo& module) {
  if (module.kind != ModuleKind::Linear) {
    fail(ErrorCode::Unsupported,
         target,
         modifier,
         "target '" + target.text + "' is of kind " + std::string(kind_name(module.kind)) +
             "; only Linear modules can be quantized");
  }
}

}  // namespace

bool matches(const std::string& pattern, const ModuleInfo& module) {
  return Matcher(pattern).fits(module);
}

std::vector<bool> modules_fitted(const PatternUse& use,
                                 const Pattern& pattern,
                                 std::span<const ModuleInfo> modules) {
  std::vector<bool> fits = fits_of(use.key, pattern, modules);
  if (use.key != "fp_layers") {
    refuse_container(use.modifier, use.key, pattern, modules);
  }
  if (!use.allow_unmatched && std::find(fits.begin(), fits.end(), true) == fits.end()) {
    refuse_unmatched(use.modifier, use.key, pattern, modules);
  }
  return fits;
}

bool contains_part(const std::string& name, const std::string& part) {
  const auto digit = [](char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; };
  for (size_t at = name.find(part); at != std::string::npos; at = name.find(part, at + 1)) {
    const size_t end = at + part.size();
    const bool cut_before = at > 0 && digit(name[at - 1]) && digit(part.front());
    const bool cut_after = end < name.size() && digit(name[end]) && digit(part.back());
    if (!cut_before && !cut_after) {
      return true;
    }
  }
  return false;
}

std::vector<Choice> select(const std::string& modifier,
                           const Selection& selection,
                           std::span<const ModuleInfo> modules) {
  const std::vector<Pattern> targets =
      selection.targets.value_or(std::vector<Pattern>{{"Linear", ""}});
  const bool allow = selection.allow_unmatched;
  const auto targeted = first_fits(modifier, "target", targets, allow, modules);
  const auto ignored = first_fits(modifier, "ignore", selection.ignore, allow, modules);
  const auto kept = first_fits(modifier, "fp_layers", selection.fp_layers, allow, modules);

  std::vector<Choice> choices(modules.size());
  for (size_t m = 0; m < modules.size(); ++m) {
    Choice& choice = choices[m];
    const ModuleInfo& module = modules[m];
    choice.targeted = targeted[m].has_value();
    if (!module.weight && !module.tied) {
      choice.rule = "has no weight";
    } else if (!targeted[m]) {
      choice.rule = module.kind == ModuleKind::Linear
                        ? "no target fits"
                        : "is no Linear: " + std::string(kind_name(module.kind));
    } else if (ignored[m]) {
      choice.rule = quoted_rule("ignore", selection.ignore[*ignored[m]]);
    } else if (kept[m]) {
      choice.rule = quoted_rule("fp_layers", selection.fp_layers[*kept[m]]);
    } else {
      const Pattern& target = targets[*targeted[m]];
      if (!is_regex(target.text)) {
        refuse_target(modifier, target, module);
      }
      choice.selected = module.kind == ModuleKind::Linear;
      choice.rule = choice.selected ? quoted_rule("target", target)
                                    : "is no Linear: " + std::string(kind_name(module.kind));
    }
  }
  return choices;
}

std::vector<std::string> unmatched_patterns(const std::string& modifier,
                                            const Selection& selection,
                                            std::span<const ModuleInfo> modules) {
  std::vector<std::string> lines;
  const auto add = [&](const std::string& key, const std::vector<Pattern>& patterns) {
    for (const Pattern& pattern : patterns) {
      const std::vector<bool> fits = fits_of(key, pattern, modules);
      if (std::find(fits.begin(), fits.end(), true) == fits.end()) {
        lines.push_back(
            at_pattern(pattern, modifier, key + " '" + pattern.text + "' matches no module"));
      }
    }
  };
  add("target", selection.targets.value_or(std::vector<Pattern>{}));
  add("ignore", selection.ignore);
  add("fp_layers", selection.fp_layers);
  return lines;
}

}  // namespace oneshot
