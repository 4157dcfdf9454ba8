// Any bytes as a file of torch.save: a state dict whose tensors lie within the file, or an Error.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "engine/checkpoint/input_file.h"
#include "engine/checkpoint/torch_file.h"
#include "engine/error.h"

namespace {

void check(bool claim) {
  if (!claim) {
    std::abort();
  }
}

void read_all(const std::string& path) {
  const oneshot::InputFile file(path);
  std::vector<std::byte> scratch;
  for (const oneshot::TensorInfo& tensor : oneshot::read_torch_header(file).tensors) {
    check(!tensor.name.empty());
    check(oneshot::tensor_bytes(tensor.dtype, tensor.shape) == tensor.bytes);
    file.read(tensor.begin, tensor.bytes, scratch);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const int fd = memfd_create("weights", 0);
  if (fd < 0 || write(fd, data, size) != static_cast<ssize_t>(size)) {
    std::abort();
  }
  try {
    read_all("/proc/self/fd/" + std::to_string(fd));
  } catch (const oneshot::Error&) {  // refused, which is well
  }
  close(fd);
  return 0;
}
