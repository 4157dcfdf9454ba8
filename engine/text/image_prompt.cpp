#include "engine/text/image_prompt.h"

#include <optional>
#include <utility>

#include "engine/checkpoint/message_text.h"
#include "engine/error.h"
#include "engine/text/special_tokens.h"

namespace oneshot {
namespace {

constexpr int32_t kLlavaPlace = -200;  // IMAGE_TOKEN_INDEX of LLaVA
constexpr int32_t kCogVlmPlace = -1;

/// The id of the image token in config.json; nothing for a family without one.
std::optional<int64_t> image_id_in(const nlohmann::json& config, ImageFamily family) {
  struct Named {
    const char* key;
    int64_t fallback;  // of the family's configuration class
  };
  Named named{};
  switch (family) {
    case ImageFamily::Llava:
      named = {"image_token_index", 32000};
      break;
    case ImageFamily::Qwen2Vl:
      named = {"image_token_id", 151655};
      break;
    case ImageFamily::Mllama:
      named = {"image_token_index", 128256};
      break;
    default:
      return std::nullopt;
  }
  for (const char* key : {named.key, "image_token_id", "image_token_index"}) {
    const auto found = config.find(key);
    if (found == config.end() || found->is_null()) {
      continue;
    }
    if (!found->is_number_integer()) {
      throw Error(ErrorCode::Checkpoint,
                  std::string("config.json: '") + key + "' holds JSON " + found->type_name() +
                      ", expected a token id");
    }
    return found->get<int64_t>();
  }
  return named.fallback;
}

[[noreturn]] void throw_marks(size_t marks, size_t images, const std::string& mark) {
  throw Error(ErrorCode::Checkpoint,
              "the text has " + std::to_string(marks) + " image marks '" + mark +
                  "', the images are " + std::to_string(images));
}

void append(std::vector<int32_t>& ids, int64_t count, int32_t id) {
  ids.insert(ids.end(), static_cast<size_t>(count), id);
}

/// As MllamaProcessor's build_string_from_input.
std::string with_bos(const std::string& text, const std::string& bos, const std::string& mark) {
  if (bos.empty() || text.find(bos) != std::string::npos) {
    return text;
  }
  size_t behind = 0;
  while (text.compare(behind, mark.size(), mark) == 0) {
    behind += mark.size();
  }
  return text.substr(0, behind) + bos + text.substr(behind);
}

/// The number in "<|image_12|>" at `begin`, and where it ends; nothing when none stands there.
struct Mark {
  size_t begin = 0;
  size_t end = 0;
  size_t number = 0;
};

std::optional<Mark> next_phi3_mark(const std::string& text, size_t from) {
  constexpr std::string_view kOpen = "<|image_", kClose = "|>";
  constexpr size_t kMostDigits = 9;
  for (size_t begin = text.find(kOpen, from); begin != std::string::npos;
       begin = text.find(kOpen, begin + 1)) {
    const size_t digits = begin + kOpen.size();
    size_t end = digits;
    while (end < text.size() && end - digits < kMostDigits && text[end] >= '0' &&
           text[end] <= '9') {
      ++end;
    }
    if (end > digits && text.compare(end, kClose.size(), kClose) == 0) {
      return Mark{begin, end + kClose.size(), std::stoul(text.substr(digits, end - digits))};
    }
  }
  return std::nullopt;
}

}  // namespace

ImagePrompt::ImagePrompt(const nlohmann::json& config,
                         Tokenizer tokenizer,
                         const std::filesystem::path& tokenizer_folder)
    : family_(required_image_family(config)), tokenizer_(std::move(tokenizer)) {
  const nlohmann::ordered_json named = special_tokens(tokenizer_folder);
  bos_ = named.value("bos_token", "");
  const auto start_end = config.find("mm_use_im_start_end");
  if (start_end != config.end() && *start_end == true) {
    throw Error(ErrorCode::Unsupported,
                "config.json: mm_use_im_start_end is true: images between <im_start> and <im_end> "
                "are not supported");
  }
  const std::string folder = one_line(tokenizer_folder.string());
  if (family_ == ImageFamily::CogVlm2 && !tokenizer_.id_of(bos_)) {
    throw Error(ErrorCode::Checkpoint,
                folder + ": the tokenizer has no bos_token, which this model's texts begin with");
  }
  const auto wanted = image_id_in(config, family_);
  if (!wanted) {
    return;
  }
  const std::string mark = image_mark(family_, 1);
  const auto id = tokenizer_.id_of(mark);
  if (!id || *id != *wanted) {
    throw Error(ErrorCode::Checkpoint,
                folder + ": the tokenizer " +
                    (id ? "has id " + std::to_string(*id) + " for" : std::string("lacks")) +
                    " the image token '" + mark + "', config.json says " + std::to_string(*wanted) +
                    "; use the tokenizer of this model");
  }
  image_id_ = *id;
}

bool ImagePrompt::begins_with_bos(const std::string& text) const {
  return !bos_.empty() && text.starts_with(bos_);
}

std::vector<int32_t> ImagePrompt::ids(const std::string& text,
                                      bool special_tokens,
                                      std::span<const int64_t> image_tokens) const {
  switch (family_) {
    case ImageFamily::LlavaOriginal:
      return llava_pieces(text, special_tokens, image_tokens);
    case ImageFamily::Phi3V:
      return phi3_pieces(text, special_tokens, image_tokens);
    case ImageFamily::CogVlm2:
      return image_first(text, image_tokens);
    case ImageFamily::Mllama:
      return expanded(with_bos(text, bos_, image_mark(family_, 1)), special_tokens, image_tokens);
    default:
      return expanded(text, special_tokens, image_tokens);
  }
}

/// The processors repeat the image token in the text; in the ids it comes to the same, for nothing
/// stands between two of them.
std::vector<int32_t> ImagePrompt::expanded(const std::string& text,
                                           bool special_tokens,
                                           std::span<const int64_t> image_tokens) const {
  std::vector<int32_t> made;
  size_t marks = 0;
  for (const int32_t id : tokenizer_.encode(text, special_tokens)) {
    if (id != image_id_) {
      made.push_back(id);
      continue;
    }
    if (marks < image_tokens.size()) {
      append(made, family_ == ImageFamily::Mllama ? 1 : image_tokens[marks], id);
    }
    ++marks;
  }
  if (marks != image_tokens.size()) {
    throw_marks(marks, image_tokens.size(), image_mark(family_, 1));
  }
  return made;
}

std::vector<int32_t> ImagePrompt::llava_pieces(const std::string& text,
                                               bool special_tokens,
                                               std::span<const int64_t> image_tokens) const {
  const std::string mark = image_mark(family_, 1);
  const auto bos = bos_.empty() ? std::nullopt : tokenizer_.id_of(bos_);
  std::vector<int32_t> made;
  size_t marks = 0, begin = 0;
  bool drops_bos = false;
  for (;;) {
    const size_t end = text.find(mark, begin);
    const std::vector<int32_t> piece =
        tokenizer_.encode(text.substr(begin, end - begin), special_tokens);
    const bool is_first = marks == 0;
    if (is_first) {
      drops_bos = bos && !piece.empty() && piece.front() == *bos;
    }
    const bool skips = drops_bos && !is_first && !piece.empty();
    made.insert(made.end(), piece.begin() + (skips ? 1 : 0), piece.end());
    if (end == std::string::npos) {
      break;
    }
    if (marks < image_tokens.size()) {
      append(made, image_tokens[marks], kLlavaPlace);
    }
    ++marks;
    begin = end + mark.size();
  }
  if (marks != image_tokens.size()) {
    throw_marks(marks, image_tokens.size(), mark);
  }
  return made;
}

std::vector<int32_t> ImagePrompt::phi3_pieces(const std::string& text,
                                              bool special_tokens,
                                              std::span<const int64_t> image_tokens) const {
  std::vector<int32_t> made;
  size_t marks = 0, begin = 0;
  for (;;) {
    const auto mark = next_phi3_mark(text, begin);
    const size_t end = mark ? mark->begin : text.size();
    const std::vector<int32_t> piece =
        tokenizer_.encode(text.substr(begin, end - begin), special_tokens);
    made.insert(made.end(), piece.begin(), piece.end());
    if (!mark) {
      break;
    }
    if (mark->number != ++marks) {
      throw Error(ErrorCode::Checkpoint,
                  "the text has the image mark " + in_quotes(text.substr(end, mark->end - end)) +
                      " where number " + std::to_string(marks) +
                      " is next; number them 1, 2, … in the order of the images");
    }
    if (marks <= image_tokens.size()) {
      append(made, image_tokens[marks - 1], -static_cast<int32_t>(marks));
    }
    begin = mark->end;
  }
  if (marks != image_tokens.size()) {
    throw_marks(marks, image_tokens.size(), "<|image_1|>");
  }
  return made;
}

std::vector<int32_t> ImagePrompt::image_first(const std::string& text,
                                              std::span<const int64_t> image_tokens) const {
  if (image_tokens.size() > 1) {
    throw Error(ErrorCode::Checkpoint,
                std::to_string(image_tokens.size()) + " images, this model reads one at most");
  }
  std::vector<int32_t> made{*tokenizer_.id_of(bos_)};
  for (const int64_t tokens : image_tokens) {
    append(made, tokens, kCogVlmPlace);
  }
  const std::vector<int32_t> rest = tokenizer_.encode(text, false);
  made.insert(made.end(), rest.begin(), rest.end());
  return made;
}

}  // namespace oneshot
