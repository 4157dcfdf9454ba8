#include "engine/models/qwen2_vl_vision.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "engine/error.h"
#include "engine/kernels/kernels.h"
#include "engine/models/rope.h"
#include "engine/models/vision_layers.h"

namespace oneshot {
namespace {

constexpr double kNormEpsilon = 1e-6;
constexpr const char* kVideoPixels = "pixel_values_videos";

/// A convolution over patches that are rows already. weight [out, channels, frames, size, size].
class PatchRows : public Module {
 public:
  PatchRows(std::string name, std::vector<int64_t> shape)
      : Module(std::move(name)), shape_(std::move(shape)) {}
  std::vector<NamedShape> tensors() const override { return {{name() + ".weight", shape_}}; }
  void load(const Weights& weights) override { weight = weights.load(name() + ".weight"); }
  void unload() override { weight = at::Tensor(); }

 private:
  at::Tensor compute(const at::Tensor& input) const override {
    return at::linear(input, weight.flatten(1));
  }

  std::vector<int64_t> shape_;
};

std::unique_ptr<Module> make_norm(const QwenVisionConfig& config, const std::string& name) {
  if (config.second_generation) {
    return std::make_unique<RmsNorm>(name, config.hidden_size, kNormEpsilon);
  }
  return std::make_unique<LayerNorm>(name, config.hidden_size, kNormEpsilon);
}

/// Patches → [1, patches, hidden size], in windows where the tower has them.
class QwenPatches : public Block {
 public:
  explicit QwenPatches(const QwenVisionConfig& config)
      : name_(config.prefix + "patch_embed"),
        cell_patches_(config.grid.merge * config.grid.merge),
        patches_(name_ + ".proj",
                 {config.hidden_size,
                  config.channels,
                  config.frames_a_patch,
                  config.patch_size,
                  config.patch_size}) {}

  const std::string& name() const override { return name_; }

  at::Tensor forward(const at::Tensor& pixels, const BlockContext& context) override {
    const auto videos = context.images->find(kVideoPixels);
    const at::Tensor rows =
        videos == context.images->end() ? pixels : at::cat({pixels, videos->second.to(pixels)}, 0);
    at::Tensor hidden = patches_.forward(rows);
    if (context.order.defined()) {
      hidden = hidden.view({-1, cell_patches_, hidden.size(1)})
                   .index_select(0, context.order)
                   .view(hidden.sizes());
    }
    return hidden.unsqueeze(0);
  }

  std::vector<Module*> modules() override { return {&patches_}; }

 private:
  std::string name_;
  int64_t cell_patches_;
  PatchRows patches_;
};

/// Attention inside of runs of tokens. query, key, value [1, heads, T, head dim] → the same.
at::Tensor attend_runs(const at::Tensor& query,
                       const at::Tensor& key,
                       const at::Tensor& value,
                       const std::vector<int64_t>& runs) {
  std::vector<at::Tensor> mixed;
  int64_t first = 0;
  for (const int64_t length : runs) {
    mixed.push_back(at::scaled_dot_product_attention(query.narrow(2, first, length),
                                                     key.narrow(2, first, length),
                                                     value.narrow(2, first, length)));
    first += length;
  }
  return at::cat(mixed, 2);
}

class QwenVisionLayer : public Block {
 public:
  QwenVisionLayer(const QwenVisionConfig& config, std::string name, bool windowed)
      : name_(std::move(name)),
        heads_(config.heads),
        gated_(config.second_generation),
        windowed_(windowed),
        activation_(activation_of(config.activation, "vision_config.hidden_act")),
        attention_norm_(make_norm(config, name_ + ".norm1")),
        mlp_norm_(make_norm(config, name_ + ".norm2")),
        qkv_(name_ + ".attn.qkv", config.hidden_size, 3 * config.hidden_size, true),
        output_(name_ + ".attn.proj", config.hidden_size, config.hidden_size, true),
        gate_(name_ + ".mlp.gate_proj", config.hidden_size, config.intermediate_size, true),
        up_(name_ + (gated_ ? ".mlp.up_proj" : ".mlp.fc1"),
            config.hidden_size,
            config.intermediate_size,
            true),
        down_(name_ + (gated_ ? ".mlp.down_proj" : ".mlp.fc2"),
              config.intermediate_size,
              config.hidden_size,
              true) {}

  const std::string& name() const override { return name_; }

  at::Tensor forward(const at::Tensor& hidden, const BlockContext& context) override {
    const at::Tensor attended = hidden + attention(attention_norm_->forward(hidden), context);
    const at::Tensor x = mlp_norm_->forward(attended);
    const at::Tensor inner =
        gated_ ? activation_(gate_.forward(x)) * up_.forward(x) : activation_(up_.forward(x));
    return attended + down_.forward(inner);
  }

  std::vector<Module*> modules() override {
    std::vector<Module*> all{attention_norm_.get(), &qkv_, &output_, mlp_norm_.get()};
    if (gated_) {
      all.push_back(&gate_);
    }
    all.insert(all.end(), {&up_, &down_});
    return all;
  }

 private:
  at::Tensor attention(const at::Tensor& x, const BlockContext& context) {
    const at::Tensor heads = qkv_.forward(x).view({1, x.size(1), 3, heads_, -1});
    const auto rotated = [&](int64_t part) {  // in float32, whatever the rest is computed in
      return kernels::rotate_heads(
                 heads.select(2, part).to(at::kFloat), context.cosine, context.sine)
          .to(x.scalar_type());
    };
    const at::Tensor mixed = attend_runs(rotated(0),
                                         rotated(1),
                                         heads.select(2, 2).transpose(1, 2),
                                         windowed_ ? context.windows : context.frames);
    return output_.forward(mixed.transpose(1, 2).reshape(x.sizes()));
  }

