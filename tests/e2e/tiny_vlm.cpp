#include "tests/e2e/tiny_vlm.h"

#include <map>
#include <nlohmann/json.hpp>

#include "engine/text/byte_alphabet.h"
#include "tests/support/temporary_folder.h"

namespace oneshot {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr int kLongestText = 512;

/// What a family has besides bytes, and how it prepares images; null: it has no such file.
struct Family {
  std::map<std::string, int> tokens;  // special ones, with their ids
  const char* bos;                    // null: none
  const char* eos;
  json processor;
};

json clip_processor() {
  return {{"image_processor_type", "CLIPImageProcessor"},
          {"do_resize", true},
          {"size", {{"shortest_edge", 28}}},
          {"do_center_crop", true},
          {"crop_size", {{"height", 28}, {"width", 28}}},
          {"resample", 3}};
}

// Ids are within the fixtures' embeddings; those of images are what their config.json says.

Family mllama() {
  return {{{"<|image|>", 256},
           {"<|begin_of_text|>", 257},
           {"<|eot_id|>", 258},
           {"<|start_header_id|>", 259},
           {"<|end_header_id|>", 260}},
          "<|begin_of_text|>",
          "<|eot_id|>",
          {{"image_processor_type", "MllamaImageProcessor"},
           {"size", {{"height", 28}, {"width", 28}}},
           {"max_image_tiles", 4},
           {"do_pad", true},
           {"resample", 2}}};
}

Family qwen2_vl() {
  return {{{"<|endoftext|>", 256},
           {"<|im_start|>", 257},
           {"<|im_end|>", 258},
           {"<|image_pad|>", 300},
           {"<|vision_start|>", 302},
           {"<|vision_end|>", 303}},
          nullptr,
          "<|im_end|>",
          {{"image_processor_type", "Qwen2VLImageProcessor"},
           {"min_pixels", 28 * 28},
           {"max_pixels", 4 * 28 * 28},
           {"patch_size", 14},
           {"temporal_patch_size", 2},
           {"merge_size", 2}}};
}

Family phi3_v() {
  return {
      {{"<s>", 256},
       {"</s>", 257},
       {"<|user|>", 258},
       {"<|assistant|>", 259},
       {"<|system|>", 260},
       {"<|end|>", 261}},
      "<s>",
      "</s>",
      {{"image_processor_type", "Phi3VImageProcessor"}, {"num_crops", 1}, {"num_img_tokens", 144}}};
}

Family family_of(const std::string& fixture) {
  const std::map<std::string, Family> families{
      {"mllama", mllama()},
      {"qwen2_vl", qwen2_vl()},
      {"phi3_v", phi3_v()},
      {"llava_hf",
       {{{"<s>", 256}, {"</s>", 257}, {"<image>", 300}, {"<pad>", 301}},
        "<s>",
        "</s>",
        clip_processor()}},
      {"llava_original", {{{"<s>", 256}, {"</s>", 257}}, "<s>", "</s>", clip_processor()}},
      {"cogvlm2",
       {{{"<|begin_of_text|>", 256}, {"<|end_of_text|>", 257}},
        "<|begin_of_text|>",
        "<|end_of_text|>",
        nullptr}}};
  return families.at(fixture);
}

/// Ids of bytes and of special tokens, those between them filled up: a tokenizer gives added tokens
/// the ids that follow its vocabulary, whatever they say.
json vocabulary_of(const std::map<int, std::string>& special) {
  json vocabulary = json::object();
  for (int id = 0; id <= special.rbegin()->first; ++id) {
    std::string token;
    if (id < 256) {
      append_as_characters(std::string(1, static_cast<char>(id)), token);
    } else {
      token = special.contains(id) ? special.at(id) : "<unused " + std::to_string(id) + ">";
    }
    vocabulary[token] = id;
  }
  return vocabulary;
}

/// A token for each byte, nothing merged.
json byte_tokenizer(const Family& family) {
  std::map<int, std::string> by_id;
  for (const auto& [token, id] : family.tokens) {
    by_id[id] = token;
  }
  json added = json::array();
  for (const auto& [id, token] : by_id) {
    added.push_back({{"id", id},
                     {"content", token},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", true}});
  }
  const json bytes{{"type", "ByteLevel"},
                   {"add_prefix_space", false},
                   {"trim_offsets", true},
                   {"use_regex", false}};
  return {{"version", "1.0"},
          {"added_tokens", added},
          {"normalizer", nullptr},
          {"pre_tokenizer", bytes},
          {"post_processor", nullptr},
          {"decoder", bytes},
          {"model", {{"type", "BPE"}, {"vocab", vocabulary_of(by_id)}, {"merges", json::array()}}}};
}

json conversation(const std::string& image,
                  const std::string& question,
                  const std::string& answer) {
  return {{"id", image},
          {"image", "coco/train2017/" + image},
          {"conversations",
           {{{"from", "human"}, {"value", "<image>\n" + question}},
            {{"from", "gpt"}, {"value", answer}}}}};
}

}  // namespace

fs::path make_tiny_vlm(const std::string& fixture, const fs::path& folder) {
  const fs::path source = fs::path(ONESHOT_TEST_DATA) / "models" / fixture;
  const fs::path model = folder / "model";
  json config = json::parse(read_file(source / "config.json"));
  json& text = config.contains("text_config") ? config["text_config"] : config;
  if (text["max_position_embeddings"] < kLongestText) {
    text["max_position_embeddings"] = kLongestText;
  }
  const Family family = family_of(fixture);
  json names{{"eos_token", family.eos}};
  if (family.bos != nullptr) {
    names["bos_token"] = family.bos;
  }
  write_file(model / "config.json", config.dump(1));
  write_file(model / "tokenizer.json", byte_tokenizer(family).dump());
  write_file(model / "tokenizer_config.json", names.dump());
  if (!family.processor.is_null()) {
    write_file(model / "preprocessor_config.json", family.processor.dump());
  }
  fs::copy(source / "model.safetensors", model);
  return model;
}

fs::path tiny_images() {
  return fs::path(ONESHOT_TEST_DATA) / "calibration/images/files";
}

fs::path write_conversations(const fs::path& folder) {
  const json rows{conversation("0000.png", "How many shapes are in the image?", "Two, I think."),
                  conversation("0001.png", "Is there a purple square?", "No, there is none."),
                  conversation("0003.jpg", "What shape is on the left?", "On the left is a star."),
                  conversation("0005.png", "Describe the image.", "A large green circle.")};
  write_file(folder / "conversations.json", rows.dump());
  return folder / "conversations.json";
}

fs::path write_questions(const fs::path& folder) {
  fs::create_directories(folder);
  std::string lines;
  for (const char* image : {"0003.jpg", "0005.png"}) {
    fs::copy(tiny_images() / image, folder);
    lines += json{{"context", "<image>\nIs there a circle?"},
                  {"choices", {" Yes", " No"}},
                  {"answer", 0},
                  {"image", image}}
                 .dump() +
             "\n";
  }
  write_file(folder / "questions.jsonl", lines);
  return folder / "questions.jsonl";
}

}  // namespace oneshot
