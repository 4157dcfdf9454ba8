// A named computation that lets calibration look at what goes in and out.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/graph/names.h"

namespace oneshot {

/// Where the weights of a model come from, by their full names in the checkpoint.
struct Weights {
  std::function<bool(const std::string& tensor)> has;
  std::function<at::Tensor(const std::string& tensor)> load;  // in `dtype`
  /// Some rows of a table: rows int64 of any shape → [..., columns]. May be empty: the whole table
  /// is loaded for them. As gather_rows() otherwise.
  std::function<at::Tensor(const std::string& tensor, const at::Tensor& rows)> load_rows = {};
  at::ScalarType dtype = at::kFloat;  // that is computed in
};

/// While it lives, hooks that this thread runs are told that sample.
class SampleScope {
 public:
  explicit SampleScope(size_t sample);
  ~SampleScope();
  SampleScope(const SampleScope&) = delete;
  SampleScope& operator=(const SampleScope&) = delete;

 private:
  size_t before_;
};

/// What a hook sees after a module has computed. Hooks read only.
struct HookCall {
  const std::string& module;
  size_t sample;  // of the SampleScope; 0 outside of one
  const at::Tensor& input;
  const at::Tensor& output;
};
using CalibrationHook = std::function<void(const HookCall&)>;
using HookList = std::list<CalibrationHook>;

/// Takes its hook away when it goes. May outlive the module.
class [[nodiscard]] HookHandle {
 public:
  HookHandle(const std::shared_ptr<HookList>& hooks, HookList::iterator hook)
      : hooks_(hooks), hook_(hook) {}
  HookHandle(HookHandle&& other) noexcept
      : hooks_(std::exchange(other.hooks_, {})), hook_(other.hook_) {}
  HookHandle& operator=(HookHandle&& other) noexcept;
  ~HookHandle() { remove(); }

 private:
  void remove() noexcept;

  std::weak_ptr<HookList> hooks_;
  HookList::iterator hook_;
};

/// Several threads may compute at the same time; then hooks run at the same time too. All else is
/// for one thread alone.
class Module {
 public:
  explicit Module(std::string name) : name_(std::move(name)) {}
  virtual ~Module() = default;

  const std::string& name() const { return name_; }

  /// Computes, then runs the hooks in the order in which they were added.
  at::Tensor forward(const at::Tensor& input);

  HookHandle add_hook(CalibrationHook hook);

  /// The tensors that `load` needs, with their shapes.
  virtual std::vector<NamedShape> tensors() const { return {}; }

  /// Brings the weights in, and lets them go again. throws what `weights` throws.
  virtual void load(const Weights& weights) = 0;
  virtual void unload() = 0;

  at::Tensor weight, bias;  // undefined until loaded; bias: where there is one

  /// What the input goes through before it is computed with, such as the quantization of
  /// activations; hooks see it after. Empty: nothing.
  std::function<at::Tensor(const at::Tensor& input)> prepare_input;

 private:
  virtual at::Tensor compute(const at::Tensor& input) const = 0;

  std::string name_;
  std::shared_ptr<HookList> hooks_ = std::make_shared<HookList>();
};

}  // namespace oneshot
