#include "engine/checkpoint/pickle.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "engine/checkpoint/message_text.h"
#include "engine/checkpoint/pickle_bytes.h"
#include "engine/checkpoint/pickle_opcodes.h"
#include "engine/error.h"

namespace oneshot {
namespace {

using Kind = PickleValue::Kind;

constexpr std::string_view kOrderedDict = "collections.OrderedDict";
constexpr size_t kMostValues = 4'000'000;

class Machine : private PickleBytes {
 public:
  Machine(std::string_view bytes,
          std::span<const std::string_view> callables,
          const std::string& file)
      : PickleBytes(bytes, file), callables_(callables) {}

  Pickle run() {
    for (uint8_t opcode = next(); opcode != kStop; opcode = next()) {
      bool known = constant(opcode) || text(opcode) || container(opcode) || call(opcode) ||
                   memo(opcode) || framing(opcode);
      if (!known) {
        damaged("opcode " + std::to_string(opcode) + " has no use in a state dict");
      }
    }
    pickle_.root = pop();
    if (!stack_.empty() || !at_end()) {
      damaged("something is left after its end");
    }
    return std::move(pickle_);
  }

 private:
  // Each runs an opcode of its kind and says whether it was one.
  bool constant(uint8_t opcode);
  bool text(uint8_t opcode);
  bool container(uint8_t opcode);
  bool call(uint8_t opcode);
  bool memo(uint8_t opcode);

  // ---- the stack ----
  void push(uint32_t value) { stack_.push_back(value); }
  void push_new(PickleValue value) {
    if (pickle_.values.size() == kMostValues) {
      damaged("more than " + std::to_string(kMostValues) + " values");
    }
    push(static_cast<uint32_t>(pickle_.values.size()));
    pickle_.values.push_back(std::move(value));
  }
  void push_number(Kind kind, int64_t number) { push_new({kind, number, "", {}}); }
  void push_items(Kind kind, std::vector<uint32_t> items) {
    push_new({kind, 0, "", std::move(items)});
  }
  size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  uint32_t top() const {
    if (stack_.size() <= floor()) {
      damaged("a value is missing");
    }
    return stack_.back();
  }
  uint32_t pop() {
    uint32_t value = top();
    stack_.pop_back();
    return value;
  }
  std::vector<uint32_t> pop_last(size_t count) {
    std::vector<uint32_t> items(count);
    for (size_t i = count; i > 0; --i) {
      items[i - 1] = pop();
    }
    return items;
  }
  std::vector<uint32_t> pop_to_mark() {
    if (marks_.empty()) {
      damaged("a mark is missing");
    }
    auto begin = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    std::vector<uint32_t> items(begin, stack_.end());
    stack_.erase(begin, stack_.end());
    marks_.pop_back();
    return items;
  }
  PickleValue& at(uint32_t value) { return pickle_.values[value]; }

  void name(std::string_view module, std::string_view name);
  void extend(Kind kind, const std::vector<uint32_t>& items);
  void reduce();

