// Every format that is built in.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "engine/format.h"

namespace oneshot {

struct FormatEntry {
  const char* name;
  const char* summary;
  std::unique_ptr<Format> (*make)();
};

/// In the order in which they are listed.
std::span<const FormatEntry> formats();

}  // namespace oneshot
