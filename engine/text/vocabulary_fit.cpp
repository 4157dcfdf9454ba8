#include "engine/text/vocabulary_fit.h"

#include "engine/checkpoint/message_text.h"
#include "engine/error.h"

namespace oneshot {

void check_fits(const Tokenizer& tokenizer,
                const std::filesystem::path& folder,
                int64_t embedding_rows) {
  if (tokenizer.vocabulary_size() <= embedding_rows) {
    return;
  }
  throw Error(ErrorCode::Checkpoint,
              one_line(folder.string()) + ": the tokenizer has " +
                  std::to_string(tokenizer.vocabulary_size()) + " tokens, the model's embedding " +
                  std::to_string(embedding_rows) +
                  " rows: they do not belong together; use the tokenizer of this model");
}

}  // namespace oneshot
