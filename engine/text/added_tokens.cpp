#include "engine/text/added_tokens.h"

#include <algorithm>
#include <utility>

#include "engine/text/unicode.h"

namespace oneshot {
namespace {

/// The character that ends right before `end`.
Character character_before(std::string_view text, size_t end) {
  size_t begin = end - 1;
  while (begin > 0 && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80) {
    --begin;
  }
  return character_at(text, begin);
}

bool stands_alone(std::string_view text, Range match) {
  const bool left = match.begin > 0 && is_word_character(character_before(text, match.begin).code);
  const bool right =
      match.end < text.size() && is_word_character(character_at(text, match.end).code);
  return !left && !right;
}

size_t before_spaces(std::string_view text, size_t begin) {
  while (begin > 0) {
    const Character character = character_before(text, begin);
    if (!is_white_space(character.code)) {
      break;
    }
    begin -= character.bytes;
  }
  return begin;
}

size_t after_spaces(std::string_view text, size_t end) {
  while (end < text.size()) {
    const Character character = character_at(text, end);
    if (!is_white_space(character.code)) {
      break;
    }
    end += character.bytes;
  }
  return end;
}

uint64_t edge(uint32_t node, char byte) {
  return (uint64_t{node} << 8) | static_cast<unsigned char>(byte);
}

}  // namespace

void TokenFinder::add(std::string_view pattern, const Token& token) {
  const auto [known, is_new] = tokens_.emplace(pattern, token);
  if (pattern.empty() || !is_new) {
    return;
  }
  uint32_t node = 0;
  for (const char byte : pattern) {
    const auto [child, added] =
        children_.emplace(edge(node, byte), static_cast<uint32_t>(ends_.size()));
    if (added) {
      ends_.push_back(nullptr);
    }
    node = child->second;
  }
  ends_[node] = &known->second;
  begins_[static_cast<unsigned char>(pattern[0])] = true;
}

std::optional<Range> TokenFinder::find(std::string_view text,
                                       size_t from,
                                       const Token*& token) const {
  for (size_t begin = from; begin < text.size(); ++begin) {
    if (!begins_[static_cast<unsigned char>(text[begin])]) {
      continue;
    }
    std::optional<Range> longest;
    uint32_t node = 0;
    for (size_t i = begin; i < text.size(); ++i) {
      const auto child = children_.find(edge(node, text[i]));
      if (child == children_.end()) {
        break;
      }
      node = child->second;
      if (ends_[node] != nullptr) {
        token = ends_[node];
        longest = Range{begin, i + 1};
      }
    }
    if (longest) {
      return longest;
    }
  }
  return std::nullopt;
}

std::vector<Segment> TokenFinder::split(std::string_view text) const {
  std::vector<Segment> segments;
  size_t done = 0;
  const Token* token = nullptr;
  std::optional<Range> match = find(text, 0, token);
  for (; match; match = find(text, match->end, token)) {
    if (token->single_word && !stands_alone(text, *match)) {
      continue;
    }
    const size_t begin =
        token->lstrip ? std::max(before_spaces(text, match->begin), done) : match->begin;
    if (begin > done) {
      segments.push_back({{done, begin}, std::nullopt});
    }
    done = token->rstrip ? after_spaces(text, match->end) : match->end;
    segments.push_back({{begin, done}, token->id});
  }
  if (done < text.size()) {
    segments.push_back({{done, text.size()}, std::nullopt});
  }
  return segments;
}

AddedTokens::AddedTokens(const Component& file,
                         const Vocabulary& vocabulary,
                         const Normalizer& normalizer) {
  if (!file.has("added_tokens")) {
    return;
  }
  std::vector<int32_t> order;
  int64_t next_id = vocabulary.size();
  for (const Component& component : file.parts("added_tokens")) {
    Entry entry = read(component, normalizer);
    if (entry.content.empty()) {
      continue;
    }
    const auto known = ids_.find(entry.content);
    const std::optional<int32_t> in_vocabulary = vocabulary.id_of(entry.content);
    const int32_t id = known != ids_.end() ? known->second
                       : in_vocabulary     ? *in_vocabulary
                                           : static_cast<int32_t>(next_id++);
    entry.token.id = id;
    if (known == ids_.end()) {
      ids_.emplace(entry.content, id);
      outside_vocabulary_ += in_vocabulary ? 0 : 1;
      order.push_back(id);
    }
    entries_[id] = std::move(entry);
  }
  for (const int32_t id : order) {
    const Entry& entry = entries_.at(id);
    (entry.is_normalized ? normalized_ : raw_).add(entry.decodable, entry.token);
  }
}

AddedTokens::Entry AddedTokens::read(const Component& component, const Normalizer& normalizer) {
  Entry entry;
  entry.content = component.text("content");
  const bool is_special = component.flag("special", false);
  entry.is_normalized = component.flag("normalized", !is_special);
  entry.decodable = entry.is_normalized ? normalizer(entry.content) : entry.content;
  entry.token.single_word = component.flag("single_word", false);
  entry.token.lstrip = component.flag("lstrip", false);
  entry.token.rstrip = component.flag("rstrip", false);
  if (is_special) {
    special_.insert(entry.content);
  }
  return entry;
}

std::optional<int32_t> AddedTokens::id_of(std::string_view token) const {
  const auto found = ids_.find(token);
  return found == ids_.end() ? std::nullopt : std::optional(found->second);
}

const std::string* AddedTokens::token_of(int32_t id) const {
  const auto found = entries_.find(id);
  return found == entries_.end() ? nullptr : &found->second.content;
}

const std::string* AddedTokens::decodable(int32_t id) const {
  const auto found = entries_.find(id);
  return found == entries_.end() ? nullptr : &found->second.decodable;
}

}  // namespace oneshot