  std::string name_;
  int64_t heads_;
  bool gated_, windowed_;
  Activation activation_;
  std::unique_ptr<Module> attention_norm_, mlp_norm_;
  Linear qkv_, output_, gate_, up_, down_;
};

/// The patches of a cell → a row for the text, cells row by row again.
class QwenMerger : public Block {
 public:
  explicit QwenMerger(const QwenVisionConfig& config)
      : name_(config.prefix + "merger"),
        in_(config.hidden_size * config.grid.merge * config.grid.merge),
        norm_(make_norm(config, name_ + ".ln_q")),
        inner_(name_ + ".mlp.0", in_, in_, true),
        output_(name_ + ".mlp.2", in_, config.out_size, true) {}

  const std::string& name() const override { return name_; }

  at::Tensor forward(const at::Tensor& hidden, const BlockContext& context) override {
    const at::Tensor cells = norm_->forward(hidden).reshape({1, -1, in_});
    const at::Tensor rows = output_.forward(at::gelu(inner_.forward(cells)));
    return context.order.defined() ? rows.index_select(1, context.order.argsort()) : rows;
  }

  std::vector<Module*> modules() override { return {norm_.get(), &inner_, &output_}; }

 private:
  std::string name_;
  int64_t in_;
  std::unique_ptr<Module> norm_;
  Linear inner_, output_;
};

void check_pixels(const QwenVisionConfig& config, const ImageInput& images, int64_t patches) {
  int64_t rows = 0;
  for (const char* key : {"pixel_values", kVideoPixels}) {
    const auto found = images.find(key);
    if (found == images.end()) {
      continue;
    }
    const at::Tensor& pixels = found->second;
    if (pixels.dim() != 2 || pixels.size(1) != config.patch_values()) {
      throw Error(ErrorCode::Checkpoint,
                  std::string(key) + ": patches have " + std::to_string(pixels.size(-1)) +
                      " values, the vision tower reads " + std::to_string(config.patch_values()) +
                      "; do preprocessor_config.json and config.json belong together?");
    }
    rows += pixels.size(0);
  }
  if (rows != patches) {
    throw Error(ErrorCode::Checkpoint,
                "the images of a text have " + std::to_string(rows) + " patches, their grids " +
                    std::to_string(patches) +
                    "; do preprocessor_config.json and config.json belong together?");
  }
}

/// Angles of the patches: one half of the pairs turns by the row, the other by the column.
RopeTables patch_tables(const QwenVisionConfig& config, const at::Tensor& places) {
  const int64_t quarter = config.hidden_size / config.heads / 4;
  RopeConfig rope{.dims = 2 * quarter};
  const RopeTables down = rope_tables(rope, places.narrow(0, 0, 1));
  const RopeTables across = rope_tables(rope, places.narrow(0, 1, 1));
  const auto joined = [&](const at::Tensor& rows, const at::Tensor& columns) {
    const at::Tensor half = at::cat({rows.narrow(2, 0, quarter), columns.narrow(2, 0, quarter)}, 2);
    return at::cat({half, half}, 2);
  };
  return {joined(down.cosine, across.cosine), joined(down.sine, across.sine)};
}

BlockContext tower_context(const QwenVisionConfig& config, const ImageInput& images) {
  const std::vector<PatchGrid> grids = read_grids(images, config.grid);
  const int64_t merge = config.grid.merge;
  const int64_t cell_patches = merge * merge;
  check_pixels(config, images, cells_of(grids) * cell_patches);
  BlockContext context;
  for (const PatchGrid& grid : grids) {
    context.frames.insert(context.frames.end(),
                          static_cast<size_t>(grid.frames),
                          grid.rows * grid.columns * cell_patches);
  }
  at::Tensor places = patch_places(grids, merge);  // [2, patches]
  if (config.window > 0) {
    const CellWindows windows = cell_windows(grids, config.window);
    for (const int64_t cells : windows.cells) {
      context.windows.push_back(cells * cell_patches);
    }
    context.order = windows.order;
    places = places.view({2, -1, cell_patches}).index_select(1, windows.order).view({2, -1});
  }
  const RopeTables tables = patch_tables(config, places);
  context.cosine = tables.cosine;
  context.sine = tables.sine;
  return context;
}

}  // namespace

std::unique_ptr<VisionTower> make_qwen_tower(const QwenVisionConfig& config) {
  auto tower = std::make_unique<VisionTower>();
  tower->blocks.push_back(std::make_unique<QwenPatches>(config));
  for (int64_t i = 0; i < config.layers; ++i) {
    const bool is_full = std::find(config.full_layers.begin(), config.full_layers.end(), i) !=
                         config.full_layers.end();
    tower->blocks.push_back(std::make_unique<QwenVisionLayer>(
        config, config.prefix + "blocks." + std::to_string(i), config.window > 0 && !is_full));
  }
  tower->blocks.push_back(std::make_unique<QwenMerger>(config));
  tower->context = [config](const ImageInput& images, at::ScalarType) {
    return tower_context(config, images);
  };
  tower->shapes = [config](const ImageInput& images) {
    const int64_t cells = cells_of(read_grids(images, config.grid));
    const int64_t patches = cells * config.grid.merge * config.grid.merge;
    return TowerShapes{{1, patches, config.hidden_size}, {1, cells, config.out_size}};
  };
  return tower;
}

}  // namespace oneshot
