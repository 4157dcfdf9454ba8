#include "recipes/recipe_error.h"

#include <cstdio>

#include "engine/nearest_word.h"
#include "recipes/yaml_text.h"

namespace oneshot::recipes {

void fail(const std::string& where, const std::string& message, ErrorCode code) {
  throw Error(code, where + ": " + message);
}

std::string printable(std::string_view text, size_t limit) {
  const bool cut = text.size() > limit;
  if (cut) {
    while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xC0) == 0x80) {
      --limit;  // never inside a character
    }
    text = text.substr(0, limit);
  }
  std::string line;
  while (!text.empty()) {
    const auto bad = find_bad_byte(text);
    for (char c : text.substr(0, bad ? bad->offset : text.size())) {
      line += c == '\n' ? "\\n" : c == '\t' ? "\\t" : std::string(1, c);
    }
    text.remove_prefix(bad ? bad->offset : text.size());
    if (bad) {
      char escaped[5];
      std::snprintf(escaped, sizeof escaped, "\\x%02X", static_cast<unsigned char>(text[0]));
      line += escaped;
      text.remove_prefix(1);
    }
  }
  return line + (cut ? "…" : "");
}

std::string in_quotes(std::string_view text) {
  return "'" + printable(text, 60) + "'";
}

std::string join(std::span<const std::string> words, const std::string& last) {
  std::string text;
  for (size_t i = 0; i < words.size(); ++i) {
    if (i > 0) {
      text += i + 1 == words.size() ? " " + last + " " : ", ";
    }
    text += words[i];
  }
  return text;
}

std::string did_you_mean(std::string_view word,
                         std::span<const std::string> known,
                         const std::string& otherwise) {
  const auto near = nearest(word, known);
  return near ? ", did you mean '" + *near + "'?" : otherwise;
}

}  // namespace oneshot::recipes
