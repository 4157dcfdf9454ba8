#include "engine/text/token_decoder.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "engine/text/byte_alphabet.h"
#include "engine/text/normalizer.h"
#include "engine/text/unicode.h"

namespace oneshot {
namespace {

using Tokens = std::vector<std::string>;

std::string joined(const Tokens& tokens) {
  std::string text;
  for (const std::string& token : tokens) {
    text += token;
  }
  return text;
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

/// The bytes that a token's characters stand for; the token itself when one stands for none.
std::string bytes_of(const std::string& token) {
  std::string bytes;
  for (size_t i = 0; i < token.size();) {
    const Character character = character_at(token, i);
    const std::optional<char> byte = byte_of_character(character.code);
    if (!byte) {
      return token;
    }
    bytes += *byte;
    i += character.bytes;
  }
  return bytes;
}

void decode_byte_level(Tokens& tokens) {
  std::string bytes;
  for (const std::string& token : tokens) {
    bytes += bytes_of(token);
  }
  tokens = {replace_invalid_utf8(bytes)};
}

/// The byte that a token "<0x0A>" stands for.
std::optional<char> fallback_byte(const std::string& token) {
  if (token.size() != 6 || token.compare(0, 3, "<0x") != 0 || token[5] != '>') {
    return std::nullopt;
  }
  unsigned char byte = 0;
  const char* end = token.data() + 5;
  const auto read = std::from_chars(token.data() + 3, end, byte, 16);
  if (read.ec != std::errc() || read.ptr != end) {
    return std::nullopt;
  }
  return static_cast<char>(byte);
}

/// Runs of byte tokens become their text; one U+FFFD a byte when a run is not valid UTF-8.
void decode_byte_fallback(Tokens& tokens) {
  Tokens decoded;
  std::string run;
  const auto end_run = [&] {
    if (first_invalid_byte(run)) {
      decoded.insert(decoded.end(), run.size(), "\xEF\xBF\xBD");
    } else if (!run.empty()) {
      decoded.push_back(run);
    }
    run.clear();
  };
  for (std::string& token : tokens) {
    if (const auto byte = fallback_byte(token)) {
      run += *byte;
    } else {
      end_run();
      decoded.push_back(std::move(token));
    }
  }
  end_run();
  tokens = std::move(decoded);
}

/// Takes up to `start` and `stop` times the character off the ends of every token.
TokenDecoder make_strip(const Component& component) {
  return [content = component.character("content"),
          start = component.count("start"),
          stop = component.count("stop")](Tokens& tokens) {
    for (std::string& token : tokens) {
      size_t begin = 0;
      size_t end = token.size();
      for (int64_t i = 0; i < start && token.compare(begin, content.size(), content) == 0; ++i) {
        begin += content.size();
      }
      for (int64_t i = 0; i < stop && end >= begin + content.size() &&
                          token.compare(end - content.size(), content.size(), content) == 0;
           ++i) {
        end -= content.size();
      }
      token = token.substr(begin, end - begin);
    }
  };
}

TokenDecoder make_metaspace(const Component& component) {
  const bool drops_first = component.flag("add_prefix_space", true) &&
                           component.text_or("prepend_scheme", "always") != "never";
  return [drops_first, mark = component.character("replacement")](Tokens& tokens) {
    for (size_t i = 0; i < tokens.size(); ++i) {
      replace_all(tokens[i], mark, i == 0 && drops_first ? "" : " ");
    }
  };
}

TokenDecoder make_replace(const Component& component) {
  return [replace = make_normalizer(component)](Tokens& tokens) {
    for (std::string& token : tokens) {
      token = replace(std::move(token));
    }
  };
}

TokenDecoder make_end_of_word(const Component& component) {
  return [suffix = component.text_or("suffix", "</w>")](Tokens& tokens) {
    for (size_t i = 0; i < tokens.size() && !suffix.empty(); ++i) {
      replace_all(tokens[i], suffix, i + 1 == tokens.size() ? "" : " ");
    }
  };
}

TokenDecoder make_steps(const Component& component) {
  return make_sequence(component, "decoders", make_token_decoder);
}

struct Kind {
  const char* type;
  TokenDecoder (*make)(const Component&);
};

constexpr Kind kKinds[] = {
    {"ByteLevel", [](const Component&) -> TokenDecoder { return decode_byte_level; }},
    {"ByteFallback", [](const Component&) -> TokenDecoder { return decode_byte_fallback; }},
    {"Fuse",
     [](const Component&) -> TokenDecoder {
       return [](Tokens& tokens) { tokens = {joined(tokens)}; };
     }},
    {"Strip", make_strip},
    {"Replace", make_replace},
    {"Metaspace", make_metaspace},
    {"BPEDecoder", make_end_of_word},
    {"Sequence", make_steps},
};

}  // namespace

TokenDecoder make_token_decoder(const std::optional<Component>& component) {
  if (!component) {
    return [](Tokens& tokens) {
      for (size_t i = 1; i < tokens.size(); ++i) {
        tokens[i].insert(0, " ");
      }
    };
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
