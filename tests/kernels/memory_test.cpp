// No kernel reads past its tensors: each ends where memory ends.
#include <sys/mman.h>
#include <unistd.h>

#include "tests/kernels/every_target.h"

namespace oneshot::kernels {
namespace {

// Pages between two that nobody may touch.
class FencedPages {
 public:
  FencedPages() : page_(static_cast<size_t>(sysconf(_SC_PAGESIZE))) {
    void* pages = mmap(nullptr, 6 * page_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pages_ = static_cast<char*>(pages);
    mprotect(pages_ + page_, 4 * page_, PROT_READ | PROT_WRITE);
  }
  ~FencedPages() { munmap(pages_, 6 * page_); }
  FencedPages(const FencedPages&) = delete;
  FencedPages& operator=(const FencedPages&) = delete;

  /// A copy of `tensor` that ends at the fence.
  at::Tensor at_end(const at::Tensor& tensor) { return copy(tensor, 5 * page_ - tensor.nbytes()); }
  /// A copy of `tensor` that begins at the fence.
  at::Tensor at_begin(const at::Tensor& tensor) { return copy(tensor, page_); }

 private:
  at::Tensor copy(const at::Tensor& tensor, size_t offset) {
    const at::Tensor result = at::from_blob(pages_ + offset, tensor.sizes(), tensor.options());
    return result.copy_(tensor);
  }

  size_t page_;
  char* pages_;
};

TEST(Memory, IsNotReadOutsideTheTensors) {
  FencedPages weight_pages, scale_pages, zero_point_pages, code_pages;
  const auto at_fences = [&](int64_t columns, at::ScalarType dtype, int64_t group_size, bool end) {
    const auto fenced = [end](FencedPages& pages, const at::Tensor& tensor) {
      return end ? pages.at_end(tensor) : pages.at_begin(tensor);
    };
    const int64_t groups = (columns - 1) / group_size + 1;
    const at::Tensor weight = fenced(weight_pages, at::ones({2, columns}, dtype));
    const at::Tensor scale = fenced(scale_pages, at::ones({2, groups}, dtype));
    const at::Tensor zero_point = fenced(zero_point_pages, at::ones({2, groups}, at::kChar));
    on_every_target([&](const KernelTable& cpu) {
      EXPECT_TRUE(cpu.group_absmax(weight, group_size).eq(1).all().item<bool>());
      cpu.group_range(weight, group_size);
      cpu.encode_int(weight, scale, {}, group_size, 4);
      cpu.encode_int(weight, scale, zero_point, group_size, 4);
      cpu.encode_fp8(weight, scale, group_size);
      cpu.encode_fp4(weight, scale, group_size);
    });
  };
  for (const at::ScalarType dtype : {at::kBFloat16, at::kHalf, at::kFloat}) {
    for (int64_t columns = 1; columns <= 150; ++columns) {
      for (const int64_t group_size : {int64_t{3}, int64_t{16}, int64_t{40}, columns}) {
        at_fences(columns, dtype, group_size, true);
        at_fences(columns, dtype, group_size, false);
      }
    }
  }
  for (int64_t columns = 1; columns <= 150; ++columns) {
    const at::Tensor codes = code_pages.at_end(at::zeros({2, columns}, at::kChar));
    on_every_target([&](const KernelTable& cpu) {
      for (int bits = 2; bits <= 8; ++bits) {
        cpu.pack_int(codes, bits);
      }
    });
    const at::Tensor fp4 = code_pages.at_end(at::zeros({2, 2 * columns}, at::kByte));
    on_every_target([&](const KernelTable& cpu) { cpu.pack_nibbles(fp4); });
  }
}

TEST(Memory, IsNotReadOutsideATunedWeight) {
  // Pages for each tensor: a weight, its parameters, and the results.
  FencedPages pages[13];
  for (int64_t columns = 1; columns <= 70; ++columns) {
    for (const int64_t group_size : {int64_t{1}, int64_t{3}, int64_t{16}, int64_t{40}, columns}) {
      size_t used = 0;
      const auto fenced = [&](const at::Tensor& tensor) { return pages[used++].at_end(tensor); };
      const int64_t size = std::min(group_size, columns);
      const TunedScheme scheme = {TunedCodes::Asymmetric, 4, size};
      const at::Tensor gradient = fenced(at::ones({2, columns}, at::kBFloat16));
      const at::Tensor importance = fenced(at::ones({columns}));
      TunedWeight tuned = untuned(scheme, fenced(at::ones({2, columns}, at::kBFloat16)));
      for (at::Tensor* tensor :
           {&tuned.min, &tuned.max, &tuned.rounding, &tuned.min_factor, &tuned.max_factor}) {
        *tensor = fenced(*tensor);
      }
      RoundedWeight out = rounded_buffers(scheme, tuned.weight, at::kBFloat16);
      for (at::Tensor* tensor : {&out.values, &out.codes, &out.scale, &out.zero_point}) {
        *tensor = fenced(tensor->zero_());
      }
      on_every_target([&](const KernelTable& cpu) {
        cpu.round_tuned(scheme, tuned, out);
        EXPECT_TRUE(out.codes.eq(7).all().item<bool>());
        cpu.sign_step(scheme, tuned, gradient, 0, 0);
        cpu.search_scales({TunedCodes::Symmetric, 4, size}, tuned.weight, importance);
      });
    }
  }
}

}  // namespace
}  // namespace oneshot::kernels
