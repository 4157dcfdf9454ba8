#include "engine/output_shards.h"

#include <ATen/ATen.h>

#include "engine/error.h"
#include "engine/tensor_bytes.h"

namespace oneshot {

OutputShards::OutputShards(const PlannedOutput& output,
                           const std::filesystem::path& folder,
                           uint64_t band_bytes)
    : output_(output), writer_(folder, output.layout), bands_(writer_, band_bytes) {}

void OutputShards::finish() {
  if (!bands_.is_empty()) {
    throw Error(ErrorCode::Failed, format().name() + " did not write all of a tensor");
  }
  writer_.finish();
}

const OutputTensor& OutputShards::target(const std::string& name, Dtype dtype) const {
  const OutputTensor* target = output_.layout.find(name);
  if (target == nullptr || target->spec.dtype != dtype) {
    throw Error(ErrorCode::Failed,
                name + ": " + format().name() + " writes it other than it was planned");
  }
  return *target;
}

void OutputShards::put(const std::string& name,
                       const at::Tensor& piece,
                       int64_t row,
                       int64_t column) {
  const OutputTensor& to = target(name, container_dtype(piece.scalar_type()));
  const at::Tensor whole = piece.contiguous();
  const std::vector<int64_t>& shape = to.spec.shape;
  const bool is_2d = shape.size() == 2;
  const bool of_all_rows = is_2d && row == 0 && whole.size(0) == shape[0] && column >= 0;
  if (of_all_rows && whole.size(1) < shape[1] && column + whole.size(1) <= shape[1]) {
    bands_.put(to, column, whole.size(1), bytes_of(whole));
  } else if (is_2d) {
    writer_.write_2d(to, row, column, whole.size(0), whole.size(1), bytes_of(whole));
  } else {
    writer_.write(to, static_cast<uint64_t>(row) * whole.element_size(), bytes_of(whole));
  }
}

void OutputShards::put_kept(const std::string& name,
                            const at::Tensor& values,
                            int64_t first_element) {
  const OutputTensor& to = target(name, container_dtype(values.scalar_type()));
  writer_.write(to, static_cast<uint64_t>(first_element) * values.element_size(), bytes_of(values));
}

void OutputShards::copy(const SourceTensor& tensor,
                        const InputFile& file,
                        uint64_t first_byte,
                        uint64_t bytes) {
  writer_.copy(
      target(tensor.name, tensor.dtype), first_byte, file, tensor.offset + first_byte, bytes);
}

}  // namespace oneshot
