// How a modifier plans: what it sees of a checkpoint, and how it says what becomes of it.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "engine/plan.h"

namespace oneshot {

/// What a modifier sees while it plans, and says what it wants.
class PlanBuilder {
 public:
  PlanBuilder(Plan& plan,
              std::span<const ModuleInfo> modules,
              size_t modifier,
              std::string modifier_name);

  const std::vector<PlannedModule>& modules() const { return plan_.modules; }

  /// One choice a module, and a warning for each unmatched pattern that is allowed. See
  /// engine/graph/matching.h.
  std::vector<Choice> select(const Selection& selection);

  /// Which modules a pattern of another option fits. Throws Recipe as `modules_fitted`.
  std::vector<bool> fits(const std::string& key, const Pattern& pattern, bool allow_unmatched);

  /// The module is quantized. Throws Recipe when another modifier quantizes it already, Unsupported
  /// for a tied lm_head.
  void quantize(size_t module,
                const Scheme& scheme,
                const Choice& choice,
                const Selection& selection);

  /// Keys and values of all attentions of the language model are quantized as `args` say. Throws
  /// Recipe when there are none, or when another modifier does it already.
  void quantize_caches(const QuantArgs& args);

  /// The module's weight is rewritten, and goes on to the next modifier.
  void rewrite(size_t module, const std::string& rule);

  /// The module stays as it is for this modifier.
  void leave(size_t module, const Choice& choice);

  /// Statistics over the whole weight are wanted; over the whole fused set when `with_fused`.
  void measure(size_t module, bool with_fused);

  void warn(const std::string& text) { plan_.warnings.push_back(text); }

 private:
  Plan& plan_;
  std::span<const ModuleInfo> modules_;
  size_t modifier_;
  std::string modifier_name_;
};

}  // namespace oneshot
