// Texts, words and paths out of YAML scalars.
#pragma once

#include <filesystem>
#include <string>

#include "recipes/option.h"
#include "recipes/yaml_document.h"

namespace oneshot::recipes {

/// Where relative paths begin: absolute folders. Those of another file, which the recipe extends,
/// begin at the folder of that file.
struct Folders {
  std::filesystem::path recipe;
  std::filesystem::path command_line;
};

/// A folder as an absolute path without `.`, `..` and a slash at the end; empty: the current one.
std::filesystem::path absolute_folder(const std::filesystem::path& folder);

/// Any scalar as the text it was written as, so `no` and 128 are texts; where the option has words,
/// the word that it spells. Throws Recipe for an empty text, an unknown word and what is no scalar.
/// `subject` begins the message: "calibration: 'short'".
TextValue read_text(const YamlNode& node, const Option& option, const std::string& subject);

/// A text, and the absolute path that it means; a word of the option stays without a path.
TextValue read_path(const YamlNode& node,
                    const Option& option,
                    const std::string& subject,
                    const Folders& folders);

/// A folder, or "image=DIR,video=DIR,audio=DIR" of which that of images becomes the path.
/// Throws Recipe for another kind, a kind twice and none of images.
TextValue read_image_folder(const YamlNode& node,
                            const Option& option,
                            const std::string& subject,
                            const Folders& folders);

}  // namespace oneshot::recipes
