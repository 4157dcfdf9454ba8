#include "engine/calibration/observer.h"

#include <ATen/ATen.h>

#include <array>
#include <limits>
#include <mutex>
#include <vector>

#include "engine/error.h"
#include "engine/graph/fake_quantize.h"

namespace oneshot {
namespace {

constexpr double kAveraging = 0.01;
constexpr double kShrinkSteps = 100;  // a step is one percent
constexpr int kSteps = 20;
constexpr int kPatience = 5;
constexpr double kNorm = 2.4;
constexpr double kKeptShare = 0.9999;

ValueRange extremes(const at::Tensor& values) {
  const auto [min, max] = at::aminmax(values);
  return {min, max};
}

/// A range for each sample, put together at the end in the order of the samples.
class BySample : public ActivationObserver {
 public:
  explicit BySample(size_t samples) : ranges_(samples) {}

  void see(size_t sample, const at::Tensor& values) override {
    if (values.numel() > 0) {
      ranges_.at(sample) = range_of(values);
    }
  }

  ValueRange range() const override {
    ValueRange found;
    for (const ValueRange& next : ranges_) {
      if (next.min.defined()) {
        found = found.min.defined() ? merged(found, next) : next;
      }
    }
    return found;
  }

 protected:
  virtual ValueRange range_of(const at::Tensor& values) const { return extremes(values); }
  virtual ValueRange merged(const ValueRange& old, const ValueRange& seen) const = 0;

 private:
  std::vector<ValueRange> ranges_;
};

class StaticMinMax : public BySample {
  using BySample::BySample;
  ValueRange merged(const ValueRange& old, const ValueRange& seen) const override {
    return {at::minimum(old.min, seen.min), at::maximum(old.max, seen.max)};
  }
};

class MovingAverage : public BySample {
 public:
  using BySample::BySample;

 private:
  ValueRange merged(const ValueRange& old, const ValueRange& seen) const override {
    const auto average = [](const at::Tensor& before, const at::Tensor& now) {
      return before * (1 - kAveraging) + now * kAveraging;
    };
    return {average(old.min, seen.min), average(old.max, seen.max)};
  }
};

class MovingMse : public MovingAverage {
 public:
  MovingMse(const QuantArgs& args, size_t samples) : MovingAverage(samples), args_(args) {
    args_.dynamic = Dynamic::No;
  }

 private:
  ValueRange range_of(const at::Tensor& values) const override {
    const ValueRange whole = extremes(values);
    ValueRange best = whole;
    double best_error = std::numeric_limits<double>::infinity();
    for (int step = 0, idle = 0; step < kSteps && idle < kPatience; ++step) {
      const double share = 1 - step / kShrinkSteps;
      const ValueRange range{whole.min * share, whole.max * share};
      const double error = error_of(values, range);
      ++idle;
      if (error < best_error) {
        best_error = error;
        best = range;
        idle = 0;
      }
    }
    return best;
  }

  double error_of(const at::Tensor& values, const ValueRange& range) const {
    const at::Tensor rounded = fake_quantize(args_, input_scales(args_, range), values);
    return (rounded - values).abs().pow(kNorm).sum().item<double>();
  }

  QuantArgs args_;
};

/// Counts every value there is in bfloat16: exact, and whole numbers add up in any order.
class Percentile : public ActivationObserver {
 public:
  void see(size_t, const at::Tensor& values) override {
    const at::Tensor bits =
        values.to(at::kBFloat16).contiguous().view(at::kShort).to(at::kInt).bitwise_and(0xFFFF);
    const at::Tensor counts = at::bincount(bits.reshape({-1}), {}, kValues);
    const std::lock_guard lock(mutex_);
    counts_ = counts_.defined() ? counts_ + counts : counts;
    dtype_ = values.scalar_type();
  }

  ValueRange range() const override {
    if (!counts_.defined()) {
      return {};
    }
    // The bits of a bfloat16 without its sign are in the order of the magnitudes.
    const at::Tensor negative = counts_.narrow(0, kSign, kSign);
    const at::Tensor positive = counts_.narrow(0, 0, kSign);
    const at::Tensor up_to = (negative + positive).cumsum(0);
    const auto kept = static_cast<int64_t>(up_to[-1].item<double>() * kKeptShare);
    const int64_t limit =
        (up_to >= std::max<int64_t>(kept, 1)).to(at::kByte).argmax().item<int64_t>();
    return {-value(std::min(limit, largest(negative))), value(std::min(limit, largest(positive)))};
  }

 private:
  static constexpr int64_t kSign = 1 << 15, kValues = 1 << 16;

  /// Bits of the largest magnitude that was counted; 0 when there is none.
  static int64_t largest(const at::Tensor& counts) {
    const at::Tensor found = counts.nonzero();
    return found.numel() == 0 ? 0 : found[-1].item<int64_t>();
  }

  at::Tensor value(int64_t bits) const {
    return at::tensor({bits}, at::kShort).view(at::kBFloat16).to(dtype_).reshape({});
  }

  mutable std::mutex mutex_;
  at::Tensor counts_;  // int64 [65536], by the bits of a value
  at::ScalarType dtype_ = at::kBFloat16;
};

}  // namespace

std::unique_ptr<ActivationObserver> make_observer(const QuantArgs& args, size_t samples) {
  if (args.observer == "static_minmax") {
    return std::make_unique<StaticMinMax>(samples);
  }
  if (args.observer == "minmax") {
    return std::make_unique<MovingAverage>(samples);
  }
  if (args.observer == "mse" && !args.has_global_scale()) {
    return std::make_unique<MovingMse>(args, samples);
  }
  if (args.observer == "percentile") {
    return std::make_unique<Percentile>();
  }
  throw Error(ErrorCode::Unsupported,
              "observer " + args.observer + " is not there for activations of this scheme");
}

}  // namespace oneshot
