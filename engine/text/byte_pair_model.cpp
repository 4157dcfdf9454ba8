#include "engine/text/byte_pair_model.h"

#include <algorithm>
#include <queue>

#include "engine/checkpoint/message_text.h"
#include "engine/text/unicode.h"

namespace oneshot {
namespace {

constexpr int32_t kNone = -1;

uint64_t pair_key(int32_t left, int32_t right) {
  return (uint64_t{static_cast<uint32_t>(left)} << 32) | static_cast<uint32_t>(right);
}

/// "<0x0A>" for byte 10.
std::string byte_token(int byte) {
  constexpr const char* kDigits = "0123456789ABCDEF";
  return std::string("<0x") + kDigits[byte / 16] + kDigits[byte % 16] + ">";
}

}  // namespace

/// The symbols of a word as a list linked both ways: a merge takes the right one out.
struct BytePairModel::Symbols {
  struct Symbol {
    int32_t id;
    int32_t previous, next;  // positions; kNone at the ends
    bool is_gone = false;
  };
  std::vector<Symbol> list;
  std::optional<int32_t> pending_unknown;  // found, not yet in the list

  void add(int32_t id) {
    const auto position = static_cast<int32_t>(list.size());
    if (position > 0) {
      list.back().next = position;
    }
    list.push_back({id, position - 1, kNone});
  }
  void end_unknown() {
    if (pending_unknown) {
      add(*pending_unknown);
      pending_unknown.reset();
    }
  }
};

BytePairModel::BytePairModel(const Component& model) : vocabulary_(model) {
  read_settings(model);
  read_merges(model);
}

void BytePairModel::read_settings(const Component& model) {
  if (model.has("dropout") && model.value("dropout") != 0.0) {
    model.throw_unsupported("dropout, which makes ids random,");
  }
  prefix_ = model.text_or("continuing_subword_prefix", "");
  suffix_ = model.text_or("end_of_word_suffix", "");
  fuses_unknown_ = model.flag("fuse_unk", false);
  takes_whole_words_ = model.flag("ignore_merges", false);
  if (model.has("unk_token")) {
    const std::string unknown = model.text("unk_token");
    unknown_ = vocabulary_.id_of(unknown);
    if (!unknown_) {
      model.throw_damaged("'unk_token' " + in_quotes(unknown) + " is not in the vocabulary");
    }
  }
  if (model.flag("byte_fallback", false)) {
    for (int byte = 0; byte < 256; ++byte) {
      byte_tokens_.push_back(vocabulary_.id_of(byte_token(byte)).value_or(kNone));
    }
  }
}

void BytePairModel::read_merges(const Component& model) {
  const nlohmann::json& merges = model.value("merges");
  if (!merges.is_array()) {
    model.throw_damaged("'merges' is no list");
  }
  merges_.reserve(merges.size());
  for (size_t i = 0; i < merges.size(); ++i) {
    const nlohmann::json& merge = merges[i];
    if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
      add_merge(
          model, merge[0].get_ref<const std::string&>(), merge[1].get_ref<const std::string&>());
      continue;
    }
    if (!merge.is_string()) {
      model.throw_damaged("merges[" + std::to_string(i) + "] is no pair of tokens");
    }
    const std::string& line = merge.get_ref<const std::string&>();
    if (line.rfind("#version", 0) == 0) {
      continue;
    }
    const size_t space = line.find(' ');
    if (space == std::string::npos || line.find(' ', space + 1) != std::string::npos) {
      model.throw_damaged("merges[" + std::to_string(i) + "], " + in_quotes(line) +
                          ", is not two tokens with one space between them");
    }
    add_merge(
        model, std::string_view(line).substr(0, space), std::string_view(line).substr(space + 1));
  }
}

void BytePairModel::add_merge(const Component& model,
                              std::string_view left,
                              std::string_view right) {
  const auto id_of = [&](std::string_view token) {
    const std::optional<int32_t> id = vocabulary_.id_of(token);
    if (!id) {
      model.throw_damaged("a merge makes or takes " + in_quotes(token) +
                          ", which is not in the vocabulary");
    }
    return *id;
  };
  const uint64_t pair = pair_key(id_of(left), id_of(right));
  std::string whole(left);
  whole += right.substr(std::min(prefix_.size(), right.size()));
  // A pair that is listed twice counts where it stands last.
  merges_[pair] = {ranks_++, id_of(whole)};
}

