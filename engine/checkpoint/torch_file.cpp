#include "engine/checkpoint/torch_file.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <tuple>

#include "engine/checkpoint/input_file.h"
#include "engine/checkpoint/message_text.h"
#include "engine/checkpoint/pickle.h"
#include "engine/checkpoint/sha256.h"
#include "engine/checkpoint/zip_directory.h"
#include "engine/error.h"

namespace oneshot {
namespace {

using Kind = PickleValue::Kind;

constexpr std::string_view kPickle = "/data.pkl";
constexpr uint64_t kLongestPickle = 100'000'000;  // bytes, as for a safetensors header
constexpr std::string_view kZipStart{"PK\x03\x04", 4};
constexpr std::string_view kOldStart{"\x80\x02\x8a\x0al\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 14};
constexpr std::string_view kTensor = "torch._utils._rebuild_tensor_v2";
constexpr std::string_view kParameter = "torch._utils._rebuild_parameter";

struct StorageClass {
  std::string_view name;
  Dtype dtype;
};

constexpr std::array<StorageClass, 10> kStorages{{{"torch.FloatStorage", Dtype::F32},
                                                  {"torch.HalfStorage", Dtype::F16},
                                                  {"torch.BFloat16Storage", Dtype::Bf16},
                                                  {"torch.DoubleStorage", Dtype::F64},
                                                  {"torch.LongStorage", Dtype::I64},
                                                  {"torch.IntStorage", Dtype::I32},
                                                  {"torch.ShortStorage", Dtype::I16},
                                                  {"torch.CharStorage", Dtype::I8},
                                                  {"torch.ByteStorage", Dtype::U8},
                                                  {"torch.BoolStorage", Dtype::Bool}}};

constexpr std::array<std::string_view, kStorages.size() + 2> known_callables() {
  std::array<std::string_view, kStorages.size() + 2> names{kTensor, kParameter};
  for (size_t i = 0; i < kStorages.size(); ++i) {
    names[i + 2] = kStorages[i].name;
  }
  return names;
}

/// True when rows follow each other without gaps; sizes of 1 step nowhere.
bool is_contiguous(const std::vector<int64_t>& shape, const std::vector<int64_t>& strides) {
  int64_t step = 1;
  for (size_t i = shape.size(); i > 0; --i) {
    if (shape[i - 1] != 1 && strides[i - 1] != step) {
      return false;
    }
    step *= shape[i - 1];
  }
  return true;
}

class StateDict {
 public:
  explicit StateDict(const InputFile& file) : file_(file) {}

  WeightHeader run() {
    check_kind();
    ZipDirectory directory = read_zip_directory(file_);
    for (const ZipEntry& entry : directory.entries) {
      entries_[entry.name] = entry;
    }
    folder_ = find_folder(directory);
    check_byte_order();
    std::string text = contents(folder_ + std::string(kPickle), kLongestPickle);
    constexpr auto kCallables = known_callables();
    pickle_ = read_pickle(text, kCallables, file_.path().string());
    WeightHeader header{read_tensors(), sha256_hex(text + directory.bytes)};
    return header;
  }

 private:
  [[noreturn]] void bad(const std::string& what) const {
    throw Error(ErrorCode::Checkpoint, one_line(file_.path().string()) + ": " + what);
  }
  [[noreturn]] void damaged(const std::string& what) const {
    bad(what + "; the file is damaged, get it again");
  }
  const PickleValue& at(uint32_t value) const { return pickle_.values[value]; }

  void check_kind() const;
  std::string find_folder(const ZipDirectory& directory) const;
  void check_byte_order() const;
  std::string contents(const std::string& entry, uint64_t most) const;
  std::vector<TensorInfo> read_tensors() const;
  TensorInfo read_tensor(const std::string& name, uint32_t value) const;
  const std::vector<uint32_t>& arguments(const std::string& name,
                                         uint32_t value,
                                         std::string_view callable,
                                         size_t least) const;
  std::vector<int64_t> sizes(const std::string& name, uint32_t value) const;
  void place(TensorInfo& tensor, uint32_t stored_id, int64_t first) const;

  const InputFile& file_;
  std::map<std::string, ZipEntry> entries_;
  std::string folder_;  // of the zip file, in which everything is
  Pickle pickle_;
};

void StateDict::check_kind() const {
  std::vector<std::byte> scratch;
  uint64_t bytes = std::min<uint64_t>(file_.size(), kOldStart.size());
  std::string_view start(reinterpret_cast<const char*>(file_.fetch(0, bytes, scratch)), bytes);
  if (start == kOldStart) {
    throw Error(ErrorCode::Unsupported,
                one_line(file_.path().string()) +
                    ": written in the format before torch 1.6, which is not read; convert it: "
                    "python -c \"import torch; f = '" +
                    one_line(file_.path().filename().string()) +
                    "'; torch.save(torch.load(f, weights_only=True), f)\"");
  }
  if (!start.starts_with(kZipStart)) {
    damaged("no file of torch.save, which is a zip file");
  }
}

std::string StateDict::find_folder(const ZipDirectory& directory) const {
  std::string folder;
  for (const ZipEntry& entry : directory.entries) {
    if (entry.name.ends_with(kPickle)) {
      if (!folder.empty()) {
        damaged("holds more than one data.pkl");
      }
      folder = entry.name.substr(0, entry.name.size() - kPickle.size());
    }
  }
  if (folder.empty()) {
    damaged("holds no data.pkl");
  }
  return folder;
}

void StateDict::check_byte_order() const {
  const std::string entry = folder_ + "/byteorder";
  if (entries_.contains(entry) && contents(entry, 16) != "little") {
    bad("its byteorder is " + in_quotes(contents(entry, 16)) +
        ", only little is read; save it again on a little-endian machine");
  }
}

std::string StateDict::contents(const std::string& entry, uint64_t most) const {
  const ZipEntry& found = entries_.at(entry);
  if (found.bytes > most) {
    damaged("its entry " + in_quotes(entry) + " has " + std::to_string(found.bytes) +
            " bytes, at most " + std::to_string(most) + " are expected");
  }
  std::vector<std::byte> scratch;
  const std::byte* bytes = file_.fetch(found.offset, found.bytes, scratch);
  std::string text(reinterpret_cast<const char*>(bytes), found.bytes);
  file_.release(found.offset, found.bytes);
  return text;
}

std::vector<TensorInfo> StateDict::read_tensors() const {
  const PickleValue& root = at(pickle_.root);
  if (root.kind != Kind::Dict) {
    bad("holds no state dict, a dict from names to tensors");
  }
  std::vector<TensorInfo> tensors;
  std::set<std::string> names;
  for (size_t i = 0; i + 1 < root.items.size(); i += 2) {
    const PickleValue& key = at(root.items[i]);
    if (key.kind != Kind::Text || key.text.empty()) {
      bad("a tensor of its state dict has no name");
    }
    if (!names.insert(key.text).second) {
      damaged("holds tensor " + in_quotes(key.text) + " twice");
    }
    tensors.push_back(read_tensor(key.text, root.items[i + 1]));
  }
  std::sort(tensors.begin(), tensors.end(), [](const TensorInfo& a, const TensorInfo& b) {
    return std::tie(a.begin, a.bytes, a.name) < std::tie(b.begin, b.bytes, b.name);
  });
  return tensors;
}

/// What a value that calls `callable` gives it.
const std::vector<uint32_t>& StateDict::arguments(const std::string& name,
                                                  uint32_t value,
                                                  std::string_view callable,
                                                  size_t least) const {
  const PickleValue& call = at(value);
  bool fits = call.kind == Kind::Call && at(call.items[0]).text == callable &&
              at(call.items[1]).items.size() >= least;
  if (!fits) {
    bad("the entry " + in_quotes(name) +
        " is no tensor; save a state dict alone, without what trains a model");
  }
  return at(call.items[1]).items;
}

std::vector<int64_t> StateDict::sizes(const std::string& name, uint32_t value) const {
  const PickleValue& tuple = at(value);
  bool fits = tuple.kind == Kind::Tuple;
  std::vector<int64_t> sizes;
  for (uint32_t item : tuple.items) {
    fits = fits && at(item).kind == Kind::Int && at(item).number >= 0;
    sizes.push_back(at(item).number);
  }
  if (!fits) {
    damaged("tensor " + in_quotes(name) + " has a size or stride that is none");
  }
  return sizes;
}

TensorInfo StateDict::read_tensor(const std::string& name, uint32_t value) const {
  const PickleValue& call = at(value);
  if (call.kind == Kind::Call && at(call.items[0]).text == kParameter) {
    value = arguments(name, value, kParameter, 1)[0];
  }
  const std::vector<uint32_t>& given = arguments(name, value, kTensor, 4);
  TensorInfo tensor{name, Dtype::F32, sizes(name, given[2]), 0, 0};
  std::vector<int64_t> strides = sizes(name, given[3]);
  if (at(given[1]).kind != Kind::Int || at(given[1]).number < 0 ||
      strides.size() != tensor.shape.size()) {
    damaged("tensor " + in_quotes(name) + " lies nowhere in its storage");
  }
  bool changed = given.size() > 6 && !at(given[6]).items.empty();
  if (changed) {
    bad("tensor " + in_quotes(name) +
        " is stored negated or conjugated; save it again with .resolve_neg().resolve_conj()");
  }
  place(tensor, given[0], at(given[1]).number);
  if (tensor.bytes > 0 && !is_contiguous(tensor.shape, strides)) {
    bad("tensor " + in_quotes(name) +
        " is a view whose strides leave gaps; save it again with .contiguous()");
  }
  return tensor;
}

/// Fills dtype, begin and bytes. first: the tensor's first element in its storage.
void StateDict::place(TensorInfo& tensor, uint32_t stored_id, int64_t first) const {
  const PickleValue& stored = at(stored_id);
  const PickleValue& id = at(stored.items.empty() ? stored_id : stored.items[0]);
  bool fits = stored.kind == Kind::StoredId && id.kind == Kind::Tuple && id.items.size() == 5 &&
              at(id.items[0]).text == "storage" && at(id.items[2]).kind == Kind::Text &&
              at(id.items[4]).kind == Kind::Int && at(id.items[4]).number >= 0;
  const auto* storage = std::find_if(kStorages.begin(), kStorages.end(), [&](const auto& known) {
    return fits && at(id.items[1]).kind == Kind::Callable && at(id.items[1]).text == known.name;
  });
  if (storage == kStorages.end()) {
    damaged("tensor " + in_quotes(tensor.name) + " has no storage");
  }
  auto entry = entries_.find(folder_ + "/data/" + at(id.items[2]).text);
  if (entry == entries_.end()) {
    damaged("the storage " + in_quotes(at(id.items[2]).text) + " of tensor " +
            in_quotes(tensor.name) + " is not in the file");
  }
  tensor.dtype = storage->dtype;
  std::optional<uint64_t> all = tensor_bytes(tensor.dtype, {at(id.items[4]).number});
  std::optional<uint64_t> before = tensor_bytes(tensor.dtype, {first});
  std::optional<uint64_t> bytes = tensor_bytes(tensor.dtype, tensor.shape);
  if (!all || *all != entry->second.bytes || !before || !bytes || *before > *all ||
      *bytes > *all - *before) {
    damaged("tensor " + in_quotes(tensor.name) + ", " +
            shortened(describe_tensor(tensor.dtype, tensor.shape)) + " from element " +
            std::to_string(first) + " of " + std::to_string(at(id.items[4]).number) +
            ", does not fit its storage of " + std::to_string(entry->second.bytes) + " bytes");
  }
  tensor.begin = entry->second.offset + *before;
  tensor.bytes = *bytes;
}

}  // namespace

WeightHeader read_torch_header(const InputFile& file) {
  return StateDict(file).run();
}

}  // namespace oneshot
