#include "engine/checkpoint/output_bands.h"

#include <algorithm>
#include <cstring>

#include "engine/quant/dtype.h"

namespace oneshot {
namespace {

int64_t element_bytes(const OutputTensor& tensor) {
  return dtype_bits(tensor.spec.dtype) / 8;
}

}  // namespace

int64_t OutputBands::columns_per_band(const OutputTensor& tensor) const {
  const int64_t column_bytes = tensor.spec.shape[0] * element_bytes(tensor);
  return std::max<int64_t>(1, static_cast<int64_t>(band_bytes_) / column_bytes);
}

/// Fresh memory costs as much as what is done with it: the last large band's is used again.
std::unique_ptr<std::byte[]> OutputBands::buffer(uint64_t bytes) {
  const bool is_large = bytes > band_bytes_ / 2 && bytes <= band_bytes_;
  if (is_large && spare_) {
    return std::move(spare_);
  }
  return std::make_unique_for_overwrite<std::byte[]>(is_large ? band_bytes_ : bytes);
}

std::shared_ptr<OutputBands::Band> OutputBands::band_of(const OutputTensor& tensor,
                                                        int64_t number) {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<Band>& band = bands_[{&tensor, number}];
  if (!band) {
    const int64_t most = columns_per_band(tensor);
    const int64_t first = number * most;
    const int64_t columns = std::min(most, tensor.spec.shape[1] - first);
    const auto bytes =
        static_cast<uint64_t>(tensor.spec.shape[0] * columns * element_bytes(tensor));
    band = std::make_shared<Band>();
    band->first = first;
    band->columns = band->missing = columns;
    band->bytes = buffer(bytes);
  }
  return band;
}

void OutputBands::write_when_whole(const OutputTensor& tensor, int64_t number, int64_t columns) {
  std::shared_ptr<Band> whole;
  {
    const std::lock_guard lock(mutex_);
    const auto found = bands_.find({&tensor, number});
    found->second->missing -= columns;
    if (found->second->missing > 0) {
      return;
    }
    whole = std::move(found->second);
    bands_.erase(found);
  }
  const int64_t rows = tensor.spec.shape[0];
  const auto bytes = static_cast<size_t>(rows * whole->columns * element_bytes(tensor));
  writer_.write_2d(tensor, 0, whole->first, rows, whole->columns, {whole->bytes.get(), bytes});
  if (bytes > band_bytes_ / 2 && bytes <= band_bytes_) {
    const std::lock_guard lock(mutex_);
    spare_ = std::move(whole->bytes);
  }
}

void OutputBands::put(const OutputTensor& tensor,
                      int64_t column,
                      int64_t columns,
                      std::span<const std::byte> piece) {
  const int64_t element = element_bytes(tensor);
  const int64_t per_band = columns_per_band(tensor);
  for (int64_t done = 0; done < columns;) {
    const int64_t number = (column + done) / per_band;
    const std::shared_ptr<Band> band = band_of(tensor, number);
    const int64_t inside = column + done - band->first;
    const int64_t count = std::min(columns - done, band->columns - inside);
    for (int64_t row = 0; row < tensor.spec.shape[0]; ++row) {
      std::memcpy(band->bytes.get() + (row * band->columns + inside) * element,
                  piece.data() + (row * columns + done) * element,
                  static_cast<size_t>(count * element));
    }
    write_when_whole(tensor, number, count);
    done += count;
  }
}

}  // namespace oneshot
