#include "engine/tuning.h"

#include <ATen/ATen.h>

#include <atomic>
#include <chrono>
#include <list>
#include <set>

#include "engine/cast_weight.h"
#include "engine/error.h"
#include "engine/graph/fake_quantize.h"
#include "engine/seconds_since.h"
#include "engine/tensor_bytes.h"

namespace oneshot {
namespace {

/// Notes the modules that are computed.
class SeenWork : public BlockWork {
 public:
  explicit SeenWork(std::map<std::string, bool>& seen) : seen_(seen) {}

  void watch(Module& module) {
    std::atomic<bool>& flag = flags_.emplace_back(module.name(), false).second;
    hooks_.push_back(module.add_hook([&flag](const HookCall&) { flag = true; }));
  }

  void finish() override {
    for (const auto& [name, flag] : flags_) {
      seen_[name] = flag;
    }
  }

 private:
  std::map<std::string, bool>& seen_;
  std::list<std::pair<std::string, std::atomic<bool>>> flags_;
  std::list<HookHandle> hooks_;
};

}  // namespace

Tuning::Tuning(const TuningSetup& setup, RunListener& listener)
    : setup_(setup), listener_(listener) {
  for (const PlannedModule& module : setup.plan->modules) {
    if (module.tuned) {
      tuned_[module.name] = &module;
    }
  }
}

bool Tuning::quantized_input() const {
  return std::any_of(setup_.modifiers.begin(), setup_.modifiers.end(), [](const Modifier* one) {
    return one->traits().tunes && one->traits().quantized_input;
  });
}

std::map<size_t, Tuning::Part> Tuning::parts_of(Block& block) const {
  std::map<size_t, Part> parts;
  for (Module* module : block.modules()) {
    const auto found = tuned_.find(module->name());
    if (found != tuned_.end()) {
      parts[found->second->quantizer].emplace_back(module, found->second);
    }
  }
  return parts;
}

Unseen Tuning::unseen_of(const PlannedModule& module) const {
  return setup_.modifiers[module.quantizer]->traits().unseen;
}

void Tuning::prepare(ModelGraph& model, bool has_images) {
  std::set<std::string> reached;
  const auto add = [&](Block& block) {
    for (const auto& [modifier, part] : parts_of(block)) {
      ++count_;
      for (const auto& [module, planned] : part) {
        reached.insert(planned->name);
      }
    }
  };
  const size_t unused = has_images || model.tower() == nullptr ? 0 : model.tower()->blocks.size();
  const std::vector<Block*> blocks = model.all_blocks();
  for (size_t i = unused; i < blocks.size(); ++i) {
    add(*blocks[i]);
  }
  for (const PlannedModule& module : setup_.plan->modules) {
    if (!module.tuned || reached.contains(module.name)) {
      continue;
    }
    if (unseen_of(module) == Unseen::Stop) {
      throw Error(ErrorCode::Unsupported,
                  module.name +
                      ": is to be tuned, but the forward pass of the samples does not reach it" +
                      (unused > 0 ? ", as they have no images" : "") +
                      "; add it to ignore, or say what becomes of such modules with `unseen:`");
    }
    unreached_.push_back(module.name);
    note_unseen({module.name});
  }
}

void Tuning::note_unseen(const std::vector<std::string>& modules) {
  for (const std::string& name : modules) {
    if (unseen_of(*tuned_.at(name)) == Unseen::Keep) {
      kept_.push_back(name);
    }
  }
}

bool Tuning::wants(Block& block) const {
  return !parts_of(block).empty();
}

std::unique_ptr<BlockWork> Tuning::watch(Block& block) {
  auto work = std::make_unique<SeenWork>(seen_);
  seen_.clear();
  for (const auto& [modifier, part] : parts_of(block)) {
    for (const auto& [module, planned] : part) {
      work->watch(*module);
    }
  }
  return work;
}

std::string Tuning::key(const Block& block, size_t modifier) const {
  const auto tuners = std::count_if(setup_.modifiers.begin(),
                                    setup_.modifiers.end(),
                                    [](const Modifier* one) { return one->traits().tunes; });
  return tuners > 1 ? block.name() + "#" + std::to_string(modifier) : block.name();
}

void Tuning::tune(Block& block, size_t index, const BlockSamples& samples) {
  index_ = index;
  for (const auto& [modifier, part] : parts_of(block)) {
    const std::string name = key(block, modifier);
    const bool resumed = setup_.store->has(name);
    if (!resumed) {
      const auto start = std::chrono::steady_clock::now();
      TunedBlock tuned = tune_part(block, modifier, part, samples);
      tuned.name = name;
      tuned.number = done_;
      tuned.seconds = seconds_since(start);
      setup_.store->save(tuned);
      seconds_ += tuned.seconds;
      ++tuned_here_;
    }
    ++done_;
    tell(setup_.store->outcome(name), resumed);
    note_unseen(setup_.store->outcome(name).unseen);
    apply(part);
  }
}

TunedBlock Tuning::tune_part(Block& block,
                             size_t modifier,
                             const Part& part,
                             const BlockSamples& samples) {
  const Modifier& tuner = *setup_.modifiers[modifier];
  TunableBlock tunable{.block = block,
                       .index = index_,
                       .modules = {},
                       .samples = samples,
                       .seed = setup_.seed,
                       .threads = setup_.plan->threads,
                       .samples_at_once = setup_.plan->samples_at_once,
                       .progress = {}};
  std::vector<std::string> unseen;
  for (const auto& [module, planned] : part) {
    const auto seen = seen_.find(module->name());
    if (seen != seen_.end() && !seen->second) {
      unseen.push_back(module->name());
    } else {
      tunable.modules.push_back(tunable_module(*module, *planned));
    }
  }
  if (!unseen.empty() && tuner.traits().unseen == Unseen::Stop) {
    throw Error(
        ErrorCode::Failed,
        unseen.front() + ": no calibration sample went through it" +
            (unseen.size() > 1 ? " (nor through " + std::to_string(unseen.size() - 1) + " others)"
                               : "") +
            "; give data that does, or say what becomes of such modules with `unseen: "
            "round_to_nearest` or `unseen: keep`");
  }
  tunable.progress = [&](int64_t done, int64_t total, double loss) {
    return on_iteration(block, done, total, loss);
  };
  TunedBlock tuned = tunable.modules.empty() ? TunedBlock{} : tuner.tune(tunable);
  tuned.unseen = std::move(unseen);
  return tuned;
}

TunableModule Tuning::tunable_module(Module& module, const PlannedModule& planned) const {
  const at::ScalarType dtype = scalar_type(planned.dtype);
  if (dtype == setup_.dtype) {
    return {module, planned, module.weight};
  }
  const SourceTensor& weight = *planned.weight;
  const InputFile& file = setup_.source->file(weight.file);
  std::vector<std::byte> scratch;
  const std::byte* bytes = file.fetch(weight.offset, weight.bytes, scratch);
  const at::Tensor values =
      cast_weight(tensor_of(bytes, weight.dtype, {planned.rows, planned.columns}).clone(), planned);
  file.release(weight.offset, weight.bytes);
  return {module, planned, values};
}

/// The block computes with what its codes stand for.
void Tuning::apply(const Part& part) const {
  for (const auto& [module, planned] : part) {
    if (!setup_.store->has_module(module->name())) {
      continue;  // no sample goes through it
    }
    const Scheme& scheme = *planned->scheme;
    module->weight = dequantize(setup_.store->whole(module->name(), scheme)).to(setup_.dtype);
    if (scheme.input_activations) {
      module->prepare_input = [args = *scheme.input_activations](const at::Tensor& input) {
        return fake_quantize(args, {}, input);
      };
    }
  }
}

bool Tuning::on_iteration(const Block& block, int64_t done, int64_t total, double loss) {
  const auto before = static_cast<uint64_t>(total) * done_;
  Progress progress{"tuning",
                    before + static_cast<uint64_t>(done),
                    static_cast<uint64_t>(total) * count_,
                    "iterations"};
  progress.part = block.name();
  progress.loss = loss;
  listener_.on_progress(progress);
  return !listener_.cancelled();
}

void Tuning::tell(const TunedBlock& block, bool resumed) {
  BlockEvent event{block, done_, count_, resumed};
  if (tuned_here_ > 0) {
    event.seconds_left =
        seconds_ / static_cast<double>(tuned_here_) * static_cast<double>(count_ - done_);
  }
  listener_.on_block(event);
}

}  // namespace oneshot
