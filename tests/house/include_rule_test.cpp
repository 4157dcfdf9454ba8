// Who may include whom. See CONTRIBUTING.md.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
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

std::vector<Include> includes_of_tree() {
  const fs::path root = ONESHOT_SOURCES;
  const std::regex pattern("^\\s*#\\s*include\\s+[\"<]([^\">]+)[\">].*");
  std::vector<Include> includes;
  for (const auto& [room, allowed] : kRooms) {
    for (const auto& entry : fs::recursive_directory_iterator(root / room)) {
      const std::string extension = entry.path().extension();
      if (extension != ".h" && extension != ".cpp") {
        continue;
      }
      std::ifstream file(entry.path());
      for (std::string line; std::getline(file, line);) {
        std::smatch match;
        if (std::regex_match(line, match, pattern)) {
          includes.push_back({fs::relative(entry.path(), root).string(), match[1]});
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
    if ((room == "modifiers" || room == "formats") && member && room_of(include.to) == room) {
      EXPECT_EQ(folder_of(include.from), folder_of(include.to))
          << include.from << " includes " << include.to;
    }
  }
}

TEST(IncludeRule, ParsersKnowNoAten) {
  for (const Include& include : includes_of_tree()) {
    const bool parser = include.from.starts_with("engine/checkpoint/") ||
                        include.from.starts_with("engine/graph/") ||
                        include.from.starts_with("recipes/");
    const bool aten = include.to.starts_with("ATen/") || include.to.starts_with("c10/") ||
                      include.to.starts_with("torch/");
    EXPECT_FALSE(parser && aten) << include.from << " includes " << include.to;
    EXPECT_NE(include.to, "torch/torch.h") << include.from;
  }
}

}  // namespace
}  // namespace oneshot
