#include "engine/models/causal_attention.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>
#include <vector>

#include "engine/kernels/backward.h"
#include "engine/kernels/tile_attention.h"

namespace oneshot {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Queries at a time: their scores stay in the caches, and few of them are of keys that none of them
// may see.
constexpr int64_t kQueriesAtOnce = 128;

/// Keys or values [B, key/value heads, tokens, head_dim] → [B · key/value heads, tokens, head_dim].
at::Tensor joined(const at::Tensor& heads) {
  return heads.reshape({heads.size(0) * heads.size(1), heads.size(2), heads.size(3)});
}

/// One range of queries: which they are, and what they see.
struct Range {
  int64_t begin, count, seen;
  kernels::CausalRows rows;
};

/// The ranges of a query, in order.
std::vector<Range> ranges_of(const at::Tensor& query, const at::Tensor& key) {
  const int64_t length = query.size(2);
  const int64_t before = key.size(2) - length;  // tokens that a cache holds
  const double scale = 1 / std::sqrt(static_cast<double>(query.size(3)));
  std::vector<Range> ranges;
  for (int64_t begin = 0; begin < length; begin += kQueriesAtOnce) {
    const int64_t count = std::min(kQueriesAtOnce, length - begin);
    ranges.push_back({begin, count, before + begin + count, {count, before + begin, scale}});
  }
  return ranges;
}

/// A range of heads [B, heads, T, head_dim]: those that share keys as rows of one product, [B ·
/// key/value heads, heads that share · count, head_dim].
at::Tensor rows_of(const at::Tensor& heads, const Range& range, const at::Tensor& keys) {
  return heads.narrow(2, range.begin, range.count).reshape({keys.size(0), -1, heads.size(3)});
}

/// The inverse: puts rows where they come from.
void put_rows(const at::Tensor& rows, const Range& range, const at::Tensor& heads) {
  at::Tensor target = heads.narrow(2, range.begin, range.count);
  target.copy_(rows.view(target.sizes()));
}

/// The part of the sums of all rows [B · heads · T] that a range has; each lies in one piece.
at::Tensor sums_of(const at::Tensor& log_sums, const Range& range, const at::Tensor& query) {
  const int64_t heads = query.size(0) * query.size(1);
  return log_sums.narrow(0, heads * range.begin, heads * range.count);
}

/// log_sums: undefined, or float32 [B · heads · T], what the way back needs.
at::Tensor attend_by_ranges(const at::Tensor& query,
                            const at::Tensor& key,
                            const at::Tensor& value,
                            const at::Tensor& log_sums) {
  const at::Tensor keys = joined(key), values = joined(value);
  at::Tensor result =
      at::empty({query.size(0), query.size(2), query.size(1), query.size(3)}, query.options())
          .transpose(1, 2);
  for (const Range& range : ranges_of(query, key)) {
    const at::Tensor seen_keys = keys.narrow(1, 0, range.seen);
    at::Tensor scores = at::bmm(rows_of(query, range, keys), seen_keys.transpose(1, 2));
    const at::Tensor sums = log_sums.defined() ? sums_of(log_sums, range, query) : at::Tensor();
    kernels::causal_softmax(scores, range.rows, sums);
    put_rows(at::bmm(scores, values.narrow(1, 0, range.seen)), range, result);
  }
  return result;
}

/// What the gradient of attention's result gives for query, key and value. saved: these three and
/// their log_sums. The sums over ranges are rounded as often as there are ranges.
variable_list backward_by_ranges(const at::Tensor& grad, const variable_list& saved) {
  const at::Tensor &query = saved[0], &key = saved[1], &value = saved[2], &log_sums = saved[3];
  const at::Tensor keys = joined(key), values = joined(value);
  const at::Tensor to_query = at::empty(query.sizes(), query.options());
  const at::Tensor to_keys = at::zeros(keys.sizes(), keys.options());
  const at::Tensor to_values = at::zeros(values.sizes(), values.options());
  for (const Range& range : ranges_of(query, key)) {
    const auto seen = [&](const at::Tensor& all) { return all.narrow(1, 0, range.seen); };
    const at::Tensor rows = rows_of(query, range, keys);
    const at::Tensor given = rows_of(grad, range, keys);
    at::Tensor scores = at::bmm(rows, seen(keys).transpose(1, 2));
    at::Tensor to_scores = at::bmm(given, seen(values).transpose(1, 2));
    kernels::causal_softmax_backward(
        scores, to_scores, range.rows, sums_of(log_sums, range, query));
    seen(to_values).baddbmm_(scores.transpose(1, 2), given);
    seen(to_keys).baddbmm_(to_scores.transpose(1, 2), rows);
    put_rows(at::bmm(to_scores, seen(keys)), range, to_query);
  }
  return {to_query, to_keys.view(key.sizes()), to_values.view(value.sizes())};
}

at::Tensor attend(const at::Tensor& query,
                  const at::Tensor& key,
                  const at::Tensor& value,
                  const at::Tensor& log_sums) {
  return kernels::fits_tile_attention(query, key)
             ? kernels::tile_attention(query, key, value, log_sums)
             : attend_by_ranges(query, key, value, log_sums);
}

/// Keeps its inputs and a number a row, not the probabilities.
class AttentionFunction : public torch::autograd::Function<AttentionFunction> {
 public:
  static at::Tensor forward(AutogradContext* context,
                            const at::Tensor& query,
                            const at::Tensor& key,
                            const at::Tensor& value) {
    const at::Tensor log_sums = at::empty({query.numel() / query.size(3)}, at::kFloat);
    context->save_for_backward({query, key, value, log_sums});
    return attend(query, key, value, log_sums);
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const variable_list saved = context->get_saved_variables();
    if (kernels::fits_tile_attention(saved[0], saved[1])) {
      const kernels::AttentionGradients result =
          kernels::tile_attention_backward(grads[0], saved[0], saved[1], saved[2], saved[3]);
      return {result.query, result.key, result.value};
    }
    return backward_by_ranges(grads[0], saved);
  }
};

}  // namespace

at::Tensor causal_attention(const at::Tensor& query,
                            const at::Tensor& key,
                            const at::Tensor& value) {
  const bool tracked = at::GradMode::is_enabled() &&
                       (query.requires_grad() || key.requires_grad() || value.requires_grad());
  return tracked ? AttentionFunction::apply(query, key, value) : attend(query, key, value, {});
}

}  // namespace oneshot
