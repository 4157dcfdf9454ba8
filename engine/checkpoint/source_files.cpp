#include "engine/checkpoint/source_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <string_view>
#include <system_error>
#include <utility>

#include "engine/checkpoint/file_io.h"
#include "engine/checkpoint/json_file.h"
#include "engine/checkpoint/message_text.h"
#include "engine/checkpoint/vision_tower.h"
#include "engine/error.h"

namespace oneshot {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 9> kWeightExtensions{
    ".safetensors", ".bin", ".pth", ".pt", ".ckpt", ".msgpack", ".h5", ".onnx", ".gguf"};
constexpr std::array<std::string_view, 5> kWrittenHere{"quantization_config.json",
                                                       "quantize_config.json",
                                                       "recipe.yaml",
                                                       "oneshot.lock.json",
                                                       "report.json"};
constexpr size_t kMostFiles = 20'000;

using Identity = std::pair<dev_t, ino_t>;  // of a folder, whatever it is called

[[noreturn]] void throw_bad(const fs::path& where, const std::string& what) {
  throw Error(ErrorCode::Checkpoint, one_line(where.string()) + ": " + what);
}

bool has_weight_extension(std::string_view name) {
  std::string extension = fs::path(name).extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(), [](unsigned char c) {
    return static_cast<char>(std::tolower(c));
  });
  return std::find(kWeightExtensions.begin(), kWeightExtensions.end(), extension) !=
         kWeightExtensions.end();
}

/// An index lists weight files: model.safetensors.index.json, its variants
/// (model.safetensors.index.fp16.json), or any *.index.json whose weight_map names such files.
bool is_weight_index(const fs::path& file) {
  std::string name = file.filename().string();
  size_t index = name.rfind(".index.");
  if (index == std::string::npos || !name.ends_with(".json")) {
    return false;
  }
  if (has_weight_extension(std::string_view(name).substr(0, index))) {
    return true;
  }
  try {
    nlohmann::json json = read_json_object(file);
    for (const auto& [tensor, weights] : json.at("weight_map").items()) {
      if (weights.is_string() && has_weight_extension(weights.get<std::string>())) {
        return true;
      }
    }
    return false;
  } catch (const Error&) {
    return false;  // not JSON: some other file with such a name
  } catch (const nlohmann::json::exception&) {
    return false;  // no weight_map
  }
}

Identity identity_of(const fs::path& folder) {
  struct stat status {};
  if (stat(folder.c_str(), &status) != 0) {
    throw_system_error(
        ErrorCode::Checkpoint, one_line(folder.string()) + ": cannot list the folder", errno);
  }
  return {status.st_dev, status.st_ino};
}

class Walk {
 public:
  Walk(const fs::path& root, const std::set<std::string>& read, const fs::path& tower)
      : root_(root), read_(read), tower_(tower) {
    std::error_code ignored;
    fs::path above = fs::canonical(root, ignored);
    for (; above.has_relative_path(); above = above.parent_path()) {
      open_folders_.push_back(identity_of(above));
    }
    open_folders_.push_back(identity_of("/"));
  }

  SourceFiles run() {
    enter({}, false);
    std::sort(files_.copied.begin(), files_.copied.end());
    std::sort(files_.left_out.begin(), files_.left_out.end());
    std::sort(files_.tower_weights.begin(), files_.tower_weights.end());
    return std::move(files_);
  }

 private:
  void enter(const fs::path& relative, bool in_tower);
  void visit(const fs::path& relative, bool in_tower);
  void visit_folder(const fs::path& relative, bool in_tower);
  bool is_weights(const fs::path& relative) const;
  bool stays_behind(const fs::path& relative, bool in_tower) const;
  void add(std::vector<std::string>& list, std::string name);

  const fs::path& root_;
  const std::set<std::string>& read_;
  const fs::path& tower_;
  std::vector<Identity> open_folders_;  // those we are in, and those above the root
  SourceFiles files_;
};

void Walk::add(std::vector<std::string>& list, std::string name) {
  if (files_.copied.size() + files_.left_out.size() >= kMostFiles) {
    throw_bad(root_, "holds more than " + std::to_string(kMostFiles) + " files beside its weights");
  }
  list.push_back(std::move(name));
}

void Walk::enter(const fs::path& relative, bool in_tower) {
  std::error_code failure;
  for (fs::directory_iterator entry(root_ / relative, failure), end; !failure && entry != end;
       entry.increment(failure)) {
    visit(relative / entry->path().filename(), in_tower);
  }
  if (failure) {
    throw_system_error(ErrorCode::Checkpoint,
                       one_line((root_ / relative).string()) + ": cannot list the folder",
                       failure.value());
  }
}

bool Walk::is_weights(const fs::path& relative) const {
  return has_weight_extension(relative.filename().string()) || is_weight_index(root_ / relative);
}

bool Walk::stays_behind(const fs::path& relative, bool in_tower) const {
  std::string name = relative.filename().string();
  bool at_top = !relative.has_parent_path();
  if (name.front() == '.' ||
      (at_top && std::find(kWrittenHere.begin(), kWrittenHere.end(), name) != kWrittenHere.end())) {
    return true;
  }
  return !in_tower && is_weights(relative);
}

void Walk::visit_folder(const fs::path& relative, bool in_tower) {
  Identity identity = identity_of(root_ / relative);
  bool loops =
      std::find(open_folders_.begin(), open_folders_.end(), identity) != open_folders_.end();
  if (loops || relative.filename().string().front() == '.') {
    add(files_.left_out, relative.string() + "/");
    return;
  }
  open_folders_.push_back(identity);
  enter(relative, in_tower || relative == tower_);
  open_folders_.pop_back();
}

void Walk::visit(const fs::path& relative, bool in_tower) {
  fs::path path = root_ / relative;
  std::string name = relative.string();
  if (!is_utf8(name)) {
    throw_bad(path, "the file name is not UTF-8; rename or remove it");
  }
  std::error_code ignored;
  fs::file_status status = fs::status(path, ignored);
  if (fs::is_directory(status)) {
    visit_folder(relative, in_tower);
    return;
  }
  bool hidden = relative.filename().string().front() == '.';
  if (!hidden && fs::exists(status) && !fs::is_regular_file(status)) {
    throw_bad(path, "a pipe, socket or device is no part of a checkpoint; remove it");
  }
  if (name == "config.json" || (read_.count(name) != 0 && !in_tower)) {
    return;
  }
  if (stays_behind(relative, in_tower)) {
    add(files_.left_out, name);
    return;
  }
  if (!fs::exists(status) && fs::is_symlink(fs::symlink_status(path, ignored))) {
    throw_bad(path,
              "a link to " + in_quotes(fs::read_symlink(path, ignored).string()) +
                  ", which does not exist; get that file or remove the link");
  }
  if (access(path.c_str(), R_OK) != 0) {
    throw_system_error(ErrorCode::Checkpoint, one_line(path.string()) + ": cannot open", errno);
  }
  if (in_tower && is_weights(relative)) {
    files_.tower_weights.push_back(name);
  }
  add(files_.copied, name);
}

}  // namespace

SourceFiles list_source_files(const fs::path& folder,
                              const nlohmann::json& config,
                              const std::set<std::string>& read) {
  fs::path tower = inner_tower_folder(folder, config);
  return Walk(folder, read, tower).run();
}

}  // namespace oneshot
