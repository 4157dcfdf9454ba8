// Llama-3.2-Vision: a Llama some of whose layers look at the images instead of at the text.
// Source: arXiv:2407.21783, section 7.
#include <ATen/ATen.h>

#include <algorithm>
#include <limits>

#include "engine/error.h"
#include "engine/models/config_reader.h"
#include "engine/models/families.h"
#include "engine/models/mllama_cross.h"
#include "engine/models/mllama_vision.h"

namespace oneshot {
namespace {

constexpr int64_t kExtraRows = 8;  // of the embedding, behind the vocabulary: <|image|> first

/// What MllamaTextConfig has where a text_config is silent.
nlohmann::json with_defaults(const nlohmann::json& config) {
  nlohmann::json text = {{"hidden_size", 4096},
                         {"intermediate_size", 14336},
                         {"num_hidden_layers", 40},
                         {"num_attention_heads", 32},
                         {"num_key_value_heads", 8},
                         {"max_position_embeddings", 131072},
                         {"vocab_size", 128256}};
  const auto found = config.find("text_config");
  if (found != config.end() && found->is_object()) {
    text.update(*found);
  }
  return text;
}

DecoderConfig read_text(const nlohmann::json& text) {
  DecoderConfig decoder = read_decoder(text, 1e-5, 500000);
  if (decoder.tied_head) {
    throw Error(ErrorCode::Unsupported,
                "config.json: text_config: tie_word_embeddings is not supported for mllama, whose "
                "embedding has more rows than its head");
  }
  return decoder;
}

std::vector<int64_t> read_cross_layers(const nlohmann::json& text, int64_t layers) {
  const ConfigReader config(text, "config.json: text_config");
  const std::vector<int64_t> cross =
      config.integers("cross_attention_layers", {3, 8, 13, 18, 23, 28, 33, 38});
  for (const int64_t layer : cross) {
    if (layer < 0 || layer >= layers) {
      throw Error(ErrorCode::Checkpoint,
                  "config.json: text_config: cross_attention_layers has the layer " +
                      std::to_string(layer) + ", the model has " + std::to_string(layers) +
                      " layers");
    }
  }
  return cross;
}

/// Where the images of a text stand in it, and up to where they are seen: each up to the next one,
/// but images side by side as far as the last of them. Source: Transformers' MllamaProcessor.
struct ImageSpan {
  int64_t begin, end;
};
std::vector<ImageSpan> image_spans(const at::Tensor& ids, int64_t image_token) {
  const at::Tensor places = ids.eq(image_token).nonzero().squeeze(1);
  std::vector<ImageSpan> spans;
  int64_t next = ids.size(0), end = next;
  for (int64_t i = places.size(0) - 1; i >= 0; --i) {
    const auto begin = places[i].item<int64_t>();
    end = next == begin + 1 ? end : next;
    spans.insert(spans.begin(), {begin, end});
    next = begin;
  }
  return spans;
}

/// Who sees which tile, as the images' processor would say it: bool [tokens, images, tiles].
at::Tensor mask_of_text(const at::Tensor& ids, int64_t image_token, const at::Tensor& tiles) {
  const std::vector<ImageSpan> spans = image_spans(ids, image_token);
  if (static_cast<int64_t>(spans.size()) != tiles.size(0)) {
    throw Error(ErrorCode::Checkpoint,
                "a text has " + std::to_string(spans.size()) + " places for images, and " +
                    std::to_string(tiles.size(0)) + " images");
  }
  at::Tensor mask = at::zeros({ids.size(0), tiles.size(0), tiles.size(1)}, at::kBool);
  for (int64_t i = 0; i < tiles.size(0); ++i) {
    const ImageSpan& span = spans[static_cast<size_t>(i)];
    mask.narrow(0, span.begin, span.end - span.begin).select(1, i).copy_(tiles[i]);
  }
  return mask;
}

/// The rows of a given mask [1, tokens, images, tiles] for tokens from `first` on; those behind its
/// end are as the last one, as in generation.
at::Tensor given_rows(const at::Tensor& mask, int64_t first, int64_t tokens, int64_t parts) {
  if (mask.dim() != 4 || mask.size(0) != 1 || mask.size(1) == 0 ||
      mask.size(2) * mask.size(3) != parts) {
    throw Error(ErrorCode::Checkpoint,
                c10::str("cross_attention_mask has the shape ",
                         mask.sizes(),
                         ", the images have ",
                         parts,
                         " tiles"));
  }
  const at::Tensor rows = at::arange(first, first + tokens, at::kLong).clamp_max(mask.size(1) - 1);
  return mask[0].ne(0).index_select(0, rows);
}

/// Who sees which tile, of the tokens of a batch: bool [T, images · tiles].
at::Tensor seen_tiles(const MllamaVisionConfig& vision,
                      int64_t image_token,
                      const TextBatch& batch) {
  const SeenImages& images = *batch.images;
  const int64_t tokens = batch.ids.size(1);
  const auto given = images.input.find("cross_attention_mask");
  if (given != images.input.end()) {
    return given_rows(given->second, batch.first, tokens, images.features.size(0)).flatten(1);
  }
  const at::Tensor whole = batch.first > 0 ? at::cat({batch.before, batch.ids}, 1) : batch.ids;
  return mask_of_text(whole[0], image_token, mllama_tiles(vision, images.input))
      .narrow(0, batch.first, tokens)
      .flatten(1);
}

void add_images(const at::Tensor& seen,
                const SeenImages& images,
                at::ScalarType dtype,
                BlockContext& context) {
  const at::Tensor rows = seen.any(1, /*keepdim=*/true);  // [T, 1]
  const double masked = -std::numeric_limits<double>::infinity();
  context.cross_states =
      images.features.reshape({1, -1, images.features.size(-1)}).to(dtype);  // [1, S, hidden size]
  // Tokens that see no image look at all of them, as Transformers has it.
  context.cross_mask = at::zeros({1, 1, seen.size(0), seen.size(1)}, dtype)
                           .masked_fill(seen.logical_not().logical_and(rows), masked);
  context.cross_rows = rows.unsqueeze(0).to(dtype);
}

void check_no_image(const at::Tensor& ids, int64_t image_token) {
  const auto places = ids.eq(image_token).sum().item<int64_t>();
  if (places > 0) {
    throw Error(ErrorCode::Checkpoint,
                "a text has " + std::to_string(places) + " places for images, and 0 images");
  }
}

/// Puts the layers that look at images in the places of others.
void put_cross_layers(const DecoderConfig& decoder,
                      const std::vector<int64_t>& layers,
                      ModelGraph::Parts& parts) {
  for (const int64_t layer : layers) {
    const std::string name = decoder.prefix + "layers." + std::to_string(layer);
    parts.blocks[static_cast<size_t>(layer)] = make_mllama_cross_block(decoder, name);
    std::erase_if(parts.foldable,
                  [&](const FoldablePair& pair) { return pair.from.starts_with(name + "."); });
    for (FoldablePair& pair : mllama_cross_foldable(decoder, name)) {
      parts.foldable.push_back(std::move(pair));
    }
  }
}

}  // namespace

std::unique_ptr<ModelGraph> make_mllama(const ModelSource& source) {
  const ConfigReader config(source.config(), "config.json");
  config.section("text_config");  // throws for what is no object
  const nlohmann::json text = with_defaults(source.config());
  DecoderConfig decoder = read_text(text);
  decoder.prefix = source.prefix_of({"language_model.model.", "model.language_model."});
  decoder.head = decoder.prefix == "language_model.model." ? "language_model.lm_head" : "lm_head";
  MllamaVisionConfig vision = read_mllama_vision(source.config());
  vision.prefix = source.prefix_of({"vision_model.", "model.vision_model."});
  vision.projector = source.prefix_of({"multi_modal_projector", "model.multi_modal_projector"});
  vision.text_size = decoder.hidden_size;
  const int64_t image =
      config.integer("image_token_index", config.integer("image_token_id", 128256));

  ModelGraph::Parts parts = decoder_parts(decoder);
  parts.embedding_rows = decoder.vocabulary_size + kExtraRows;
  put_cross_layers(decoder, read_cross_layers(text, decoder.layers), parts);
  parts.tower = make_mllama_tower(vision);
  parts.context = [vision, image, text_context = std::move(parts.context)](const TextBatch& batch,
                                                                           at::ScalarType dtype) {
    BlockContext context = text_context(batch, dtype);
    if (batch.images == nullptr) {
      check_no_image(batch.ids, image);
    } else {
      add_images(seen_tiles(vision, image, batch), *batch.images, dtype, context);
    }
    return context;
  };
  return std::make_unique<ModelGraph>(std::move(parts));
}

}  // namespace oneshot
