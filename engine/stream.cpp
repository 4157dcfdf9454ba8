#include "engine/stream.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <atomic>
#include <memory>
#include <mutex>

#include "engine/cast_weight.h"
#include "engine/memory_budget.h"
#include "engine/output_shards.h"
#include "engine/tensor_bytes.h"
#include "engine/worker_pool.h"

namespace oneshot {
namespace {

constexpr uint64_t kCopyBytes = 16 << 20;

/// A range of rows of a module's weight, or a range of bytes of a tensor that is copied.
struct Item {
  enum class Kind { Measure, Quantize, Convert, Copy };
  Kind kind;
  size_t index;       // into Plan::modules; Convert and Copy: into Plan::kept
  int64_t first = 0;  // row; Copy: byte
  int64_t count = 0;
};

class Stream {
 public:
  Stream(const StreamRequest& request, RunListener& listener)
      : request_(request),
        plan_(*request.plan),
        listener_(listener),
        statistics_(plan_.modules.size()) {
    for (size_t i = 0; i < plan_.outputs.size(); ++i) {
      shards_.push_back(
          std::make_unique<OutputShards>(plan_.outputs[i], request.folders[i], plan_.band_bytes));
    }
  }

  void run() {
    const std::vector<Item> measuring = measure_items();
    const std::vector<Item> writing = write_items();
    for (const auto* items : {&measuring, &writing}) {
      for (const Item& item : *items) {
        progress_.total += item_bytes(item);
      }
    }
    progress_.phase = "measuring";
    run_items(measuring);
    share_statistics();
    progress_.phase = "quantizing";
    run_items(writing);
    for (const PlannedCache& cache : plan_.caches) {
      for (const auto& shards : shards_) {
        shards->format().encode_cache(
            cache, request_.calibrated->caches.at(cache.attention), *shards);
      }
    }
    progress_.phase = "syncing";
    progress_.done = done_;
    listener_.on_progress(progress_);
    for (const auto& shards : shards_) {
      shards->finish();
    }
  }

 private:
  // ---- what there is to do ----
  void add_slices(std::vector<Item>& items,
                  Item::Kind kind,
                  size_t index,
                  const PlannedModule& module) const {
    const int64_t step = rows_per_slice(plan_, module);
    for (int64_t row = 0; row < module.rows; row += step) {
      items.push_back({kind, index, row, std::min(step, module.rows - row)});
    }
  }

  void add_pieces(std::vector<Item>& items, size_t index) const {
    const uint64_t bytes = plan_.kept[index].source->bytes;
    for (uint64_t first = 0; first < bytes; first += kCopyBytes) {
      const uint64_t count = std::min(kCopyBytes, bytes - first);
      items.push_back(
          {Item::Kind::Copy, index, static_cast<int64_t>(first), static_cast<int64_t>(count)});
    }
  }

  std::vector<Item> measure_items() const {
    std::vector<Item> items;
    for (size_t m = 0; m < plan_.modules.size(); ++m) {
      if (plan_.modules[m].measured) {
        add_slices(items, Item::Kind::Measure, m, plan_.modules[m]);
      }
    }
    return items;
  }

  bool is_plain_copy(const PlannedTensor& tensor) const {
    const PlannedModule& module = plan_.modules[tensor.module];
    const bool rewritten = module.weight == tensor.source && !module.rewriters.empty();
    return tensor.dtype == tensor.source->dtype && !rewritten;
  }

  /// In the order of the source, so that both files are walked forwards.
  std::vector<Item> write_items() const {
    std::vector<std::pair<const SourceTensor*, Item>> first;
    std::vector<Item> items;
    for (size_t m = 0; m < plan_.modules.size(); ++m) {
      if (plan_.modules[m].scheme) {
        first.push_back({plan_.modules[m].weight, {Item::Kind::Quantize, m}});
      }
    }
    for (size_t t = 0; t < plan_.kept.size(); ++t) {
      const auto kind = is_plain_copy(plan_.kept[t]) ? Item::Kind::Copy : Item::Kind::Convert;
      first.push_back({plan_.kept[t].source, {kind, t}});
    }
    std::sort(first.begin(), first.end(), [](const auto& a, const auto& b) {
      return std::pair(a.first->file, a.first->offset) < std::pair(b.first->file, b.first->offset);
    });
    for (const auto& [source, item] : first) {
      if (item.kind == Item::Kind::Copy) {
        add_pieces(items, item.index);
      } else {
        add_slices(items, item.kind, item.index, item_module(item));
      }
    }
    return items;
  }

  /// The module whose rows an item works on. A kept tensor that is no module's weight (a bias that
  /// is cast) is one row of its own.
  PlannedModule item_module(const Item& item) const {
    if (item.kind == Item::Kind::Measure || item.kind == Item::Kind::Quantize) {
      return plan_.modules[item.index];
    }
    const PlannedTensor& tensor = plan_.kept[item.index];
    const PlannedModule& owner = plan_.modules[tensor.module];
    if (owner.weight == tensor.source) {
      return owner;
    }
    PlannedModule alone;
    alone.name = tensor.source->name;
    alone.weight = tensor.source;
    alone.dtype = tensor.dtype;
    alone.rows = 1;
    alone.columns =
        static_cast<int64_t>(tensor.source->bytes * 8 / dtype_bits(tensor.source->dtype));
    return alone;
  }

