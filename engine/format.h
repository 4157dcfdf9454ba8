// A checkpoint format, as the engine sees it: pure encoding, no input or output of files. A format
// may offset, permute and pack; it never rounds.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "engine/format_tensors.h"
#include "engine/plan.h"
#include "engine/quant/quantized_weight.h"

namespace oneshot {

struct SmallFile {
  std::string name;  // relative to the output folder
  std::string text;
};

class Format {
 public:
  virtual ~Format() = default;

  virtual std::string name() const = 0;

  /// Asked while planning: why this module cannot be written, and what would work; nothing when it
  /// can. Ends a sentence.
  virtual std::optional<std::string> unsupported(const PlannedModule& module) const = 0;

  /// Asked while planning, of pairs of modules that can be written: why not both of them; nothing
  /// when they can. Ends a sentence about `one`.
  virtual std::optional<std::string> unsupported_together(const PlannedModule& /*one*/,
                                                          const PlannedModule& /*other*/) const {
    return std::nullopt;
  }

  /// The tensors that take the place of the module's weight: full names, dtypes, shapes.
  virtual std::vector<TensorSpec> tensors(const PlannedModule& module) const = 0;

  /// Ranges of rows given to `encode` start at a multiple of this, and only the last one is
  /// shorter.
  virtual int64_t row_alignment(const Scheme& scheme) const = 0;

  /// True when a range of a weight's rows is a range of columns of what is stored.
  virtual bool transposes() const { return false; }

  /// Writes a range of rows of a module. Called once for each range, in any order, by any thread.
  virtual void encode(const PlannedModule& module,
                      const QuantizedWeight& rows,
                      int64_t first_row,
                      OutputTensors& output) const = 0;

  /// True when the format has a place for scales of keys and values.
  virtual bool holds_caches() const { return false; }

  /// The tensors of the scales of an attention's keys and values. Called when `holds_caches`.
  virtual std::vector<TensorSpec> cache_tensors(const PlannedCache& /*cache*/) const { return {}; }

  virtual void encode_cache(const PlannedCache& /*cache*/,
                            const CacheScales& /*scales*/,
                            OutputTensors& /*output*/) const {}

  /// The modules whose weights are stored quantized, told by the names of a checkpoint's tensors.
  virtual std::vector<std::string> quantized_modules(
      const std::vector<std::string>& tensors) const = 0;

  /// Name, scheme, and the weight's shape and dtype as they were before it was quantized: what
  /// `tensors` needs. Throws Checkpoint.
  virtual PlannedModule module(const TensorSource& source,
                               const std::string& name,
                               const Scheme& scheme) const = 0;

  /// The inverse: the whole weight of a module, as it was quantized.
  /// Throws Checkpoint when a tensor is missing or has another shape or dtype.
  virtual QuantizedWeight decode(const TensorSource& source,
                                 const std::string& module,
                                 const Scheme& scheme) const = 0;

  /// The measured scales of a module's inputs alone; undefined tensors where the scheme has none.
  /// Throws Checkpoint.
  virtual InputScales decode_inputs(const TensorSource& source,
                                    const std::string& module,
                                    const Scheme& scheme) const = 0;

  /// How keys and values are quantized, as a config.json says; nothing when they are not.
  virtual std::optional<QuantArgs> cache_scheme(const nlohmann::json& /*config*/) const {
    return std::nullopt;
  }

  /// Throws Checkpoint when a tensor is missing or has another shape.
  virtual CacheScales decode_cache(const TensorSource& /*source*/,
                                   const std::string& /*attention*/,
                                   const QuantArgs& /*args*/) const {
    return {};
  }

  /// config.json, whole, and what else readers of this format need, byte for byte.
  /// source_config: the source's config.json, its dtype already that of the output.
  virtual std::vector<SmallFile> files(const Plan& plan,
                                       const nlohmann::json& source_config) const = 0;

  /// True when a checkpoint's config.json says that it is of this format.
  virtual bool recognizes(const nlohmann::json& config) const = 0;

  /// The scheme of a quantized module, read back from such a config.json.
  /// Throws Checkpoint when the config is damaged or has no scheme for the module.
  virtual Scheme scheme(const nlohmann::json& config, const std::string& module) const = 0;
};

}  // namespace oneshot
