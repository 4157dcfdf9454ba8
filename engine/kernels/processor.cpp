#include "engine/kernels/processor.h"

#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

namespace oneshot::kernels {

bool has_bfloat16_products() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512bf16") != 0;  // processors with AMX have it too
#elif defined(__aarch64__)
  constexpr unsigned long kBfloat16 = 1UL << 14;  // HWCAP2_BF16
  return (getauxval(AT_HWCAP2) & kBfloat16) != 0;
#else
  return false;
#endif
}

}  // namespace oneshot::kernels
