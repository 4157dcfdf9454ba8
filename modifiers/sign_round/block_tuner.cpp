#include "modifiers/sign_round/block_tuner.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "engine/calibration/python_random.h"
#include "engine/error.h"
#include "engine/graph/layers.h"
#include "engine/kernels/backward.h"
#include "engine/worker_pool.h"
#include "modifiers/sign_round/block_inputs.h"
#include "modifiers/sign_round/kept_activations.h"
#include "modifiers/sign_round/output_loss.h"
#include "modifiers/sign_round/tuned_linear_state.h"

namespace oneshot {
namespace {

constexpr int64_t kRowsAtOnce = 768;  // of a weight, that an item works on

/// Output rows of a Linear.
struct RowRange {
  size_t linear;
  int64_t first, count;
};

/// [..., size] → [rows, size].
at::Tensor as_rows(const at::Tensor& states) {
  return states.reshape({-1, states.size(-1)}).contiguous();
}

class BlockTuner {
 public:
  BlockTuner(const TunableBlock& block, const SignRoundOptions& options)
      : block_(block),
        options_(options),
        linears_(tunable_linears(block)),
        batch_(std::min(options.batch_size, block.samples.size())),
        step_samples_(
            std::min(options.batch_size * options.gradient_accumulation, block.samples.size())),
        at_once_(std::min({batch_, std::max<size_t>(block.samples_at_once, 1)})),
        output_size_(block.samples.target(0).size(-1)),
        threads_(block.threads, [] { at::set_num_threads(1); }) {
    for (size_t i = 0; i < linears_.size(); ++i) {
      for (int64_t row = 0; row < linears_[i].rows(); row += kRowsAtOnce) {
        ranges_.push_back({i, row, std::min(kRowsAtOnce, linears_[i].rows() - row)});
      }
      linears_[i].attach([this, i](const at::Tensor& input, const at::Tensor& gradient) {
        kept_.keep(i, slot, input, gradient);
      });
    }
  }

  TunedBlock run() {
    if (options_.scale_search) {
      search_scales();
    }
    round_all();
    TunedBlock result;
    if (options_.iterations > 0) {
      iterate(result);
    } else {
      keep_as_best();
    }
    for (size_t i = 0; i < linears_.size(); ++i) {
      result.weights[block_.modules[i].planned.name] = linears_[i].best_weight();
    }
    return result;
  }

 private:
  /// Items on all threads, each item on one.
  template <typename Item>
  void in_parallel(size_t count, const Item& item) {
    const auto run = [&](size_t i) {
      const at::NoGradGuard no_gradients;
      item(i);
    };
    threads_.run({count, run, [&] { return block_.progress(done_, options_.iterations, loss_); }});
  }

  // ---- the loop ----

  void iterate(TunedBlock& result) {
    BatchSampler sampler(block_.seed, block_.samples.size(), step_samples_);
    for (size_t i = 0; i < block_.index; ++i) {
      sampler.skip_block(static_cast<size_t>(options_.iterations));
    }
    weigh_tokens();
    double best = std::numeric_limits<double>::max();
    for (int64_t i = 0; i < options_.iterations; ++i) {
      loss_ = pass(sampler.next());
      done_ = i + 1;
      result.losses.push_back(loss_);
      if (!std::isfinite(loss_)) {
        fail(result);
        return;
      }
      if (loss_ < best) {
        best = loss_;
        result.best = i;
        keep_as_best();
      }
      if (options_.early_stopping > 0 && i - result.best >= options_.early_stopping) {
        return;
      }
      if (i + 1 < options_.iterations) {  // what the last step would make is never looked at
        step(1 - static_cast<double>(i) / static_cast<double>(options_.iterations));
      }
    }
  }

  void fail(TunedBlock& result) {
    const std::string text = block_.block.name() + ": its loss is not finite at iteration " +
                             std::to_string(result.losses.size());
    if (!options_.round_failures) {
      throw Error(ErrorCode::Failed,
                  text +
                      "; lower learning_rate, or let such blocks be rounded to nearest with "
                      "`on_failure: round_to_nearest`");
    }
    result.failure = text;
    for (TunedLinearState& linear : linears_) {
      linear.reset();
    }
    round_all();
    keep_as_best();
  }

  void keep_as_best() {
    for (TunedLinearState& linear : linears_) {
      linear.keep_as_best();
    }
  }

  /// Forward and backward; the mean loss of the values of the samples.
  double pass(const std::vector<size_t>& samples) {
    double sum = 0;
    int64_t values = 0;
    for (const size_t sample : samples) {
      values += block_.samples.counted(sample) * output_size_;
    }
    accumulated_ = false;
    for (size_t first = 0; first < samples.size(); first += at_once_) {
      const size_t count = std::min(at_once_, samples.size() - first);
      const std::vector<size_t> part(samples.begin() + static_cast<std::ptrdiff_t>(first),
                                     samples.begin() + static_cast<std::ptrdiff_t>(first + count));
      sum += pass_part(part, values);
      if (count < samples.size()) {
        for (TunedLinearState& linear : linears_) {
          linear.prepare_accumulation();
        }
        in_parallel(ranges_.size(), [&](size_t i) { accumulate(ranges_[i]); });
        accumulated_ = true;
      }
    }
    return sum / static_cast<double>(values);
  }

