#include "formats/registry.h"

#include <array>

#include "formats/compressed_tensors/compressed_tensors_format.h"

namespace oneshot {
namespace {

constexpr std::array kFormats{
    FormatEntry{"compressed_tensors",
                "vLLM, Transformers, SGLang: every scheme (layout of compressed-tensors 0.19.0)",
                make_compressed_tensors},
};

}  // namespace

std::span<const FormatEntry> formats() {
  return kFormats;
}

}  // namespace oneshot
