// The strict reader of safetensors headers: JSON events in, checked tensors out. A DOM is not used
// because it would silently keep one of two tensors with the same name.
#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <unordered_set>
#include <utility>

#include "engine/checkpoint/message_text.h"
#include "engine/checkpoint/safetensors.h"
#include "engine/error.h"

namespace oneshot {
namespace {

using Json = nlohmann::json;

constexpr const char* kMetadata = "__metadata__";

[[noreturn]] void throw_damaged(const std::string& file, const std::string& what) {
  throw Error(ErrorCode::Checkpoint,
              one_line(file) + ": " + what + "; the file is damaged, get it again");
}

std::string not_json(size_t position) {
  return "the header is not valid JSON in UTF-8 at its byte " + std::to_string(position);
}

/// Collects the entries of a header. The JSON nests three deep: {name: {field: [number]}}.
class HeaderReader : public nlohmann::json_sax<Json> {
 public:
  HeaderReader(const std::string& file, SafetensorsHeader& header) : file_(file), header_(header) {}

  bool null() override { return value("null"); }
  bool boolean(bool truth) override { return value(truth ? "true" : "false"); }
  bool number_integer(int64_t number) override { return value(std::to_string(number)); }
  bool number_float(double, const std::string& text) override { return value(text); }
  bool number_unsigned(uint64_t number) override;
  bool string(std::string& text) override;
  bool binary(Json::binary_t&) override { return value("binary"); }
  bool start_object(size_t) override;
  bool key(std::string& name) override;
  bool end_object() override;
  bool start_array(size_t) override;
  bool end_array() override;
  bool parse_error(size_t position, const std::string&, const Json::exception&) override;

 private:
  enum class At { Start, Header, Metadata, Tensor, Numbers, End };

  std::string tensor() const { return "tensor " + in_quotes(tensor_.name); }
  [[noreturn]] void damaged(const std::string& what) const { throw_damaged(file_, what); }
  [[noreturn]] void damaged_field(const std::string& found) const;
  bool value(const std::string& found);
  void end_tensor();

