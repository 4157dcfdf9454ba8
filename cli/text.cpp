#include "cli/text.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace oneshot::cli {
namespace {

template <typename... Args>
std::string printed(const char* format, Args... args) {
  std::array<char, 64> buffer{};
  std::snprintf(buffer.data(), buffer.size(), format, args...);
  return buffer.data();
}

/// Columns that a text takes: UTF-8 continuation bytes take none.
size_t width(const std::string& text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](unsigned char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

std::string bytes_text(uint64_t bytes) {
  constexpr std::array kUnits{"B", "kB", "MB", "GB", "TB", "PB", "EB"};
  if (bytes < 1000) {
    return std::to_string(bytes) + " B";
  }
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 999.5 && unit + 1 < kUnits.size()) {
    value /= 1000;
    ++unit;
  }
  const int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return printed("%.*f %s", decimals, value, kUnits[unit]);
}

std::string seconds_text(double seconds) {
  if (seconds < 0.9995) {
    return printed("%.0f ms", 1000 * seconds);
  }
  if (seconds < 60) {
    return printed("%.1f s", seconds);
  }
  const auto whole = static_cast<long>(std::lround(seconds));
  if (whole < 3600) {
    return printed("%ld min %02ld s", whole / 60, whole % 60);
  }
  return printed("%ld h %02ld min", whole / 3600, whole / 60 % 60);
}

std::string number_text(double number) {
  return printed("%.3g", number);
}

std::string table_text(const std::vector<std::vector<std::string>>& rows,
                       const std::vector<bool>& right) {
  std::vector<size_t> widths(right.size());
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], width(row[i]));
    }
  }
  std::string text;
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string padding(widths[i] - width(row[i]), ' ');
      const bool last = i + 1 == row.size();
      text += right[i] ? padding + row[i] : last ? row[i] : row[i] + padding;
      text += last ? "\n" : "  ";
    }
  }
  return text;
}

}  // namespace oneshot::cli
