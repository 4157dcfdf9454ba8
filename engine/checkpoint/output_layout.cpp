#include "engine/checkpoint/output_layout.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/checkpoint/message_text.h"
#include "engine/checkpoint/safetensors.h"
#include "engine/error.h"

namespace oneshot {
namespace {

std::string five_digits(size_t number) {
  std::string digits = std::to_string(number);
  return std::string(5 - std::min<size_t>(digits.size(), 5), '0') + digits;
}

void check_name(const std::string& name) {
  if (name.empty() || name == "__metadata__" || !is_utf8(name)) {
    throw Error(ErrorCode::Failed, "output tensor " + in_quotes(name) + ": not a valid name");
  }
}

}  // namespace

uint64_t TensorSpec::bytes() const {
  std::optional<uint64_t> bytes = tensor_bytes(dtype, shape);
  if (!bytes) {
    throw Error(ErrorCode::Failed,
                "output tensor " + in_quotes(name) + ": " +
                    shortened(describe_tensor(dtype, shape)) +
                    " is no whole number of bytes below 2^61");
  }
  return *bytes;
}

OutputLayout::OutputLayout(const std::vector<TensorSpec>& state_dict_order, uint64_t shard_size) {
  for (const TensorSpec& spec : state_dict_order) {
    check_name(spec.name);
    if (!by_name_.emplace(spec.name, tensors_.size()).second) {
      throw Error(ErrorCode::Failed, "output tensor " + in_quotes(spec.name) + ": given twice");
    }
    tensors_.push_back({spec, 0, 0});
  }
  shards_.resize(assign_shards(shard_size));
  std::vector<std::vector<size_t>> members(shards_.size());
  for (size_t i = 0; i < tensors_.size(); ++i) {
    members[tensors_[i].shard].push_back(i);
  }
  for (size_t shard = 0; shard < shards_.size(); ++shard) {
    lay_out(shard, members[shard]);
  }
}

/// Returns the number of shards. A file gets its number when it is closed, which is why a tensor
/// with a file of its own comes before the file that was being filled.
size_t OutputLayout::assign_shards(uint64_t shard_size) {
  size_t closed = 0;
  uint64_t filled = 0;
  std::vector<size_t> open;  // the tensors of the file being filled
  auto close = [&] {
    for (size_t tensor : open) {
      tensors_[tensor].shard = closed;
    }
    ++closed;
    filled = 0;
    open.clear();
  };
  for (size_t i = 0; i < tensors_.size(); ++i) {
    uint64_t bytes = tensors_[i].spec.bytes();
    if (bytes > shard_size) {
      tensors_[i].shard = closed++;
      continue;
    }
    if (bytes > shard_size - filled) {
      close();
    }
    open.push_back(i);
    filled += bytes;
  }
  if (!open.empty() || closed == 0) {
    close();
  }
  return closed;
}

void OutputLayout::lay_out(size_t shard, const std::vector<size_t>& members) {
  std::vector<size_t> order = members;
  std::sort(order.begin(), order.end(), [this](size_t a, size_t b) {
    const TensorSpec& left = tensors_[a].spec;
    const TensorSpec& right = tensors_[b].spec;
    return left.dtype != right.dtype ? left.dtype > right.dtype : left.name < right.name;
  });
  std::vector<TensorInfo> infos;
  uint64_t data_bytes = 0;
  for (size_t tensor : order) {
    const TensorSpec& spec = tensors_[tensor].spec;
    infos.push_back({spec.name, spec.dtype, spec.shape, data_bytes, spec.bytes()});
    data_bytes += infos.back().bytes;
  }
  OutputShard& file = shards_[shard];
  file.file = shards_.size() == 1 ? "model.safetensors"
                                  : "model-" + five_digits(shard + 1) + "-of-" +
                                        five_digits(shards_.size()) + ".safetensors";
  file.header = serialize_safetensors_header(infos);
  file.bytes = file.header.size() + data_bytes;
  for (size_t i = 0; i < order.size(); ++i) {
    tensors_[order[i]].offset = file.header.size() + infos[i].begin;
  }
}

const OutputTensor* OutputLayout::find(std::string_view name) const {
  auto found = by_name_.find(std::string(name));
  return found == by_name_.end() ? nullptr : &tensors_[found->second];
}

uint64_t OutputLayout::total_bytes() const {
  uint64_t total = 0;
  for (const OutputShard& shard : shards_) {
    total += shard.bytes;
  }
  return total;
}

std::optional<std::string> OutputLayout::index_json() const {
  if (shards_.size() == 1) {
    return std::nullopt;
  }
  uint64_t total_size = 0;
  nlohmann::json weight_map = nlohmann::json::object();
  for (const OutputTensor& tensor : tensors_) {
    total_size += tensor.spec.bytes();
    weight_map[tensor.spec.name] = shards_[tensor.shard].file;
  }
  nlohmann::json index = {{"metadata", {{"total_size", total_size}}}, {"weight_map", weight_map}};
  return index.dump(2, ' ', true) + "\n";  // ASCII only, as Python's json.dumps writes it
}

}  // namespace oneshot