  const std::string& file_;
  SafetensorsHeader& header_;
  At at_ = At::Start;
  std::unordered_set<std::string> names_;
  std::string name_;               // of the entry being read
  TensorInfo tensor_;              // of the entry being read; bytes: the end of its data
  std::string field_;              // of the tensor, or the key of the metadata
  std::set<std::string> fields_;   // of the tensor, that were read
  std::vector<uint64_t> numbers_;  // of the field
};

void HeaderReader::damaged_field(const std::string& found) const {
  const char* wanted = field_ == "dtype"   ? "a string"
                       : field_ == "shape" ? "a list of sizes"
                                           : "a list of two byte offsets";
  damaged(tensor() + ": " + in_quotes(field_) + " holds " + shortened(found) + ", expected " +
          wanted);
}

/// Any value that is not the one expected here.
bool HeaderReader::value(const std::string& found) {
  switch (at_) {
    case At::Header:
      damaged("the entry " + in_quotes(name_) + " is " + shortened(found) + ", expected an object");
    case At::Metadata:
      damaged("'__metadata__': " + in_quotes(field_) + " is " + shortened(found) +
              ", expected a string");
    default:
      damaged_field(found);
  }
}

bool HeaderReader::number_unsigned(uint64_t number) {
  uint64_t largest = field_ == "shape" ? std::numeric_limits<int64_t>::max()
                                       : std::numeric_limits<uint64_t>::max();
  if (at_ != At::Numbers || number > largest) {
    return value(std::to_string(number));
  }
  numbers_.push_back(number);
  return true;
}

bool HeaderReader::string(std::string& text) {
  if (at_ == At::Metadata) {
    header_.metadata[field_] = text;
    return true;
  }
  if (at_ != At::Tensor || field_ != "dtype") {
    return value("the string " + in_quotes(text));
  }
  std::optional<Dtype> dtype = dtype_from_name(text);
  if (!dtype) {
    damaged(tensor() + " has the unknown dtype " + in_quotes(text));
  }
  tensor_.dtype = *dtype;
  return true;
}

bool HeaderReader::start_object(size_t) {
  if (at_ == At::Start) {
    at_ = At::Header;
    return true;
  }
  if (at_ != At::Header) {
    return value("an object");
  }
  at_ = name_ == kMetadata ? At::Metadata : At::Tensor;
  tensor_ = {};
  tensor_.name = name_;
  fields_.clear();
  return true;
}

bool HeaderReader::key(std::string& name) {
  if (at_ == At::Header) {
    if (name.empty()) {
      damaged("a tensor has an empty name");
    }
    if (!names_.insert(name).second) {
      damaged("the header holds " + in_quotes(name) + " twice");
    }
    name_ = name;
    return true;
  }
  field_ = name;
  if (at_ == At::Metadata) {
    if (header_.metadata.count(name) != 0) {
      damaged("'__metadata__' holds " + in_quotes(name) + " twice");
    }
    return true;
  }
  if (name != "dtype" && name != "shape" && name != "data_offsets") {
    damaged(tensor() + " has the unknown field " + in_quotes(name));
  }
  if (!fields_.insert(name).second) {
    damaged(tensor() + " has the field " + in_quotes(name) + " twice");
  }
  return true;
}

bool HeaderReader::end_object() {
  if (at_ == At::Header) {
    at_ = At::End;
    return true;
  }
  if (at_ == At::Tensor) {
    end_tensor();
  }
  at_ = At::Header;
  return true;
}

bool HeaderReader::start_array(size_t) {
  if (at_ != At::Tensor || field_ == "dtype") {
    return value("a list");
  }
  at_ = At::Numbers;
  numbers_.clear();
  return true;
}

bool HeaderReader::end_array() {
  at_ = At::Tensor;
  if (field_ == "shape") {
    tensor_.shape.assign(numbers_.begin(), numbers_.end());
    return true;
  }
  if (numbers_.size() != 2) {
    damaged_field(std::to_string(numbers_.size()) + " numbers");
  }
  if (numbers_[0] > numbers_[1]) {
    damaged(tensor() + " ends at byte " + std::to_string(numbers_[1]) + ", before its begin at " +
            std::to_string(numbers_[0]));
  }
  tensor_.begin = numbers_[0];
  tensor_.bytes = numbers_[1] - numbers_[0];
  return true;
}

void HeaderReader::end_tensor() {
  for (const char* field : {"dtype", "shape", "data_offsets"}) {
    if (fields_.count(field) == 0) {
      damaged(tensor() + " has no field '" + field + "'");
    }
  }
  std::optional<uint64_t> bytes = tensor_bytes(tensor_.dtype, tensor_.shape);
  if (bytes != tensor_.bytes) {
    std::string described = shortened(describe_tensor(tensor_.dtype, tensor_.shape));
    damaged(tensor() + ": " + described +
            (bytes ? " takes " + std::to_string(*bytes) + " bytes, its data_offsets hold " +
                         std::to_string(tensor_.bytes)
                   : " is no whole number of bytes below 2^61"));
  }
  header_.tensors.push_back(std::move(tensor_));
}

bool HeaderReader::parse_error(size_t position, const std::string&, const Json::exception&) {
  damaged(not_json(position));
}

/// Every byte of the data belongs to exactly one tensor. `tensors` are sorted by begin.
void check_data(const SafetensorsHeader& header, uint64_t data_bytes, const std::string& file) {
  uint64_t end = 0;
  const TensorInfo* before = nullptr;
  for (const TensorInfo& tensor : header.tensors) {
    if (tensor.begin != end) {
      std::string previous =
          before == nullptr ? "the data begins" : "tensor " + in_quotes(before->name) + " ends";
      throw_damaged(file,
                    "tensor " + in_quotes(tensor.name) + " begins at byte " +
                        std::to_string(tensor.begin) + " of the data, " + previous + " at " +
                        std::to_string(end));
    }
    end = tensor.begin + tensor.bytes;
    before = &tensor;
  }
  if (end > data_bytes) {
    throw_damaged(file,
                  "the tensors take " + std::to_string(end) + " bytes, the file holds " +
                      std::to_string(data_bytes) + " after its header");
  }
  if (end < data_bytes) {
    throw_damaged(file,
                  std::to_string(data_bytes - end) + " bytes after the last tensor belong to none");
  }
}

}  // namespace

SafetensorsHeader parse_safetensors_header(std::string_view header_json,
                                           uint64_t file_size,
                                           const std::string& file) {
  SafetensorsHeader header;
  header.data_begin = 8 + header_json.size();
  if (header_json.size() > kLongestHeaderBytes || header.data_begin > file_size) {
    throw_damaged(file,
                  "the header takes " + std::to_string(header.data_begin) +
                      " bytes, the file has " + std::to_string(file_size));
  }
  HeaderReader reader(file, header);
  // The JSON parser takes a byte-order mark and ends at a zero byte; the container has neither.
  size_t zero = header_json.find('\0');
  if (header_json.substr(0, 1) != "{") {
    throw_damaged(file, "the header is no JSON object");
  }
  if (zero != std::string_view::npos) {
    throw_damaged(file, not_json(zero + 1));
  }
  Json::sax_parse(header_json, &reader);
  std::sort(header.tensors.begin(), header.tensors.end(), [](const auto& a, const auto& b) {
    return std::tie(a.begin, a.bytes, a.name) < std::tie(b.begin, b.bytes, b.name);
  });
  check_data(header, file_size - header.data_begin, file);
  return header;
}

}  // namespace oneshot
