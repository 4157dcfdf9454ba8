// Whether a tokenizer belongs to the weights.
#pragma once

#include <cstdint>
#include <filesystem>

#include "engine/text/tokenizer.h"

namespace oneshot {

/// throws Checkpoint, naming the folder of the tokenizer, when it has more tokens than the model's
/// embedding has rows, so that some text would have no embedding. Fewer are fine: models pad
/// theirs.
void check_fits(const Tokenizer& tokenizer,
                const std::filesystem::path& folder,
                int64_t embedding_rows);

}  // namespace oneshot
