#include "engine/evaluate/kept_weights.h"

#include <ATen/ATen.h>
#include <sys/mman.h>

#include <map>
#include <memory>

#include "engine/error.h"

namespace oneshot {
namespace {

/// A copy in pages of its own: what stays must not lie between the pieces of what was needed to
/// load it, which would keep those pages too.
at::Tensor in_own_pages(const at::Tensor& tensor, const std::string& name) {
  const size_t bytes = tensor.nbytes();
  void* pages = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) {
    throw Error(ErrorCode::Resource,
                name + ": no memory for its " + std::to_string(bytes) +
                    " bytes; give a smaller --memory, so that fewer weights stay loaded");
  }
  at::Tensor copy = at::from_blob(
      pages, tensor.sizes(), [bytes](void* begin) { munmap(begin, bytes); }, tensor.options());
  copy.copy_(tensor);
  return copy;
}

struct Kept {
  Weights source;
  uint64_t bytes_left;
  std::map<std::string, at::Tensor> tensors;

  at::Tensor load(const std::string& name) {
    const auto found = tensors.find(name);
    if (found != tensors.end()) {
      return found->second;
    }
    at::Tensor tensor = source.load(name);
    if (tensor.nbytes() <= bytes_left) {
      bytes_left -= tensor.nbytes();
      tensor = tensors[name] = in_own_pages(tensor, name);
    }
    return tensor;
  }
};

}  // namespace

Weights kept_weights(Weights weights, uint64_t bytes) {
  const auto kept = std::make_shared<Kept>(Kept{std::move(weights), bytes, {}});
  return {[kept](const std::string& name) { return kept->source.has(name); },
          [kept](const std::string& name) { return kept->load(name); },
          {},
          kept->source.dtype};
}

}  // namespace oneshot