void BytePairModel::append_ids(std::string_view word, std::vector<int32_t>& ids) const {
  if (takes_whole_words_) {
    if (const auto id = vocabulary_.id_of(word)) {
      ids.push_back(*id);
      return;
    }
  }
  if (cache_->append(word, ids)) {
    return;
  }
  Symbols symbols;
  split_into_symbols(word, symbols);
  merge_all(symbols);
  const size_t begin = ids.size();
  for (const Symbols::Symbol& symbol : symbols.list) {
    if (!symbol.is_gone) {
      ids.push_back(symbol.id);
    }
  }
  cache_->insert(word, ids.data() + begin, ids.size() - begin);
}

void BytePairModel::split_into_symbols(std::string_view word, Symbols& symbols) const {
  symbols.list.reserve(word.size());
  for (size_t i = 0; i < word.size();) {
    const size_t end = i + character_at(word, i).bytes;
    std::string character(word.substr(i, end - i));
    if (i > 0 && !prefix_.empty()) {
      character.insert(0, prefix_);
    }
    if (end == word.size()) {
      character += suffix_;
    }
    i = end;
    if (const auto id = vocabulary_.id_of(character)) {
      symbols.end_unknown();
      symbols.add(*id);
    } else if (!add_byte_tokens(character, symbols) && unknown_) {
      if (!fuses_unknown_) {
        symbols.end_unknown();
      }
      symbols.pending_unknown = unknown_;
    }
  }
  symbols.end_unknown();
}

bool BytePairModel::add_byte_tokens(const std::string& character, Symbols& symbols) const {
  const auto token_of = [&](char byte) { return byte_tokens_[static_cast<unsigned char>(byte)]; };
  const bool have_all =
      !byte_tokens_.empty() && std::all_of(character.begin(), character.end(), [&](char byte) {
        return token_of(byte) != kNone;
      });
  if (have_all) {
    // An unknown token before them stays pending: it comes after the bytes, as the library has it.
    for (const char byte : character) {
      symbols.add(token_of(byte));
    }
  }
  return have_all;
}

const BytePairModel::Merge* BytePairModel::find_merge(int32_t left, int32_t right) const {
  const auto found = merges_.find(pair_key(left, right));
  return found == merges_.end() ? nullptr : &found->second;
}

void BytePairModel::merge_all(Symbols& symbols) const {
  struct Candidate {
    Merge merge;
    int32_t position;                               // of the left symbol
    bool operator<(const Candidate& other) const {  // the last one is taken first
      return merge.rank != other.merge.rank ? merge.rank > other.merge.rank
                                            : position > other.position;
    }
  };
  std::vector<Symbols::Symbol>& list = symbols.list;
  std::priority_queue<Candidate> queue;
  const auto consider = [&](int32_t left, int32_t right) {
    if (left == kNone || right == kNone) {
      return;
    }
    if (const Merge* merge = find_merge(list[left].id, list[right].id)) {
      queue.push({*merge, left});
    }
  };
  for (size_t i = 1; i < list.size(); ++i) {
    consider(static_cast<int32_t>(i - 1), static_cast<int32_t>(i));
  }
  while (!queue.empty()) {
    const Candidate best = queue.top();
    queue.pop();
    Symbols::Symbol& left = list[best.position];
    if (left.is_gone || left.next == kNone) {
      continue;
    }
    Symbols::Symbol& right = list[left.next];
    const Merge* merge = find_merge(left.id, right.id);
    if (merge == nullptr || merge->id != best.merge.id) {  // one of the two was merged since
      continue;
    }
    left.id = merge->id;
    right.is_gone = true;
    left.next = right.next;
    if (left.next != kNone) {
      list[left.next].previous = best.position;
    }
    consider(left.previous, best.position);
    consider(best.position, left.next);
  }
}

}  // namespace oneshot
