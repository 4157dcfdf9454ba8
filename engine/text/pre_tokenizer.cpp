#include "engine/text/pre_tokenizer.h"

#include <string>
#include <utility>
#include <vector>

#include "engine/checkpoint/message_text.h"
#include "engine/text/byte_alphabet.h"
#include "engine/text/unicode.h"

namespace oneshot {
namespace {

/// Source: GPT-2, encoder.py.
constexpr const char* kGpt2Words =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

FindMatches find_pattern(Pattern pattern) {
  return [pattern = std::move(pattern)](std::string_view piece, std::vector<Range>& matches) {
    pattern.find_all(piece, matches);
  };
}

FindMatches find_literal(std::string literal) {
  return [literal = std::move(literal)](std::string_view piece, std::vector<Range>& matches) {
    for (size_t at = piece.find(literal); at != std::string_view::npos;
         at = piece.find(literal, at + literal.size())) {
      matches.push_back({at, at + literal.size()});
    }
  };
}

PreTokenizer make_split_step(FindMatches find, SplitBehavior behavior, bool inverted = false) {
  return [find = std::move(find), behavior, inverted](Pieces& pieces) {
    split(pieces, find, behavior, inverted);
  };
}

SplitBehavior read_behavior(const Component& component, const std::string& absent) {
  const std::string name = component.text_or("behavior", absent);
  const std::pair<const char*, SplitBehavior> names[] = {
      {"Removed", SplitBehavior::Removed},
      {"Isolated", SplitBehavior::Isolated},
      {"MergedWithPrevious", SplitBehavior::MergedWithPrevious},
      {"MergedWithNext", SplitBehavior::MergedWithNext},
      {"Contiguous", SplitBehavior::Contiguous},
  };
  for (const auto& [known, behavior] : names) {
    if (name == known) {
      return behavior;
    }
  }
  component.throw_unsupported("behavior " + in_quotes(name));
}

PreTokenizer make_split(const Component& component) {
  return make_split_step(find_pattern(Pattern(component)),
                         read_behavior(component, ""),
                         component.flag("invert", false));
}

PreTokenizer make_byte_level(const Component& component) {
  std::optional<FindMatches> find;
  if (component.flag("use_regex", true)) {
    find = find_pattern(Pattern::regex(kGpt2Words));
  }
  return [find, prefix_space = component.flag("add_prefix_space", true)](Pieces& pieces) {
    if (prefix_space) {
      rewrite(pieces, [&](size_t i, std::string& output) {
        output.append(pieces[i][0] == ' ' ? "" : " ").append(pieces[i]);
      });
    }
    if (find) {
      split(pieces, *find, SplitBehavior::Isolated);
    }
    rewrite(pieces,
            [&](size_t i, std::string& output) { append_as_characters(pieces[i], output); });
  };
}

enum class PrependScheme { Always, First, Never };

PrependScheme read_prepend_scheme(const Component& component) {
  const std::string name = component.text_or("prepend_scheme", "always");
  const bool old_never = !component.flag("add_prefix_space", true);
  if (name == "never" || (old_never && !component.has("prepend_scheme"))) {
    return PrependScheme::Never;
  }
  if (old_never) {
    component.throw_damaged("'add_prefix_space' is false, but 'prepend_scheme' is " +
                            in_quotes(name));
  }
  if (name != "always" && name != "first") {
    component.throw_unsupported("prepend_scheme " + in_quotes(name));
  }
  return name == "first" ? PrependScheme::First : PrependScheme::Always;
}

PreTokenizer make_metaspace(const Component& component) {
  const std::string mark = component.character("replacement");
  const PrependScheme scheme = read_prepend_scheme(component);
  const bool splits = component.flag("split", true);
  const FindMatches find = find_literal(mark);
  return [mark, scheme, splits, find](Pieces& pieces) {
    rewrite(pieces, [&](size_t i, std::string& output) {
      const std::string_view piece = pieces[i];
      const bool has_mark = piece[0] == ' ' || piece.substr(0, mark.size()) == mark;
      const bool wants_mark =
          scheme == PrependScheme::Always || (scheme == PrependScheme::First && pieces.is_first(i));
      if (wants_mark && !has_mark) {
        output += mark;
      }
      for (const char byte : piece) {
        byte == ' ' ? output.append(mark) : output.append(1, byte);
      }
    });
    if (splits) {
      split(pieces, find, SplitBehavior::MergedWithNext);
    }
  };
}

/// Runs of word characters and runs of other characters that are no white space.
void find_words(std::string_view piece, std::vector<Range>& matches) {
  enum class Kind { Space, Word, Other };
  Kind previous = Kind::Space;
  for (size_t i = 0; i < piece.size();) {
    const Character character = character_at(piece, i);
    const Kind kind = is_word_character(character.code) ? Kind::Word
                      : is_white_space(character.code)  ? Kind::Space
                                                        : Kind::Other;
    if (kind != Kind::Space && kind == previous) {
      matches.back().end = i + character.bytes;
    } else if (kind != Kind::Space) {
      matches.push_back({i, i + character.bytes});
    }
    previous = kind;
    i += character.bytes;
  }
}

PreTokenizer make_steps(const Component& component) {
  return make_sequence(component, "pretokenizers", make_pre_tokenizer);
}

struct Kind {
  const char* type;
  PreTokenizer (*make)(const Component&);
};

constexpr Kind kKinds[] = {
    {"Split", make_split},
    {"ByteLevel", make_byte_level},
    {"Metaspace", make_metaspace},
    {"Digits",
     [](const Component& component) {
       const bool individual = component.flag("individual_digits", false);
       return make_split_step(find_characters(is_numeric),
                              individual ? SplitBehavior::Isolated : SplitBehavior::Contiguous);
     }},
    {"Punctuation",
     [](const Component& component) {
       return make_split_step(find_characters(is_punctuation),
                              read_behavior(component, "Isolated"));
     }},
    {"Whitespace",
     [](const Component&) { return make_split_step(find_words, SplitBehavior::Removed, true); }},
    {"WhitespaceSplit",
     [](const Component&) {
       return make_split_step(find_characters(is_white_space), SplitBehavior::Removed);
     }},
    {"CharDelimiterSplit",
     [](const Component& component) {
       return make_split_step(find_literal(component.character("delimiter")),
                              SplitBehavior::Removed);
     }},
    {"Sequence", make_steps},
};

}  // namespace

PreTokenizer make_pre_tokenizer(const std::optional<Component>& component) {
  if (!component) {
    return [](Pieces&) {};
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
