// A checkpoint of any format as a model that runs: weights decoded as they are needed, activations
// quantized as its config says.
#pragma once

#include <filesystem>
#include <map>
#include <memory>

#include "engine/graph/model_graph.h"
#include "engine/written_checkpoint.h"

namespace oneshot {

/// Bytes of a model.
struct ModelBytes {
  uint64_t stored = 0;        // its weight files
  uint64_t loaded = 0;        // all its weights in float32
  uint64_t largest_part = 0;  // to load the embedding, a block or the head in float32
};

class CheckpointModel {
 public:
  /// formats: those that may have written it. weight_only: activations stay as they are.
  /// dtype: that is computed in. vision_tower: as for SourceCheckpoint.
  /// throws Checkpoint for a damaged checkpoint, Unsupported for a model type that cannot be run or
  /// a quantization that no format knows.
  CheckpointModel(const std::filesystem::path& folder,
                  std::vector<std::unique_ptr<Format>> formats,
                  bool weight_only,
                  at::ScalarType dtype = at::kFloat,
                  const std::filesystem::path& vision_tower = {});

  ModelGraph& graph() { return *graph_; }
  const nlohmann::json& config() const { return checkpoint_.config(); }
  /// Of a vision tower that is a checkpoint of its own; empty without one.
  std::filesystem::path tower_folder() const { return checkpoint_.tower_folder(); }
  /// threads: that load tensors side by side. throws Checkpoint when a quantized module is damaged.
  ModelBytes bytes(int threads) const;
  /// In the dtype that is computed in, for many threads at once. Valid as long as this object.
  const Weights& weights() const { return weights_; }
  /// Name of the format; empty for a plain checkpoint.
  std::string format() const { return format_ ? format_->name() : ""; }

 private:
  void check_shapes();
  void choose_format(std::vector<std::unique_ptr<Format>> formats);
  void quantize_activations();
  void quantize_caches();
  std::map<std::string, Scheme>::const_iterator quantized_by(const std::string& tensor) const;
  at::Tensor load(const std::string& tensor) const;
  uint64_t loaded_bytes(const std::string& tensor) const;
  uint64_t loading_bytes(const std::string& tensor) const;

  WrittenCheckpoint checkpoint_;
  at::ScalarType dtype_;
  std::unique_ptr<Format> format_;           // null: not quantized
  std::map<std::string, Scheme> quantized_;  // by module
  std::unique_ptr<ModelGraph> graph_;
  Weights weights_;
};

}  // namespace oneshot
