#include "engine/calibration/sample_states.h"

#include <ATen/ATen.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "engine/error.h"

namespace oneshot {
namespace {

constexpr uint64_t kAlignment = 64;

[[noreturn]] void no_room(const std::string& where, uint64_t bytes, int error) {
  throw Error(ErrorCode::Resource,
              where + ": no room for " + std::to_string(bytes) + " bytes of calibration states: " +
                  std::strerror(error) + "; take fewer samples or a smaller sequence_length");
}

/// A file without a name, as large as asked for.
int make_file(const std::filesystem::path& folder, uint64_t bytes) {
  std::string name = (folder / "states.XXXXXX").string();
  const int file = mkstemp(name.data());
  if (file < 0) {
    no_room(folder.string(), bytes, errno);
  }
  unlink(name.c_str());
  if (const int error = posix_fallocate(file, 0, static_cast<off_t>(bytes)); error != 0) {
    close(file);
    no_room(folder.string(), bytes, error);
  }
  return file;
}

}  // namespace

SampleStates::SampleStates(std::vector<std::vector<int64_t>> shapes,
                           at::ScalarType dtype,
                           uint64_t memory,
                           const std::filesystem::path& folder)
    : shapes_(std::move(shapes)), offsets_{0}, dtype_(dtype) {
  for (const std::vector<int64_t>& shape : shapes_) {
    bytes_ += static_cast<uint64_t>(c10::multiply_integers(shape)) * c10::elementSize(dtype);
    bytes_ = (bytes_ + kAlignment - 1) / kAlignment * kAlignment;
    offsets_.push_back(bytes_);
  }
  if (bytes_ == 0) {
    return;
  }
  in_file_ = bytes_ > memory;
  const int file = in_file_ ? make_file(folder, bytes_) : -1;
  const int flags = in_file_ ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
  data_ = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, flags, file, 0);
  const int error = errno;
  if (file >= 0) {
    close(file);
  }
  if (data_ == MAP_FAILED) {
    data_ = nullptr;
    no_room("memory", bytes_, error);
  }
}

SampleStates::~SampleStates() {
  if (data_ != nullptr) {
    munmap(data_, bytes_);
  }
}

at::Tensor SampleStates::get(size_t sample) const {
  std::byte* begin = static_cast<std::byte*>(data_) + offsets_.at(sample);
  return at::from_blob(begin, shapes_[sample], dtype_);
}

void SampleStates::set(size_t sample, const at::Tensor& states) {
  get(sample).copy_(states);
}

void SampleStates::release(size_t sample) const {
  if (!in_file_) {
    return;
  }
  const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  const uint64_t begin = (offsets_.at(sample) + page - 1) / page * page;
  const uint64_t end = offsets_.at(sample + 1) / page * page;
  if (begin < end) {
    madvise(static_cast<std::byte*>(data_) + begin, end - begin, MADV_DONTNEED);
  }
}

}  // namespace oneshot
