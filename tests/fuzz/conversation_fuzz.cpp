// Any bytes as a row with a conversation and images, or as a template file: read and brought to
// text and ids in every way, or refused with an Error.
// Input: one byte that picks the family, or with 128 a template file; then the JSON.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "engine/calibration/conversation.h"
#include "engine/calibration/dataset_row.h"
#include "engine/error.h"
#include "engine/text/image_messages.h"
#include "engine/text/image_prompt.h"
#include "engine/text/prompt_template.h"

namespace {

using oneshot::ImageFamily;
using Json = nlohmann::ordered_json;

struct Family {
  ImageFamily family;
  const char* config;
};

// CogVLM2 needs a bos_token, which is in a file: only its texts are made.
constexpr std::array<Family, 6> kFamilies{{
    {ImageFamily::Llava, R"({"model_type": "llava", "image_token_index": 5})"},
    {ImageFamily::LlavaOriginal, R"({"architectures": ["LlavaLlamaForCausalLM"]})"},
    {ImageFamily::Qwen2Vl, R"({"model_type": "qwen2_vl", "image_token_id": 6})"},
    {ImageFamily::Mllama, R"({"model_type": "mllama", "image_token_index": 7})"},
    {ImageFamily::Phi3V, R"({"model_type": "phi3_v"})"},
    {ImageFamily::CogVlm2, ""},
}};

const oneshot::Tokenizer& tokenizer() {
  static const oneshot::Tokenizer kTokenizer =
      oneshot::Tokenizer::from_json(nlohmann::json::parse(R"({
        "added_tokens": [
          {"id": 5, "content": "<image>", "special": true, "normalized": false,
           "single_word": false, "lstrip": false, "rstrip": false},
          {"id": 6, "content": "<|image_pad|>", "special": true, "normalized": false,
           "single_word": false, "lstrip": false, "rstrip": false},
          {"id": 7, "content": "<|image|>", "special": true, "normalized": false,
           "single_word": false, "lstrip": false, "rstrip": false}],
        "normalizer": null, "pre_tokenizer": null, "post_processor": null, "decoder": null,
        "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "c": 2}, "merges": []}})"),
                                    "tokenizer.json");
  return kTokenizer;
}

void read_row(const std::string& json, const Family& family) {
  const oneshot::DatasetRow row = oneshot::parse_dataset_row(json, {"rows.jsonl", 1}, {});
  const auto* conversation = std::get_if<oneshot::Conversation>(&row);
  if (conversation == nullptr) {
    return;
  }
  const Json& messages = conversation->messages;
  const int64_t places = oneshot::count_image_places(messages);
  const Json parts = oneshot::with_image_parts(messages, family.family);
  if (oneshot::count_image_places(parts) != places) {
    std::abort();  // an image was lost, or made
  }
  const Json marked = oneshot::with_image_marks(messages, family.family);
  const std::string text = oneshot::joined_contents(marked) +
                           oneshot::render(oneshot::family_template(family.family, ""), marked);
  if (family.family != ImageFamily::CogVlm2) {
    const oneshot::ImagePrompt prompt(nlohmann::json::parse(family.config), tokenizer(), "none");
    prompt.ids(text, true, std::vector<int64_t>(conversation->images.size(), 2));
  }
}

void read_template(const std::string& text) {
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) {
    return;
  }
  const oneshot::PromptTemplate form = oneshot::parse_prompt_template(json, "template.json");
  static const Json kMessages = Json::parse(R"([{"role": "user", "content": "<image>\na"},
      {"role": "assistant", "content": "b"}, {"role": "tool", "content": null}])");
  oneshot::render(form, oneshot::with_replaced_tokens(form, kMessages));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) {
    return 0;
  }
  const std::string json(reinterpret_cast<const char*>(data) + 1, size - 1);
  try {
    if ((data[0] & 128) != 0) {
      read_template(json);
    } else {
      read_row(json, kFamilies[data[0] % kFamilies.size()]);
    }
  } catch (const oneshot::Error& error) {
    if (std::string(error.what()).find('\n') != std::string::npos) {
      std::abort();  // a message is one line
    }
  }
  return 0;
}
