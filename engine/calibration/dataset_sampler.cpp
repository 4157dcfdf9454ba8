#include "engine/calibration/dataset_sampler.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "engine/calibration/numpy_permutation.h"
#include "engine/error.h"
#include "engine/text/image_messages.h"

namespace oneshot {
namespace {

std::vector<int64_t> order_of(int64_t rows, const CalibrationRequest& request) {
  if (request.shuffle) {
    return numpy_permutation(request.seed, rows);
  }
  std::vector<int64_t> order(static_cast<size_t>(rows));
  std::iota(order.begin(), order.end(), 0);
  return order;
}

/// Tokens of all samples: no single row gives more.
int64_t most_tokens(const CalibrationRequest& request) {
  constexpr int64_t kLargest = std::numeric_limits<int64_t>::max();
  return request.samples > kLargest / request.sequence_length
             ? kLargest
             : request.samples * request.sequence_length;
}

}  // namespace

DatasetSampler::DatasetSampler(const DatasetRequest& dataset,
                               const CalibrationRequest& request,
                               RowTokenizer& tokenizer,
                               const ImageReader* images)
    : dataset_(dataset),
      request_(request),
      tokenizer_(tokenizer),
      file_(dataset.path, dataset.format, dataset.where),
      images_(request.extra_data_dir, dataset.path, images),
      reads_images_(images != nullptr),
      order_(order_of(file_.size(), request)) {
  if (request.short_samples == ShortSamples::Pack) {
    separator_ = tokenizer.end_of_text();
  }
}

int64_t DatasetSampler::take(int64_t count) {
  for (int64_t taken = 0; taken < count; ++taken) {
    auto sample = request_.short_samples == ShortSamples::Pack ? next_window() : next_sample();
    if (!sample) {
      return taken;
    }
    samples_.push_back(std::move(*sample));
  }
  return count;
}

/// What cannot be done with a row's images, before they are looked for.
void DatasetSampler::refuse_images(const Conversation& conversation, const RowPlace& place) const {
  if (!reads_images_ && (!conversation.images.empty() || has_image_parts(conversation.messages))) {
    throw Error(ErrorCode::Unsupported,
                place.text() +
                    ": a row with an image, and calibration with images is not supported for this "
                    "model; use a dataset of text");
  }
  if (!conversation.images.empty() && request_.short_samples == ShortSamples::Pack) {
    throw Error(ErrorCode::Recipe,
                request_.where + ": `short: pack` cannot pack a row with an image (" +
                    place.text() + "); write `short: pad`");
  }
}

/// The first ids of the next row that has any and whose images are there; nothing at the end.
std::optional<Sample> DatasetSampler::next_row(int64_t longest) {
  while (position_ < order_.size()) {
    const int64_t index = order_[position_++];
    const RowPlace place = file_.place(index);
    std::string bytes = file_.row(index);
    const DatasetRow row = file_.is_text() ? DatasetRow(std::move(bytes))
                                           : parse_dataset_row(bytes, place, dataset_.field);
    ++counts_.read;
    std::optional<RowImages> images = RowImages{};
    if (const auto* conversation = std::get_if<Conversation>(&row)) {
      refuse_images(*conversation, place);
      images = images_.find(conversation->images, place);
    }
    if (!images) {
      ++counts_.without_image;
      continue;
    }
    std::vector<int32_t> ids = tokenizer_.ids(row, place, longest, images->tokens);
    if (!ids.empty()) {
      return Sample{std::move(ids), std::move(images->files)};
    }
    ++counts_.empty;
  }
  return std::nullopt;
}

std::optional<Sample> DatasetSampler::next_sample() {
  const auto length = static_cast<size_t>(request_.sequence_length);
  while (auto sample = next_row(request_.sequence_length)) {
    const bool has_images = !sample->images.empty();
    const ShortSamples rule =
        request_.short_samples.value_or(has_images ? ShortSamples::Pad : ShortSamples::Drop);
    if (sample->ids.size() < length && rule != ShortSamples::Pad) {
      ++counts_.too_short;
    } else if (!has_images && is_repetitive(sample->ids)) {
      ++counts_.repetitive;
    } else {
      return sample;
    }
  }
  return std::nullopt;
}

std::optional<Sample> DatasetSampler::next_window() {
  const auto length = static_cast<size_t>(request_.sequence_length);
  for (;;) {
    while (stream_.size() - stream_position_ < length) {
      const auto row = next_row(most_tokens(request_));
      if (!row) {
        return std::nullopt;
      }
      stream_.erase(stream_.begin(), stream_.begin() + static_cast<ptrdiff_t>(stream_position_));
      stream_position_ = 0;
      stream_.insert(stream_.end(), row->ids.begin(), row->ids.end());
      if (separator_ && row->ids.back() != *separator_) {
        stream_.push_back(*separator_);
      }
    }
    const auto begin = stream_.begin() + static_cast<ptrdiff_t>(stream_position_);
    std::vector<int32_t> window(begin, begin + static_cast<ptrdiff_t>(length));
    stream_position_ += length;
    if (!is_repetitive(window)) {
      return Sample{std::move(window), {}};
    }
    ++counts_.repetitive;
  }
}

/// The rule of auto-round: the last token stands in more than half of the places.
bool DatasetSampler::is_repetitive(const std::vector<int32_t>& ids) const {
  const int64_t length = request_.sequence_length;
  return length > 2 && std::count(ids.begin(), ids.end(), ids.back()) > length / 2;
}

}  // namespace oneshot
