#include "engine/text/normalizer.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/text/byte_alphabet.h"
#include "engine/text/newer_characters.h"
#include "engine/text/pattern.h"
#include "engine/text/unicode.h"

namespace oneshot {
namespace {

struct Free {
  void operator()(utf8proc_uint8_t* bytes) const { std::free(bytes); }
};

/// The text in one of the four normalization forms of the Unicode standard.
std::string in_unicode_form(std::string_view text, int options) {
  utf8proc_uint8_t* bytes = nullptr;
  const auto length = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                   static_cast<utf8proc_ssize_t>(text.size()),
                                   &bytes,
                                   static_cast<utf8proc_option_t>(UTF8PROC_STABLE | options));
  const std::unique_ptr<utf8proc_uint8_t, Free> owned(bytes);
  if (length < 0) {
    throw std::bad_alloc();  // the text is valid, so nothing else can fail
  }
  return {reinterpret_cast<const char*>(bytes), static_cast<size_t>(length)};
}

/// The same between characters that the library does not know.
Normalizer make_unicode_form(int options) {
  return [options](std::string text) {
    if (is_ascii(text)) {
      return text;
    }
    std::string output;
    size_t done = 0;
    for (size_t i = 0; i < text.size();) {
      const Character character = character_at(text, i);
      if (is_newer_character(character.code)) {
        output += in_unicode_form(std::string_view(text).substr(done, i - done), options);
        append_utf8(character.code, output);
        done = i + character.bytes;
      }
      i += character.bytes;
    }
    return output + in_unicode_form(std::string_view(text).substr(done), options);
  };
}

/// The text with every character put through `change(code, output)`.
template <class Change>
std::string map_characters(const std::string& text, Change change) {
  std::string output;
  output.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const Character character = character_at(text, i);
    change(character.code, output);
    i += character.bytes;
  }
  return output;
}

std::string lowercase(const std::string& text) {
  return map_characters(text, [](char32_t code, std::string& output) {
    if (code == 0x130) {  // İ, the only character whose lower case is two characters
      output += "i\xCC\x87";
    } else {
      append_utf8(static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(code))),
                  output);
    }
  });
}

/// U+1CF2 and U+1CF3 were marks until Unicode 12, and still are for the library.
std::string without_marks(const std::string& text) {
  return map_characters(text, [](char32_t code, std::string& output) {
    const bool was_mark = code == 0x1CF2 || code == 0x1CF3;
    if (!was_mark && (!is_mark(code) || is_newer_character(code))) {
      append_utf8(code, output);
    }
  });
}

/// Without the white space at its ends.
std::string stripped(const std::string& text, bool left, bool right) {
  size_t begin = text.size();
  size_t end = 0;
  for (size_t i = 0; i < text.size();) {
    const Character character = character_at(text, i);
    if (!is_white_space(character.code)) {
      begin = std::min(begin, i);
      end = i + character.bytes;
    }
    i += character.bytes;
  }
  begin = left ? begin : 0;
  end = right ? end : text.size();
  return begin < end ? text.substr(begin, end - begin) : "";
}

Normalizer make_replace(const Component& component) {
  return
      [pattern = Pattern(component), content = component.text("content")](const std::string& text) {
        std::vector<Range> matches;
        pattern.find_all(text, matches);
        std::string output;
        size_t end = 0;
        for (const Range& match : matches) {
          output.append(text, end, match.begin - end).append(content);
          end = match.end;
        }
        return output.append(text, end);
      };
}

Normalizer make_sequence(const Component& component) {
  std::vector<Normalizer> steps;
  for (const Component& part : component.parts("normalizers")) {
    steps.push_back(make_normalizer(part));
  }
  return [steps = std::move(steps)](std::string text) {
    for (const Normalizer& step : steps) {
      text = step(std::move(text));
    }
    return text;
  };
}

std::string as_byte_characters(const std::string& text) {
  std::string output;
  append_as_characters(text, output);
  return output;
}

struct Kind {
  const char* type;
  Normalizer (*make)(const Component&);
};

constexpr Kind kKinds[] = {
    {"NFC", [](const Component&) { return make_unicode_form(UTF8PROC_COMPOSE); }},
    {"NFD", [](const Component&) { return make_unicode_form(UTF8PROC_DECOMPOSE); }},
    {"NFKC",
     [](const Component&) { return make_unicode_form(UTF8PROC_COMPOSE | UTF8PROC_COMPAT); }},
    {"NFKD",
     [](const Component&) { return make_unicode_form(UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT); }},
    {"Replace", make_replace},
    {"Prepend",
     [](const Component& component) -> Normalizer {
       return [prefix = component.text("prepend")](const std::string& text) {
         return text.empty() ? text : prefix + text;
       };
     }},
    {"Lowercase", [](const Component&) -> Normalizer { return lowercase; }},
    {"Strip",
     [](const Component& component) -> Normalizer {
       return [left = component.flag("strip_left", true),
               right = component.flag("strip_right", true)](const std::string& text) {
         return stripped(text, left, right);
       };
     }},
    {"StripAccents", [](const Component&) -> Normalizer { return without_marks; }},
    {"ByteLevel", [](const Component&) -> Normalizer { return as_byte_characters; }},
    {"Sequence", make_sequence},
};

}  // namespace

Normalizer make_normalizer(const std::optional<Component>& component) {
  if (!component) {
    return [](std::string text) { return text; };
  }
  const std::string type = component->type();
  for (const Kind& kind : kKinds) {
    if (type == kind.type) {
      return kind.make(*component);
    }
  }
  component->throw_unsupported_type();
}

}  // namespace oneshot
