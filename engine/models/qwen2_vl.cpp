// Qwen2-VL and Qwen2.5-VL: Qwen2 behind a vision tower, with positions in time, down and across.
// Source: arXiv:2409.12191, arXiv:2502.13923.
#include <ATen/ATen.h>

#include <algorithm>
#include <numeric>

#include "engine/error.h"
#include "engine/models/decoder.h"
#include "engine/models/families.h"
#include "engine/models/qwen2_vl_vision.h"

namespace oneshot {
namespace {

/// The settings of the text, beside all others or in a section of their own, with what
/// Transformers has where they are silent.
nlohmann::json text_settings(const nlohmann::json& config) {
  nlohmann::json text = {{"hidden_size", 8192},
                         {"intermediate_size", 29568},
                         {"num_hidden_layers", 80},
                         {"num_attention_heads", 64},
                         {"num_key_value_heads", 8},
                         {"vocab_size", 152064},
                         {"max_position_embeddings", 32768},
                         {"sliding_window", 4096}};
  const auto own = config.find("text_config");
  text.update(own != config.end() && own->is_object() ? *own : config);
  return text;
}

void read_sections(RopeConfig& rope) {
  if (rope.sections.empty()) {
    rope.sections = {16, 24, 24};
  }
  const std::vector<int64_t>& sections = rope.sections;
  const bool right = sections.size() == 3 &&
                     std::all_of(sections.begin(),
                                 sections.end(),
                                 [&rope](int64_t n) { return n >= 0 && n <= rope.dims; }) &&
                     std::accumulate(sections.begin(), sections.end(), int64_t{0}) == rope.dims / 2;
  if (!right) {
    throw Error(ErrorCode::Checkpoint,
                "config.json: mrope_section must be three numbers that make up the " +
                    std::to_string(rope.dims / 2) + " pairs of a head");
  }
}

DecoderConfig read_text(const ModelSource& source) {
  const nlohmann::json json = text_settings(source.config());
  DecoderConfig decoder = read_decoder(json, 1e-5, 1e6);
  decoder.query_bias = true;
  const ConfigReader config(source.config(), "config.json");
  decoder.tied_head = decoder.tied_head || config.boolean("tie_word_embeddings", false);
  read_qwen_windows(json, decoder);
  read_sections(decoder.rope);
  const std::string embedding =
      source.prefix_of({"model.embed_tokens.", "model.language_model.embed_tokens."});
  decoder.prefix = embedding.substr(0, embedding.find("embed_tokens"));
  return decoder;
}

/// Angles of the tokens of a batch that reads images, by the positions in its whole text.
RopeTables image_tables(const RopeConfig& rope,
                        const TextBatch& batch,
                        const PatchGridConfig& grid,
                        const GridTokens& tokens) {
  const at::Tensor ids = batch.first > 0 ? at::cat({batch.before, batch.ids}, 1) : batch.ids;
  const at::Tensor positions =
      grid_positions(ids[0], read_grids(batch.images->input, grid), tokens);
  return rope_tables(rope, positions.narrow(1, batch.first, batch.ids.size(1)));
}

std::unique_ptr<ModelGraph> make_graph(const ModelSource& source, const QwenVisionConfig& vision) {
  const ConfigReader config(source.config(), "config.json");
  const DecoderConfig decoder = read_text(source);
  if (vision.out_size != decoder.hidden_size) {
    throw Error(ErrorCode::Checkpoint,
                "config.json: the vision tower gives rows of " + std::to_string(vision.out_size) +
                    " values, the text has " + std::to_string(decoder.hidden_size));
  }
  const GridTokens tokens{config.integer("image_token_id", 151655),
                          config.integer("video_token_id", 151656)};
  ModelGraph::Parts parts = decoder_parts(decoder);
  parts.tower = make_qwen_tower(vision);
  parts.image_places = [tokens](const at::Tensor& ids) {
    return ids.eq(tokens.image).to(at::kLong) + 2 * ids.eq(tokens.video).to(at::kLong);
  };
  parts.context = [rope = decoder.rope, grid = vision.grid, tokens, plain = parts.context](
                      const TextBatch& batch, at::ScalarType dtype) {
    BlockContext context = plain(batch, dtype);
    if (batch.images != nullptr) {
      const RopeTables tables = image_tables(rope, batch, grid, tokens);
      context.cosine = tables.cosine.to(dtype);
      context.sine = tables.sine.to(dtype);
    }
    return context;
  };
  return std::make_unique<ModelGraph>(std::move(parts));
}

ConfigReader vision_section(const ModelSource& source) {
  return ConfigReader(source.config(), "config.json").section("vision_config");
}

std::string vision_prefix(const ModelSource& source) {
  return source.prefix_of({"visual.", "model.visual."});
}

}  // namespace

std::unique_ptr<ModelGraph> make_qwen2_vl(const ModelSource& source) {
  return make_graph(source, read_qwen2_vision(vision_section(source), vision_prefix(source)));
}

std::unique_ptr<ModelGraph> make_qwen2_5_vl(const ModelSource& source) {
  return make_graph(source, read_qwen2_5_vision(vision_section(source), vision_prefix(source)));
}

}  // namespace oneshot
