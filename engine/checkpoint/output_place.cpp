#include "engine/checkpoint/output_place.h"

#include <sys/stat.h>

#include <string>
#include <system_error>

#include "engine/checkpoint/message_text.h"
#include "engine/error.h"

namespace oneshot {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void throw_wrong(const fs::path& output, const std::string& what) {
  throw Error(ErrorCode::Recipe, one_line(output.string()) + ": " + what);
}

/// True when `inner` is `outer` or lies in it, both absolute. Compares what the names lead to.
bool is_within(fs::path inner, const fs::path& outer) {
  std::error_code ignored;
  for (;; inner = inner.parent_path()) {
    if (inner == outer || fs::equivalent(inner, outer, ignored)) {
      return true;
    }
    if (!inner.has_relative_path()) {
      return false;
    }
  }
}

bool is_mount_point(const fs::path& place) {
  struct stat own {};
  struct stat above {};
  return stat(place.c_str(), &own) == 0 && stat(place.parent_path().c_str(), &above) == 0 &&
         own.st_dev != above.st_dev;
}

}  // namespace

void check_apart(const fs::path& place, const fs::path& source, const fs::path& shown) {
  std::error_code failure;
  fs::path real_source = fs::canonical(source, failure);
  if (failure) {
    return;  // no source: opening it says so
  }
  if (is_within(place, real_source)) {
    throw_wrong(shown,
                "the output would be in the source checkpoint " + one_line(source.string()) +
                    "; choose a folder outside of it");
  }
  if (is_within(real_source, place)) {
    throw_wrong(shown,
                "the output would take the place of the source checkpoint " +
                    one_line(source.string()) + "; choose another folder");
  }
}

fs::path resolve_output(const fs::path& output, const fs::path& source) {
  if (output.empty()) {
    throw_wrong(output, "the output folder has no name");
  }
  std::error_code failure;
  fs::path place = fs::absolute(output, failure);
  place = failure ? place : fs::weakly_canonical(place, failure);
  if (failure) {
    throw_wrong(output, "not a path for an output: " + failure.message());
  }
  if (!place.has_filename()) {
    place = place.parent_path();
  }
  if (!place.has_relative_path()) {
    throw_wrong(output, "the root folder cannot be an output; name a folder in it");
  }
  fs::file_status status = fs::status(place, failure);
  if (fs::exists(status) && !fs::is_directory(status)) {
    throw_wrong(output, "exists and is a file; choose another output folder");
  }
  if (!fs::exists(status) && fs::is_symlink(fs::symlink_status(place, failure))) {
    throw_wrong(output, "a link to a folder that does not exist; choose another output folder");
  }
  if (is_mount_point(place)) {
    throw_wrong(output, "a mount point cannot be replaced; name a folder in it");
  }
  check_apart(place, source, output);
  fs::path current = fs::current_path(failure);
  if (!failure && is_within(current, place)) {
    throw_wrong(output, "the output would take the place of the current folder; name a new folder");
  }
  return place;
}

}  // namespace oneshot