  uint64_t item_bytes(const Item& item) const {
    if (item.kind == Item::Kind::Copy) {
      return static_cast<uint64_t>(item.count);
    }
    const PlannedModule module = item_module(item);
    return static_cast<uint64_t>(item.count * module.columns) * dtype_bits(module.weight->dtype) /
           8;
  }

  // ---- doing it ----

  void run_items(const std::vector<Item>& items) {
    ParallelWork work;
    work.count = items.size();
    work.threads = plan_.threads;
    work.start_thread = [] { at::set_num_threads(1); };
    work.run = [&](size_t i) { run_item(items[i]); };
    work.tick = [&] {
      progress_.done = done_;
      listener_.on_progress(progress_);
      return !listener_.cancelled();
    };
    run_in_parallel(work);
  }

  void run_item(const Item& item) {
    const c10::InferenceMode inference;
    switch (item.kind) {
      case Item::Kind::Measure:
        measure(item);
        break;
      case Item::Kind::Quantize:
        quantize(item);
        break;
      case Item::Kind::Convert:
        convert(item);
        break;
      case Item::Kind::Copy:
        copy(item);
        break;
    }
    done_ += item_bytes(item);
  }

  /// Reads rows, casts and rewrites them, hands them to `use`, and gives the source's memory back.
  template <typename Use>
  void with_rows(const PlannedModule& module, const Item& item, const Use& use) {
    thread_local std::vector<std::byte> scratch;
    const SourceTensor& source = *module.weight;
    const uint64_t row_bytes = static_cast<uint64_t>(module.columns) * dtype_bits(source.dtype) / 8;
    const uint64_t offset = source.offset + static_cast<uint64_t>(item.first) * row_bytes;
    const uint64_t bytes = static_cast<uint64_t>(item.count) * row_bytes;
    const InputFile& file = request_.source->file(source.file);
    const std::byte* data = file.fetch(offset, bytes, scratch);
    at::Tensor values = tensor_of(data, source.dtype, {item.count, module.columns});
    if (module.dtype != source.dtype) {
      values = cast_weight(values, module);
    }
    for (const size_t rewriter : module.rewriters) {
      values = request_.modifiers[rewriter]->rewrite({module, item.first, values}).contiguous();
    }
    use(Rows{module, item.first, values});
    file.release(offset, bytes);
  }

  void measure(const Item& item) {
    const PlannedModule& module = plan_.modules[item.index];
    with_rows(module, item, [&](const Rows& rows) {
      const Statistics found = request_.modifiers[module.quantizer]->measure(rows);
      const std::lock_guard lock(statistics_mutex_);
      statistics_[item.index].merge(found);
    });
  }

  void share_statistics() {
    std::vector<Statistics> shared(statistics_.size());
    for (size_t m = 0; m < shared.size(); ++m) {
      for (const size_t other : plan_.modules[m].measured_with) {
        shared[m].merge(statistics_[other]);
      }
    }
    statistics_ = std::move(shared);
  }

  void quantize(const Item& item) {
    const PlannedModule& module = plan_.modules[item.index];
    if (request_.tuned != nullptr && request_.tuned->has_module(module.name)) {
      encode(item, request_.tuned->rows(module.name, *module.scheme, item.first, item.count));
      return;
    }
    with_rows(module, item, [&](const Rows& rows) {
      QuantizedWeight weight =
          request_.modifiers[module.quantizer]->quantize(rows, statistics_[item.index]);
      if (module.scheme->needs_calibration()) {
        weight.input = request_.calibrated->inputs.at(module.name);
      }
      encode(item, weight);
    });
  }

  void encode(const Item& item, const QuantizedWeight& weight) {
    for (const auto& shards : shards_) {
      shards->format().encode(plan_.modules[item.index], weight, item.first, *shards);
    }
  }

  void convert(const Item& item) {
    const PlannedModule module = item_module(item);
    with_rows(module, item, [&](const Rows& rows) {
      for (const auto& shards : shards_) {
        shards->put_kept(module.weight->name, rows.values, item.first * module.columns);
      }
    });
  }

  void copy(const Item& item) {
    const SourceTensor& source = *plan_.kept[item.index].source;
    for (const auto& shards : shards_) {
      shards->copy(source,
                   request_.source->file(source.file),
                   static_cast<uint64_t>(item.first),
                   static_cast<uint64_t>(item.count));
    }
  }

  const StreamRequest& request_;
  const Plan& plan_;
  RunListener& listener_;
  std::vector<std::unique_ptr<OutputShards>> shards_;
  std::mutex statistics_mutex_;
  std::vector<Statistics> statistics_;  // by module
  std::atomic<uint64_t> done_{0};
  Progress progress_;
};

}  // namespace

void stream_weights(const StreamRequest& request, RunListener& listener) {
  Stream(request, listener).run();
}

}  // namespace oneshot
