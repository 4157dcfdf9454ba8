#include "formats/registry.h"

#include <array>

#include "formats/auto_awq/auto_awq_format.h"
#include "formats/auto_gptq/auto_gptq_format.h"
#include "formats/auto_round/auto_round_format.h"
#include "formats/compressed_tensors/compressed_tensors_format.h"
#include "formats/fake/fake_format.h"

namespace oneshot {
namespace {

constexpr std::array kFormats{
    FormatEntry{"compressed_tensors",
                "vLLM, Transformers, SGLang: every scheme (layout of compressed-tensors 0.19.0)",
                make_compressed_tensors},
    FormatEntry{"auto_round",
                "vLLM, Transformers, auto-round: integers of 2, 3, 4, 8 bits, float16 scales",
                make_auto_round},
    FormatEntry{"auto_gptq",
                "every reader of GPTQ: symmetric integers of 2, 3, 4, 8 bits, float16 scales",
                make_auto_gptq},
    FormatEntry{
        "auto_awq", "every reader of AWQ: integers of 4 bits, float16 scales", make_auto_awq},
    FormatEntry{
        "fake", "any: a plain checkpoint of the rounded weights, for comparison", make_fake},
};

}  // namespace

std::span<const FormatEntry> formats() {
  return kFormats;
}

}  // namespace oneshot
