// Who may include whom. See CONTRIBUTING.md.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace oneshot {
namespace {

namespace fs = std::filesystem;

/// A part of the tree, by the longest prefix of the path; and its step: a part includes itself and
/// parts of lower steps.
struct Part {
  const char* prefix;
  int step;
};

constexpr Part kEngineParts[] = {
    {"engine/error", 0},
    {"engine/nearest_word", 1},
    {"engine/worker_pool", 1},
    {"engine/quant/", 1},
    {"engine/kernels/", 2},
    {"engine/tensor_bytes", 2},
    {"engine/checkpoint/", 3},
    {"engine/graph/", 3},
    {"engine/tuned_block.h", 3},
    {"engine/text/", 4},
    {"engine/vision/", 4},
    {"engine/models/", 4},
    {"engine/calibration/", 5},
    {"engine/evaluate/", 5},
    {"engine/plan", 6},
    {"engine/modifier", 6},
    {"engine/format", 6},
    {"engine/", 7},  // the run and what belongs to it
};

/// What a room may include besides itself.
const std::map<std::string, std::vector<std::string>> kRooms{
    {"engine", {}},
    {"recipes", {"engine"}},
    {"modifiers", {"engine", "recipes"}},
    {"formats", {"engine"}},
    {"cli", {"engine", "recipes", "modifiers", "formats"}},
};

struct Include {
  std::string from, to;
};

/// What an `#include` line names.
std::optional<std::string> included(const std::string& line) {
  constexpr std::string_view kWord = "#include ";
  if (!line.starts_with(kWord) || line.size() < kWord.size() + 2) {
    return std::nullopt;
  }
  const char end = line[kWord.size()] == '<' ? '>' : '"';
  const size_t begin = kWord.size() + 1;
  return line.substr(begin, line.find(end, begin) - begin);
}

std::vector<Include> includes_of_tree() {
  const fs::path root = ONESHOT_SOURCES;
  std::vector<Include> includes;
  for (const auto& [room, allowed] : kRooms) {
    for (const auto& entry : fs::recursive_directory_iterator(root / room)) {
      const std::string extension = entry.path().extension();
      if (extension != ".h" && extension != ".cpp") {
        continue;
      }
      std::ifstream file(entry.path());
      for (std::string line; std::getline(file, line);) {
        if (const auto name = included(line)) {
          includes.push_back({fs::relative(entry.path(), root).string(), *name});
        }
      }
    }
  }
  return includes;
}

std::string room_of(const std::string& path) {
  return path.substr(0, path.find('/'));
}

const Part& part_of(const std::string& path) {
  for (const Part& part : kEngineParts) {
    if (path.starts_with(part.prefix)) {
      return part;
    }
  }
  throw std::runtime_error("no part for " + path);
}

/// No format: what several of them are made of. It knows none of them.
constexpr const char* kPartsOfFormats = "formats/integers";

/// formats/compressed_tensors, modifiers/quantize: those that may not include each other.
std::string folder_of(const std::string& path) {
  return fs::path(path).parent_path().string();
}

TEST(IncludeRule, RoomsIncludeOnlyTheRoomsBelow) {
  const std::vector<Include> includes = includes_of_tree();
  EXPECT_GT(includes.size(), 100U);
  for (const Include& include : includes) {
    const std::string from = room_of(include.from);
    const std::string to = room_of(include.to);
    if (!kRooms.contains(to) || from == to) {
      continue;
    }
    const auto& allowed = kRooms.at(from);
    EXPECT_NE(std::find(allowed.begin(), allowed.end(), to), allowed.end())
        << include.from << " includes " << include.to;
  }
}

TEST(IncludeRule, PartsOfTheEngineIncludeOnlyThePartsBelow) {
  for (const Include& include : includes_of_tree()) {
    if (room_of(include.from) != "engine" || room_of(include.to) != "engine") {
      continue;
    }
    const Part& from = part_of(include.from);
    const Part& to = part_of(include.to);
    // Plan, modifier and format are one page in three files.
    const bool same = from.prefix == to.prefix || (from.step == to.step && from.step >= 6);
    EXPECT_TRUE(same || to.step < from.step ||
                (from.step == 6 && include.to == "engine/memory_budget.h"))
        << include.from << " includes " << include.to;
  }
}

TEST(IncludeRule, ModifiersAndFormatsDoNotKnowEachOther) {
  for (const Include& include : includes_of_tree()) {
    const std::string room = room_of(include.from);
    const bool member = folder_of(include.from) != room;
    const bool shared = folder_of(include.to) == kPartsOfFormats;
    if ((room == "modifiers" || room == "formats") && member && !shared &&
        room_of(include.to) == room) {
      EXPECT_EQ(folder_of(include.from), folder_of(include.to))
          << include.from << " includes " << include.to;
    }
  }
}

TEST(IncludeRule, ParsersKnowNoAten) {
  const std::vector<std::string> parsers{"engine/calibration/calibration_data",
                                         "engine/calibration/conversation",
                                         "engine/calibration/dataset_",
                                         "engine/calibration/json_row",
                                         "engine/calibration/numpy_permutation",
                                         "engine/calibration/row_",
                                         "engine/checkpoint/",
                                         "engine/graph/family_names",
                                         "engine/graph/matching",
                                         "engine/graph/model_order",
                                         "engine/graph/names",
                                         "engine/text/",
                                         "engine/vision/canvas",
                                         "engine/vision/image.",
                                         "engine/vision/image_config",
                                         "engine/vision/image_decoders",
                                         "engine/vision/image_geometry",
                                         "engine/vision/image_keys",
                                         "engine/vision/image_sizes",
                                         "engine/vision/jpeg",
                                         "engine/vision/png",
                                         "engine/vision/resize",
                                         "engine/vision/webp",
                                         "recipes/"};
  for (const Include& include : includes_of_tree()) {
    const auto begins = [](const std::string& text) {
      return [&text](const std::string& start) { return text.starts_with(start); };
    };
    const bool parser = std::any_of(parsers.begin(), parsers.end(), begins(include.from));
    const bool aten = include.to.starts_with("ATen/") || include.to.starts_with("c10/") ||
                      include.to.starts_with("torch/");
    EXPECT_FALSE(parser && aten) << include.from << " includes " << include.to;
    EXPECT_NE(include.to, "torch/torch.h") << include.from;
  }
}

}  // namespace
}  // namespace oneshot
