// The rows that the tokens of a text begin with.
#pragma once

#include <ATen/core/Tensor.h>

#include "engine/graph/text_cache.h"

namespace oneshot {

/// The rows of an embedding that tokens have: table [vocabulary, columns], ids int64 [...] → [...,
/// columns]. throws Checkpoint for an id outside the vocabulary.
at::Tensor gather_rows(const at::Tensor& table, const at::Tensor& ids);

/// Which tokens, of those that came before and those of the batch, are images' where its images say
/// so with "token_type_ids" (1: they are): bool [1, first + T, or more where more were typed].
/// Undefined: they do not say.
at::Tensor typed_places(const TextBatch& batch);

}  // namespace oneshot
