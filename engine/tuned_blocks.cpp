#include "engine/tuned_blocks.h"

#include <ATen/ATen.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "engine/checkpoint/file_io.h"
#include "engine/checkpoint/safetensors.h"
#include "engine/checkpoint/work_folder.h"
#include "engine/error.h"
#include "engine/tensor_bytes.h"

namespace oneshot {
namespace {

namespace fs = std::filesystem;

constexpr const char* kOutcome = "outcome";  // key of the metadata
constexpr const char* kEnd = ".safetensors";

nlohmann::json outcome_json(const TunedBlock& block) {
  return {{"name", block.name},
          {"number", block.number},
          {"losses", block.losses},
          {"best", block.best},
          {"seconds", block.seconds},
          {"unseen", block.unseen},
          {"failure", block.failure}};
}

TunedBlock outcome_of(const nlohmann::json& json) {
  TunedBlock block;
  json.at("name").get_to(block.name);
  json.at("number").get_to(block.number);
  json.at("losses").get_to(block.losses);
  json.at("best").get_to(block.best);
  json.at("seconds").get_to(block.seconds);
  json.at("unseen").get_to(block.unseen);
  json.at("failure").get_to(block.failure);
  return block;
}

struct NamedTensor {
  std::string name;
  at::Tensor values;
};

std::vector<NamedTensor> parts_of(const TunedBlock& block) {
  std::vector<NamedTensor> parts;
  for (const auto& [module, weight] : block.weights) {
    parts.push_back({module + ".codes", weight.codes.contiguous()});
    parts.push_back({module + ".scale", weight.scale.contiguous()});
    if (weight.zero_point.defined()) {
      parts.push_back({module + ".zero_point", weight.zero_point.contiguous()});
    }
  }
  return parts;
}

void write_tensors(const fs::path& path,
                   const std::vector<NamedTensor>& parts,
                   const std::map<std::string, std::string>& metadata) {
  std::vector<TensorInfo> infos;
  uint64_t end = 0;
  for (const NamedTensor& part : parts) {
    const uint64_t bytes = bytes_of(part.values).size();
    infos.push_back({part.name,
                     container_dtype(part.values.scalar_type()),
                     part.values.sizes().vec(),
                     end,
                     bytes});
    end += bytes;
  }
  const std::string header = serialize_safetensors_header(infos, metadata);
  const FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!file.is_open()) {
    throw_system_error(ErrorCode::Failed, path.string() + ": cannot be created", errno);
  }
  write_fully({file.get(), 0, path}, std::as_bytes(std::span(header)));
  for (size_t i = 0; i < parts.size(); ++i) {
    write_fully({file.get(), header.size() + infos[i].begin, path}, bytes_of(parts[i].values));
  }
}

}  // namespace

TunedBlocks::TunedBlocks(fs::path folder) : folder_(std::move(folder)) {
  std::vector<fs::path> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_)) {
    if (entry.path().extension() == kEnd) {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  for (const fs::path& file : files) {
    open(file);
  }
}

/// What cannot be read is no reason to lose the way out.
void TunedBlocks::open(const fs::path& path) {
  constexpr const char* kWayOut = "; it is of a run that was cut off: --restart begins anew";
  try {
    open_checked(path);
  } catch (const nlohmann::json::exception&) {
    throw Error(ErrorCode::Checkpoint, path.string() + ": its outcome is damaged" + kWayOut);
  } catch (const Error& error) {
    throw Error(error.code(), error.what() + std::string(kWayOut));
  }
}

void TunedBlocks::open_checked(const fs::path& path) {
  const auto file = std::make_shared<InputFile>(path);
  const SafetensorsHeader header = read_safetensors_header(*file);
  const auto text = header.metadata.find(kOutcome);
  if (text == header.metadata.end()) {
    throw Error(ErrorCode::Checkpoint, path.string() + ": holds no tuned block");
  }
  for (const TensorInfo& tensor : header.tensors) {
    const size_t dot = tensor.name.rfind('.');
    modules_[tensor.name.substr(0, dot)][tensor.name.substr(dot + 1)] = {
        file, header.data_begin + tensor.begin, tensor.dtype, tensor.shape};
  }
  TunedBlock block = outcome_of(nlohmann::json::parse(text->second));
  blocks_[block.name] = std::move(block);
}

void TunedBlocks::save(const TunedBlock& block) {
  const fs::path path = folder_ / (block.name + kEnd);
  const fs::path unfinished = folder_ / (block.name + kUnfinished);
  write_tensors(unfinished, parts_of(block), {{kOutcome, outcome_json(block).dump()}});
  sync_to_disk(unfinished);
  fs::rename(unfinished, path);
  sync_to_disk(folder_);
  open(path);
}

std::vector<const TunedBlock*> TunedBlocks::in_order() const {
  std::vector<const TunedBlock*> all;
  for (const auto& [name, block] : blocks_) {
    all.push_back(&block);
  }
  std::sort(all.begin(), all.end(), [](const TunedBlock* a, const TunedBlock* b) {
    return a->number < b->number;
  });
  return all;
}

at::Tensor TunedBlocks::read(const Place& place, int64_t first, int64_t count) {
  const uint64_t row_bytes =
      *tensor_bytes(place.dtype, place.shape) / static_cast<uint64_t>(place.shape.at(0));
  const uint64_t offset = place.offset + static_cast<uint64_t>(first) * row_bytes;
  const uint64_t bytes = static_cast<uint64_t>(count) * row_bytes;
  std::vector<int64_t> shape = place.shape;
  shape[0] = count;
  std::vector<std::byte> scratch;
  at::Tensor rows =
      tensor_of(place.file->fetch(offset, bytes, scratch), place.dtype, shape).clone();
  place.file->release(offset, bytes);
  return rows;
}

QuantizedWeight TunedBlocks::rows(const std::string& module,
                                  const Scheme& scheme,
                                  int64_t first,
                                  int64_t count) const {
  const Parts& parts = modules_.at(module);
  QuantizedWeight weight;
  weight.scheme = scheme;
  weight.codes = read(parts.at("codes"), first, count);
  weight.scale = read(parts.at("scale"), first, count);
  if (const auto zero_point = parts.find("zero_point"); zero_point != parts.end()) {
    weight.zero_point = read(zero_point->second, first, count);
  }
  return weight;
}

QuantizedWeight TunedBlocks::whole(const std::string& module, const Scheme& scheme) const {
  return rows(module, scheme, 0, modules_.at(module).at("codes").shape.at(0));
}

}  // namespace oneshot
