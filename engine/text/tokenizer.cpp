#include "engine/text/tokenizer.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "engine/checkpoint/json_file.h"
#include "engine/error.h"
#include "engine/text/added_tokens.h"
#include "engine/text/byte_pair_model.h"
#include "engine/text/component.h"
#include "engine/text/normalizer.h"
#include "engine/text/post_processor.h"
#include "engine/text/pre_tokenizer.h"
#include "engine/text/token_decoder.h"
#include "engine/text/unicode.h"

namespace oneshot {
namespace {

/// The part "model", after its type was found to be BPE; very old files name none.
Component byte_pair_part(const Component& file) {
  const std::optional<Component> model = file.part("model");
  if (!model) {
    file.throw_damaged("has no 'model'");
  }
  if (model->has("type") && model->type() != "BPE") {
    model->throw_unsupported_type();
  }
  return *model;
}

}  // namespace

struct Tokenizer::Parts {
  explicit Parts(const Component& file)
      : normalizer(make_normalizer(file.part("normalizer"))),
        pre_tokenizer(make_pre_tokenizer(file.part("pre_tokenizer"))),
        post_processor(make_post_processor(file.part("post_processor"))),
        decoder(make_token_decoder(file.part("decoder"))),
        model(byte_pair_part(file)),
        added(file, model.vocabulary(), normalizer) {}

  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  PostProcessor post_processor;
  TokenDecoder decoder;
  BytePairModel model;
  AddedTokens added;

  /// The ids of a text without special tokens, or its first ones: at least `enough` of them.
  std::vector<int32_t> ids_of(std::string_view text, size_t enough) const;

  /// A stretch between two added tokens that were found in the raw text.
  void append_ids(std::string_view raw,
                  bool at_start,
                  size_t enough,
                  std::vector<int32_t>& ids) const;
};

void Tokenizer::Parts::append_ids(std::string_view raw,
                                  bool at_start,
                                  size_t enough,
                                  std::vector<int32_t>& ids) const {
  const std::string text = normalizer(std::string(raw));
  for (const Segment& segment : added.in_normalized_text().split(text)) {
    if (segment.id) {
      ids.push_back(*segment.id);
      continue;
    }
    Pieces pieces;
    pieces.text = text.substr(segment.range.begin, segment.range.end - segment.range.begin);
    pieces.ranges = {{0, pieces.text.size()}};
    pieces.at_start = at_start && segment.range.begin == 0;
    pre_tokenizer(pieces);
    for (size_t i = 0; i < pieces.ranges.size() && ids.size() < enough; ++i) {
      model.append_ids(pieces[i], ids);
    }
  }
}

std::vector<int32_t> Tokenizer::Parts::ids_of(std::string_view text, size_t enough) const {
  if (const auto invalid = first_invalid_byte(text)) {
    throw Error(ErrorCode::Checkpoint,
                "the text to tokenize is not valid UTF-8 at byte " + std::to_string(*invalid));
  }
  std::vector<int32_t> ids;
  for (const Segment& segment : added.in_raw_text().split(text)) {
    if (ids.size() >= enough) {
      break;
    }
    if (segment.id) {
      ids.push_back(*segment.id);
    } else {
      const Range& range = segment.range;
      append_ids(text.substr(range.begin, range.end - range.begin), range.begin == 0, enough, ids);
    }
  }
  return ids;
}

Tokenizer::Tokenizer(std::shared_ptr<const Parts> parts) : parts_(std::move(parts)) {}

Tokenizer Tokenizer::from_folder(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / "tokenizer.json";
  return from_json(read_json_object(file), file.string());
}

Tokenizer Tokenizer::from_json(const nlohmann::json& json, const std::string& file) {
  return Tokenizer(std::make_shared<const Parts>(Component(json, file, "")));
}

std::vector<int32_t> Tokenizer::encode(std::string_view text, bool add_special_tokens) const {
  std::vector<int32_t> ids = parts_->ids_of(text, std::numeric_limits<size_t>::max());
  if (add_special_tokens) {
    parts_->post_processor(ids);
  }
  return ids;
}

std::vector<int32_t> Tokenizer::encode_first(std::string_view text,
                                             bool add_special_tokens,
                                             int64_t longest) const {
  std::vector<int32_t> special;
  if (add_special_tokens) {
    parts_->post_processor(special);
  }
  const auto room = static_cast<size_t>(longest);
  if (special.size() > room) {
    throw Error(ErrorCode::Checkpoint,
                "the tokenizer adds " + std::to_string(special.size()) +
                    " special tokens to a text that may have " + std::to_string(longest));
  }
  std::vector<int32_t> ids = parts_->ids_of(text, room - special.size());
  ids.resize(std::min(ids.size(), room - special.size()));
  if (add_special_tokens) {
    parts_->post_processor(ids);
  }
  return ids;
}

std::string Tokenizer::decode(std::span<const int32_t> ids, bool skip_special_tokens) const {
  std::vector<std::string> tokens;
  for (const int32_t id : ids) {
    const std::string* token = parts_->added.decodable(id);
    if (token == nullptr) {
      token = parts_->model.vocabulary().token_of(id);
    }
    if (token != nullptr && !(skip_special_tokens && parts_->added.is_special(*token))) {
      tokens.push_back(*token);
    }
  }
  parts_->decoder(tokens);
  std::string text;
  for (const std::string& token : tokens) {
    text += token;
  }
  return text;
}

int64_t Tokenizer::vocabulary_size() const {
  return parts_->model.vocabulary().size() + parts_->added.outside_vocabulary();
}

std::optional<int32_t> Tokenizer::id_of(std::string_view token) const {
  const std::optional<int32_t> added = parts_->added.id_of(token);
  return added ? added : parts_->model.vocabulary().id_of(token);
}

std::optional<std::string> Tokenizer::token_of(int32_t id) const {
  const std::string* added = parts_->added.token_of(id);
  const std::string* token = added != nullptr ? added : parts_->model.vocabulary().token_of(id);
  return token == nullptr ? std::nullopt : std::optional(*token);
}

bool Tokenizer::is_special(int32_t id) const {
  const std::string* token = parts_->added.token_of(id);
  return token != nullptr && parts_->added.is_special(*token);
}

}  // namespace oneshot
