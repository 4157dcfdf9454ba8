#include "engine/checkpoint/shard_writer.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <limits>
#include <optional>

#include "engine/checkpoint/message_text.h"
#include "engine/checkpoint/safetensors.h"
#include "engine/error.h"
#include "engine/quant/dtype.h"

namespace oneshot {
namespace {

constexpr uint64_t kWriteBackBytes = uint64_t{32} << 20;

/// Free bytes of the folder's file system, for root with those that it alone may use; nothing where
/// the file system does not say.
std::optional<uint64_t> free_bytes(const std::filesystem::path& folder) {
  struct statvfs status {};
  if (statvfs(folder.c_str(), &status) != 0 || status.f_blocks == 0) {
    return std::nullopt;
  }
  uint64_t blocks = geteuid() == 0 ? status.f_bfree : status.f_bavail;
  return blocks * status.f_frsize;
}

[[noreturn]] void throw_too_small(const std::filesystem::path& folder,
                                  uint64_t bytes,
                                  const std::string& reason) {
  throw Error(ErrorCode::Resource,
              one_line(folder.string()) + ": the weights need " + std::to_string(bytes) +
                  " bytes, " + reason + "; free space or choose another output folder");
}

[[noreturn]] void throw_outside(const OutputTensor& tensor) {
  throw Error(ErrorCode::Failed,
              "output tensor " + in_quotes(tensor.spec.name) + ": a piece lies outside of " +
                  shortened(describe_tensor(tensor.spec.dtype, tensor.spec.shape)));
}

/// Bytes of `count` elements; throws when they are no whole bytes.
uint64_t element_bytes(const OutputTensor& tensor, int64_t count) {
  uint64_t bits =
      static_cast<uint64_t>(count) * static_cast<uint64_t>(dtype_bits(tensor.spec.dtype));
  if (bits % 8 != 0) {
    throw_outside(tensor);
  }
  return bits / 8;
}

}  // namespace

ShardWriter::ShardWriter(const std::filesystem::path& folder, const OutputLayout& layout)
    : folder_(folder), total_bytes_(layout.total_bytes()) {
  std::optional<uint64_t> free = free_bytes(folder);
  if (free && *free < total_bytes_) {
    throw_too_small(folder, total_bytes_, std::to_string(*free) + " are free");
  }
  for (const OutputShard& planned : layout.shards()) {
    auto shard = std::make_unique<Shard>();
    shard->path = folder / planned.file;
    int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
    shard->file = FileDescriptor(open(shard->path.c_str(), flags, 0644));
    if (!shard->file.is_open()) {
      throw_system_error(
          ErrorCode::Failed, one_line(shard->path.string()) + ": cannot create the file", errno);
    }
    reserve(*shard, planned.bytes);
    write_fully({shard->file.get(), 0, shard->path},
                std::as_bytes(std::span(planned.header.data(), planned.header.size())));
    shards_.push_back(std::move(shard));
  }
}

void ShardWriter::reserve(Shard& shard, uint64_t bytes) const {
  constexpr uint64_t kLargest = std::numeric_limits<off_t>::max();
  int result = -1;
  do {
    errno = EFBIG;
    result = bytes > kLargest ? -1 : fallocate(shard.file.get(), 0, 0, static_cast<off_t>(bytes));
  } while (result != 0 && errno == EINTR);
  if (result != 0 && (errno == EOPNOTSUPP || errno == ENOSYS)) {
    result = ftruncate(shard.file.get(), static_cast<off_t>(bytes));
  }
  if (result == 0) {
    return;
  }
  int reason = errno;
  if (reason != ENOSPC && reason != EDQUOT) {
    throw_system_error(
        ErrorCode::Failed,
        one_line(shard.path.string()) + ": cannot reserve " + std::to_string(bytes) + " bytes",
        reason);
  }
  std::optional<uint64_t> free = free_bytes(folder_);
  throw_too_small(folder_,
                  total_bytes_,
                  reason == EDQUOT ? "the disk quota is less"
                  : free           ? std::to_string(*free) + " are free"
                                   : "the disk has less");
}

/// The file of a range of the tensor, which is checked to lie inside.
ShardWriter::Shard& ShardWriter::shard_of(const OutputTensor& tensor,
                                          uint64_t offset,
                                          uint64_t bytes) {
  uint64_t size = tensor.spec.bytes();
  if (offset > size || bytes > size - offset) {
    throw_outside(tensor);
  }
  return *shards_.at(tensor.shard);
}

/// Has the kernel write to disk what has come together, so that little is left for finish().
void ShardWriter::start_write_back(Shard& shard, uint64_t bytes) {
  uint64_t before = shard.written.fetch_add(bytes);
  if (before / kWriteBackBytes != (before + bytes) / kWriteBackBytes) {
    // A hint: where it fails, finish() does all the work and reports what is wrong.
    sync_file_range(shard.file.get(), 0, 0, SYNC_FILE_RANGE_WRITE);
  }
}

void ShardWriter::write(const OutputTensor& tensor,
                        uint64_t offset_in_tensor,
                        std::span<const std::byte> bytes) {
  Shard& shard = shard_of(tensor, offset_in_tensor, bytes.size());
  write_fully({shard.file.get(), tensor.offset + offset_in_tensor, shard.path}, bytes);
  start_write_back(shard, bytes.size());
}

void ShardWriter::write_2d(const OutputTensor& tensor,
                           int64_t row,
                           int64_t column,
                           int64_t rows,
                           int64_t columns,
                           std::span<const std::byte> piece) {
  const std::vector<int64_t>& shape = tensor.spec.shape;
  bool inside = shape.size() == 2 && row >= 0 && rows >= 0 && column >= 0 && columns >= 0 &&
                row <= shape[0] && rows <= shape[0] - row && column <= shape[1] &&
                columns <= shape[1] - column;
  if (!inside) {
    throw_outside(tensor);
  }
  uint64_t stride = element_bytes(tensor, shape[1]);
  uint64_t width = element_bytes(tensor, columns);
  uint64_t begin = static_cast<uint64_t>(row) * stride + element_bytes(tensor, column);
  if (piece.size() != static_cast<uint64_t>(rows) * width) {
    throw_outside(tensor);
  }
  if (width == stride) {
    write(tensor, begin, piece);
    return;
  }
  for (int64_t i = 0; i < rows; ++i) {
    uint64_t line = static_cast<uint64_t>(i);
    write(tensor, begin + line * stride, piece.subspan(line * width, width));
  }
}

void ShardWriter::copy(const OutputTensor& tensor,
                       uint64_t offset_in_tensor,
                       const InputFile& source,
                       uint64_t source_offset,
                       uint64_t bytes) {
  Shard& shard = shard_of(tensor, offset_in_tensor, bytes);
  OutputRange target{shard.file.get(), tensor.offset + offset_in_tensor, shard.path};
  copy_bytes(source, source_offset, target, bytes);
  start_write_back(shard, bytes);
}

void ShardWriter::finish() {
  for (const std::unique_ptr<Shard>& shard : shards_) {
    if (fsync(shard->file.get()) != 0) {
      throw_system_error(
          ErrorCode::Failed, one_line(shard->path.string()) + ": cannot bring to disk", errno);
    }
    shard->file.close();
  }
}

}  // namespace oneshot