  std::span<const std::string_view> callables_;
  Pickle pickle_;
  std::vector<uint32_t> stack_;
  std::vector<size_t> marks_;  // sizes of the stack
  std::unordered_map<uint64_t, uint32_t> memo_;
};

bool Machine::constant(uint8_t opcode) {
  switch (opcode) {
    case kNone:
      push_number(Kind::None, 0);
      return true;
    case kNewTrue:
    case kNewFalse:
      push_number(Kind::Bool, opcode == kNewTrue ? 1 : 0);
      return true;
    case kBinInt:
      push_number(Kind::Int, signed_number(4));
      return true;
    case kBinInt1:
      push_number(Kind::Int, static_cast<int64_t>(number(1)));
      return true;
    case kBinInt2:
      push_number(Kind::Int, static_cast<int64_t>(number(2)));
      return true;
    case kLong1:
      push_number(Kind::Int, signed_number(number(1)));
      return true;
    case kBinFloat:
      take(8);
      push_number(Kind::Float, 0);
      return true;
    default:
      return false;
  }
}

bool Machine::text(uint8_t opcode) {
  uint64_t width = opcode == kShortBinUnicode ? 1
                   : opcode == kBinUnicode    ? 4
                   : opcode == kBinUnicode8   ? 8
                                              : 0;
  if (width == 0) {
    return false;
  }
  std::string_view text = take(number(width));
  if (!is_utf8(text)) {
    damaged("a text is not UTF-8");
  }
  push_new({Kind::Text, 0, std::string(text), {}});
  return true;
}

/// Appends to the list or dict on top of the stack.
void Machine::extend(Kind kind, const std::vector<uint32_t>& items) {
  PickleValue& container = at(top());
  if (container.kind != kind) {
    damaged("items for a value that takes none");
  }
  if (kind == Kind::Dict && items.size() % 2 != 0) {
    damaged("a key without a value");
  }
  container.items.insert(container.items.end(), items.begin(), items.end());
}

bool Machine::container(uint8_t opcode) {
  switch (opcode) {
    case kMark:
      marks_.push_back(stack_.size());
      return true;
    case kEmptyTuple:
    case kTuple1:
    case kTuple2:
    case kTuple3:
      push_items(Kind::Tuple, pop_last(opcode == kEmptyTuple ? 0 : opcode - kTuple1 + 1));
      return true;
    case kTuple:
      push_items(Kind::Tuple, pop_to_mark());
      return true;
    case kEmptyList:
    case kEmptyDict:
      push_items(opcode == kEmptyList ? Kind::List : Kind::Dict, {});
      return true;
    case kAppend:
      extend(Kind::List, pop_last(1));
      return true;
    case kAppends:
      extend(Kind::List, pop_to_mark());
      return true;
    case kSetItem:
      extend(Kind::Dict, pop_last(2));
      return true;
    case kSetItems:
      extend(Kind::Dict, pop_to_mark());
      return true;
    default:
      return false;
  }
}

void Machine::name(std::string_view module, std::string_view name) {
  std::string full = std::string(module) + "." + std::string(name);
  bool known = full == kOrderedDict ||
               std::find(callables_.begin(), callables_.end(), full) != callables_.end();
  if (!known) {
    throw Error(ErrorCode::Checkpoint,
                one_line(file()) + ": names " + in_quotes(full) +
                    ", which no plain state dict needs and loading with Python may run; where you "
                    "trust the file, save its tensors as safetensors");
  }
  push_new({Kind::Callable, 0, std::move(full), {}});
}

void Machine::reduce() {
  std::vector<uint32_t> call = pop_last(2);
  if (at(call[0]).kind != Kind::Callable || at(call[1]).kind != Kind::Tuple) {
    damaged("a call of what is no callable");
  }
  if (at(call[0]).text != kOrderedDict) {
    push_items(Kind::Call, std::move(call));
    return;
  }
  if (!at(call[1]).items.empty()) {
    damaged("an OrderedDict with arguments");
  }
  push_items(Kind::Dict, {});
}

bool Machine::call(uint8_t opcode) {
  switch (opcode) {
    case kGlobal: {
      std::string_view module = line();
      name(module, line());
      return true;
    }
    case kStackGlobal: {
      std::vector<uint32_t> both = pop_last(2);
      if (at(both[0]).kind != Kind::Text || at(both[1]).kind != Kind::Text) {
        damaged("a name that is no text");
      }
      name(at(both[0]).text, at(both[1]).text);
      return true;
    }
    case kReduce:
      reduce();
      return true;
    case kBuild: {  // attributes of a state dict, as its `_metadata`
      Kind attributes = at(pop()).kind;
      if (attributes != Kind::Dict || at(top()).kind != Kind::Dict) {
        damaged("attributes of a value that has none");
      }
      return true;
    }
    case kBinPersId:
      push_items(Kind::StoredId, pop_last(1));
      return true;
    default:
      return false;
  }
}

bool Machine::memo(uint8_t opcode) {
  switch (opcode) {
    case kBinPut:
    case kLongBinPut:
      memo_[number(opcode == kBinPut ? 1 : 4)] = top();
      return true;
    case kMemoize:
      memo_[memo_.size()] = top();
      return true;
    case kBinGet:
    case kLongBinGet: {
      auto found = memo_.find(number(opcode == kBinGet ? 1 : 4));
      if (found == memo_.end()) {
        damaged("a value that was never kept");
      }
      push(found->second);
      return true;
    }
    default:
      return false;
  }
}

}  // namespace

Pickle read_pickle(std::string_view bytes,
                   std::span<const std::string_view> callables,
                   const std::string& file) {
  return Machine(bytes, callables, file).run();
}

}  // namespace oneshot
