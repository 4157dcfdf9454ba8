// What every tensor of a checkpoint becomes, by which rule, and the bytes of every weight file,
// decided from headers alone, before a weight is read.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/checkpoint/output_layout.h"
#include "engine/checkpoint/source.h"
#include "engine/graph/matching.h"
#include "engine/graph/names.h"
#include "engine/quant/scheme.h"

namespace oneshot {

class Format;
class Modifier;

/// A module that a modifier works on, or leaves by rule.
struct PlannedModule {
  std::string name;                  // as in the checkpoint
  std::vector<std::string> aliases;  // other names that readers may know it by
  ModuleKind kind = ModuleKind::Other;
  std::optional<Scheme> scheme;  // absent: stays as it is
  std::string rule;              // why: "target 'Linear'", "ignore 'lm_head'", …
  const SourceTensor* weight = nullptr;
  Dtype dtype = Dtype::Bf16;          // of the weight after a `model.dtype` cast
  int64_t rows = 0, columns = 0;      // of the weight, when it has two dimensions
  size_t quantizer = 0;               // index of the modifier that quantizes it
  bool tuned = false;                 // on calibration data, block by block
  std::vector<size_t> rewriters;      // indices of the modifiers that rewrite it, in order
  bool measured = false;              // statistics are wanted before it is quantized
  std::vector<size_t> measured_with;  // modules whose statistics it shares, itself included
  std::vector<std::string> targets;   // the recipe's targets of its quantizer
  uint64_t bytes_before = 0, bytes_after = 0;  // all tensors of the module, first format
  bool written = true;  // false: its tensors stay in the vision tower's own folder
};

/// A source tensor that no modifier quantizes.
struct PlannedTensor {
  const SourceTensor* source = nullptr;
  Dtype dtype = Dtype::Bf16;  // differs from the source's when it is cast
  size_t module = 0;          // index into Plan::modules
};

/// The keys and values of an attention, quantized when they are kept for later tokens.
struct PlannedCache {
  std::string attention;      // name of the module: "model.layers.0.self_attn"
  QuantArgs args;             // static
  Dtype dtype = Dtype::Bf16;  // of the scales: that of the model
  size_t quantizer = 0;       // index of the modifier
  uint64_t bytes = 0;         // of its tensors, first format
};

/// Something that takes memory while a run works.
struct MemoryPart {
  std::string what;
  uint64_t bytes;
};

/// One checkpoint that is written.
struct PlannedOutput {
  const Format* format = nullptr;
  std::string folder;  // below the output folder; empty: straight into it
  OutputLayout layout;
};

struct Plan {
  std::vector<PlannedModule> modules;  // in model order
  std::vector<PlannedTensor> kept;     // copied, cast or rewritten; in source order
  std::vector<PlannedTensor> left;     // of the vision tower, in its own folder; not written
  std::vector<PlannedCache> caches;    // in model order
  std::vector<PlannedOutput> outputs;
  std::vector<std::string> modifiers;  // names, in order
  std::vector<std::string> warnings;
  std::optional<Dtype> cast;       // of every floating-point tensor
  uint64_t peak_memory_bytes = 0;  // estimate
  std::vector<MemoryPart> memory;  // what it is the sum of; empty: not told apart
  Dtype computed_in = Dtype::F32;  // by calibration samples: F32 or Bf16
  int threads = 1;
  int64_t slice_bytes = 0;  // of a weight, read at a time by one thread
  uint64_t band_bytes = 0;  // of a tensor that comes in ranges of columns, gathered before a write
  uint64_t state_memory_bytes =
      0;  // for hidden states of samples between blocks; more goes to a file
  uint64_t image_memory_bytes = 0;  // the same for what their images look like
  size_t samples_at_once = 0;       // whose activations are kept while a block is tuned

  uint64_t output_bytes() const;  // all safetensors files, exact; not those of a copied tower
};

struct PlanRequest {
  const SourceCheckpoint* source = nullptr;
  std::vector<const Modifier*> modifiers;
  std::vector<const Format*> formats;  // first one's bytes are shown
  std::vector<std::string> unseen;     // modules that stay because no calibration sample saw them
  std::optional<Dtype> cast;
  uint64_t shard_size = 5'000'000'000;
  int threads = 1;
  std::optional<uint64_t> memory;  // budget in bytes
  int64_t samples = 0;             // of the calibration, at most; 0: there is none
  int64_t sequence_length = 0;     // of a sample, at most
  int64_t hidden_size = 0;         // of the model that the samples go through
  int64_t image_rows = 0;          // what a sample's images look like has so many rows, at most
};

/// Throws Recipe, Unsupported or Resource; reads no weights.
Plan make_plan(const PlanRequest& request);

}  // namespace oneshot