  double pass_part(const std::vector<size_t>& samples, int64_t all_values) {
    kept_.begin(linears_.size(), samples.size());
    std::vector<double> squares(samples.size());
    in_parallel(samples.size(), [&](size_t i) {
      slot = i;
      squares[i] = sample_pass(samples[i], all_values);
    });
    return std::accumulate(squares.begin(), squares.end(), 0.0);
  }

  double sample_pass(size_t sample, int64_t all_values) {
    at::Tensor output;
    {
      const at::AutoGradMode gradients(true);
      output = block_.block.forward(block_.samples.input(sample), block_.samples.context(sample));
    }
    // The factor brings gradients of 16 bits away from the smallest numbers; signs do not see it.
    const kernels::SquaredErrors errors =
        kernels::squared_errors(as_rows(output.detach()),
                                as_rows(block_.samples.target(sample)),
                                token_weights_[sample],
                                1000.0 / static_cast<double>(all_values));
    torch::autograd::backward({output}, {errors.gradient.view(output.sizes())});
    return errors.sum;
  }

  void weigh_tokens() {
    token_weights_.resize(block_.samples.size());
    in_parallel(token_weights_.size(), [&](size_t i) {
      token_weights_[i] = token_weights(
          options_.loss, as_rows(block_.samples.target(i)), block_.samples.counted(i));
    });
  }

  // ---- rows ----

  /// Of the samples that are kept.
  at::Tensor gradient_of(const RowRange& rows) const {
    const at::Tensor gradient = kept_.weight_gradient(rows.linear, rows.first, rows.count);
    return gradient.defined()
               ? gradient
               : at::zeros({rows.count, linears_[rows.linear].columns()}, at::kFloat);
  }

  void accumulate(const RowRange& rows) {
    at::Tensor sum = linears_[rows.linear].accumulated().narrow(0, rows.first, rows.count);
    if (accumulated_) {
      sum.add_(gradient_of(rows));
    } else {
      sum.copy_(gradient_of(rows));
    }
  }

  /// One step with the gradient of the last pass. share: of the first step's rates.
  void step(double share) {
    prepare_rounding();
    in_parallel(ranges_.size(), [&](size_t i) {
      const RowRange& rows = ranges_[i];
      TunedLinearState& linear = linears_[rows.linear];
      const at::Tensor gradient =
          accumulated_ ? linear.accumulated().narrow(0, rows.first, rows.count) : gradient_of(rows);
      linear.step(rows.first,
                  gradient,
                  options_.rate_of(linear.bits()) * share,
                  options_.range_rate_of(linear.bits()) * share);
      round(rows);
    });
    kept_.clear();
    in_parallel(linears_.size(), [&](size_t i) { linears_[i].pack(); });
  }

  void prepare_rounding() {
    for (TunedLinearState& linear : linears_) {
      linear.prepare_rounding();
    }
  }

  void round_all() {
    prepare_rounding();
    in_parallel(ranges_.size(), [&](size_t i) { round(ranges_[i]); });
  }

  void round(const RowRange& rows) { linears_[rows.linear].round(rows.first, rows.count); }

  void search_scales() {
    const std::vector<at::Tensor> importance = mean_squares(block_);
    for (TunedLinearState& linear : linears_) {
      if (linear.is_searched()) {
        linear.prepare_search();
      }
    }
    in_parallel(ranges_.size(), [&](size_t i) {
      const RowRange& rows = ranges_[i];
      if (linears_[rows.linear].is_searched()) {
        linears_[rows.linear].search(rows.first, rows.count, importance[rows.linear]);
      }
    });
  }

  static thread_local size_t slot;  // of the sample that this thread works on, in its batch

  const TunableBlock& block_;
  const SignRoundOptions& options_;
  std::vector<TunedLinearState> linears_;
  size_t batch_, step_samples_, at_once_;  // samples
  int64_t output_size_;                    // values of a row of the block's output
  KeptActivations kept_;
  std::vector<RowRange> ranges_;
  std::vector<at::Tensor> token_weights_;  // by sample
  bool accumulated_ = false;               // the gradient of this step is in the Linears
  int64_t done_ = 0;
  double loss_ = 0;
  WorkerPool threads_;
};

thread_local size_t BlockTuner::slot = 0;

}  // namespace

TunedBlock tune_block(const TunableBlock& block, const SignRoundOptions& options) {
  return BlockTuner(block, options).run();
}

}  // namespace oneshot
