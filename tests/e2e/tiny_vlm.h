// The fixtures of models that read images, with what they lack to be calibrated and evaluated: a
// byte-level tokenizer, a processor of tiny sizes, conversations and questions with images.
#pragma once

#include <filesystem>
#include <string>

namespace oneshot {

/// A copy of a fixture in `folder`, with tokenizer.json, tokenizer_config.json and, where the
/// family has one, preprocessor_config.json. Texts may be 512 tokens long.
std::filesystem::path make_tiny_vlm(const std::string& fixture,
                                    const std::filesystem::path& folder);

/// Where the images of the conversations are, under their bare names.
std::filesystem::path tiny_images();

/// Four conversations of LLaVA's form; their images are named with folders that are not there.
std::filesystem::path write_conversations(const std::filesystem::path& folder);

/// Two questions of two answers each, with their images beside them.
std::filesystem::path write_questions(const std::filesystem::path& folder);

}  // namespace oneshot
