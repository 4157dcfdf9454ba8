#include "engine/graph/module.h"

namespace oneshot {
namespace {

thread_local size_t current_sample = 0;

}  // namespace

SampleScope::SampleScope(size_t sample) : before_(std::exchange(current_sample, sample)) {}

SampleScope::~SampleScope() {
  current_sample = before_;
}

HookHandle& HookHandle::operator=(HookHandle&& other) noexcept {
  if (this != &other) {
    remove();
    hooks_ = std::exchange(other.hooks_, {});
    hook_ = other.hook_;
  }
  return *this;
}

void HookHandle::remove() noexcept {
  if (const std::shared_ptr<HookList> hooks = hooks_.lock()) {
    hooks->erase(hook_);
  }
}

at::Tensor Module::forward(const at::Tensor& raw) {
  const at::Tensor input = prepare_input ? prepare_input(raw) : raw;
  at::Tensor output = compute(input);
  for (const CalibrationHook& hook : *hooks_) {
    hook({name_, current_sample, input, output});
  }
  return output;
}

HookHandle Module::add_hook(CalibrationHook hook) {
  return {hooks_, hooks_->insert(hooks_->end(), std::move(hook))};
}

}  // namespace oneshot
