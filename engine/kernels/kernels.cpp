// The front functions: arguments are checked here, once, for every device; then the table of the
// tensor's device is asked, and the reference where it has no entry.
#include "engine/kernels/kernels.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "engine/error.h"
#include "engine/kernels/kernel_table.h"

namespace oneshot::kernels {
namespace {

constexpr int64_t kCodesAtOnce = 1 << 16;  // that are unpacked: their values fit the caches

const KernelTable& table_of(const at::Tensor& tensor) {
  return tensor.is_cpu() ? cpu_kernels() : reference_kernels();
}

template <class Function>
Function pick(const at::Tensor& tensor, Function KernelTable::*entry) {
  const Function function = table_of(tensor).*entry;
  return function ? function : reference_kernels().*entry;
}

// What the user gives is checked where it is read; what is wrong here is a mistake of the caller.
[[noreturn]] void refuse(const char* kernel, const std::string& what) {
  throw Error(ErrorCode::Failed, c10::str("kernels: ", kernel, ": ", what));
}

std::string text_of(const at::Tensor& tensor) {
  if (!tensor.defined()) {
    return "undefined";
  }
  return c10::str(tensor.scalar_type(),
                  " ",
                  tensor.sizes(),
                  tensor.is_contiguous() ? "" : " (not contiguous)",
                  " on ",
                  tensor.device());
}

bool is_float(const at::Tensor& tensor) {
  const at::ScalarType type = tensor.scalar_type();
  return type == at::kBFloat16 || type == at::kHalf || type == at::kFloat;
}

void check_matrix(const char* kernel, const char* name, const at::Tensor& tensor, bool dtype_fits) {
  if (!tensor.defined() || tensor.dim() != 2 || tensor.size(1) < 1 || !tensor.is_contiguous() ||
      !dtype_fits) {
    refuse(kernel, c10::str(name, " is ", text_of(tensor), ", which it does not take"));
  }
}

void check_groups(const char* kernel, const at::Tensor& weight, int64_t group_size) {
  check_matrix(kernel, "weight", weight, weight.defined() && is_float(weight));
  if (group_size < 1) {
    refuse(kernel, c10::str("group_size is ", group_size, ", expected at least 1"));
  }
}

// `tensor` holds one number a group of `weight`.
void check_per_group(const char* kernel,
                     const char* name,
                     const at::Tensor& tensor,
                     const at::Tensor& weight,
                     int64_t group_size) {
  const int64_t groups = (weight.size(1) - 1) / group_size + 1;
  if (tensor.size(0) != weight.size(0) || tensor.size(1) != groups ||
      tensor.device() != weight.device()) {
    refuse(kernel,
           c10::str(name,
                    " is ",
                    text_of(tensor),
                    ", expected [",
                    weight.size(0),
                    ", ",
                    groups,
                    "] for groups of ",
                    group_size,
                    " in weight ",
                    text_of(weight)));
  }
}

void check_encoder(const char* kernel,
                   const at::Tensor& weight,
                   const at::Tensor& scale,
                   int64_t group_size) {
  check_groups(kernel, weight, group_size);
  check_matrix(kernel, "scale", scale, scale.defined() && is_float(scale));
  check_per_group(kernel, "scale", scale, weight, group_size);
}

void check_bits(const char* kernel, int bits) {
  if (bits < 2 || bits > 8) {
    refuse(kernel, c10::str("bits is ", bits, ", expected 2 … 8"));
  }
}

void check_dtype(const char* kernel,
                 const char* name,
                 const at::Tensor& tensor,
                 at::ScalarType type) {
  check_matrix(kernel, name, tensor, tensor.defined() && tensor.scalar_type() == type);
}

}  // namespace

at::Tensor group_absmax(const at::Tensor& weight, int64_t group_size) {
  check_groups("group_absmax", weight, group_size);
  return pick(weight, &KernelTable::group_absmax)(weight, group_size);
}

GroupRange group_range(const at::Tensor& weight, int64_t group_size) {
  check_groups("group_range", weight, group_size);
  return pick(weight, &KernelTable::group_range)(weight, group_size);
}

at::Tensor encode_int(const at::Tensor& weight,
                      const at::Tensor& scale,
                      const at::Tensor& zero_point,
                      int64_t group_size,
                      int bits) {
  check_encoder("encode_int", weight, scale, group_size);
  check_bits("encode_int", bits);
  if (zero_point.defined()) {
    check_dtype("encode_int", "zero_point", zero_point, at::kChar);
    check_per_group("encode_int", "zero_point", zero_point, weight, group_size);
  }
  return pick(weight, &KernelTable::encode_int)(weight, scale, zero_point, group_size, bits);
}

at::Tensor encode_fp8(const at::Tensor& weight, const at::Tensor& scale, int64_t group_size) {
  check_encoder("encode_fp8", weight, scale, group_size);
  return pick(weight, &KernelTable::encode_fp8)(weight, scale, group_size);
}

at::Tensor encode_fp4(const at::Tensor& weight, const at::Tensor& scale, int64_t group_size) {
  check_encoder("encode_fp4", weight, scale, group_size);
  return pick(weight, &KernelTable::encode_fp4)(weight, scale, group_size);
}

at::Tensor pack_int(const at::Tensor& codes, int bits) {
  check_dtype("pack_int", "codes", codes, at::kChar);
  check_bits("pack_int", bits);
  return pick(codes, &KernelTable::pack_int)(codes, bits);
}

at::Tensor unpack_int(const at::Tensor& words, int bits, int64_t columns) {
  check_dtype("unpack_int", "words", words, at::kInt);
  check_bits("unpack_int", bits);
  if (columns < 1 || words.size(1) != (columns * bits + 31) / 32) {
    refuse("unpack_int",
           c10::str("words is ",
                    text_of(words),
                    ", which are not ",
                    columns,
                    " codes of ",
                    bits,
                    " bits a row"));
  }
  // The intermediate values are much larger than the codes: a few rows at a time.
  const int64_t rows_at_once = std::max<int64_t>(1, kCodesAtOnce / columns);
  at::Tensor codes = at::empty({words.size(0), columns}, words.options().dtype(at::kChar));
  for (int64_t row = 0; row < words.size(0); row += rows_at_once) {
    const int64_t rows = std::min(rows_at_once, words.size(0) - row);
    codes.narrow(0, row, rows)
        .copy_(pick(words, &KernelTable::unpack_int)(words.narrow(0, row, rows), bits, columns));
  }
  return codes;
}

at::Tensor pack_nibbles(const at::Tensor& codes) {
  check_dtype("pack_nibbles", "codes", codes, at::kByte);
  if (codes.size(1) % 2 != 0) {
    refuse("pack_nibbles",
           c10::str("codes is ", text_of(codes), ", expected an even number of columns"));
  }
  return pick(codes, &KernelTable::pack_nibbles)(codes);
}

at::Tensor unpack_nibbles(const at::Tensor& bytes) {
  check_dtype("unpack_nibbles", "bytes", bytes, at::kByte);
  return pick(bytes, &KernelTable::unpack_nibbles)(bytes);
}

}  // namespace oneshot::kernels
