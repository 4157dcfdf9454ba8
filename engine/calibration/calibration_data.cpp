#include "engine/calibration/calibration_data.h"

#include <algorithm>
#include <deque>
#include <numeric>
#include <utility>

#include "engine/calibration/dataset_sampler.h"
#include "engine/calibration/numpy_permutation.h"
#include "engine/calibration/row_tokenizer.h"
#include "engine/checkpoint/message_text.h"
#include "engine/checkpoint/sha256.h"
#include "engine/error.h"

namespace oneshot {
namespace {

[[noreturn]] void throw_recipe(const CalibrationRequest& request, const std::string& what) {
  throw Error(ErrorCode::Recipe, request.where + ": " + what);
}

/// How many samples no dataset is named for.
int64_t left_to_share(const CalibrationRequest& request) {
  int64_t left = request.samples;
  for (const DatasetRequest& dataset : request.datasets) {
    left = std::max(int64_t{0}, left - dataset.samples.value_or(0));
  }
  return left;
}

/// What can be known before a file is opened.
void check_request(const CalibrationRequest& request, const CalibratedModel& model) {
  if (request.extra_data_dir && model.images == nullptr) {
    throw Error(ErrorCode::Unsupported,
                request.where +
                    ": 'extra_data_dir' belongs to calibration with images, which is "
                    "not supported for this model; take it out of the recipe");
  }
  if (model.longest_sequence && request.sequence_length > *model.longest_sequence) {
    throw_recipe(request,
                 "'sequence_length' is " + std::to_string(request.sequence_length) +
                     ", the model reads " + std::to_string(*model.longest_sequence) +
                     " tokens at most (max_position_embeddings)");
  }
  const bool all_named = std::all_of(
      request.datasets.begin(), request.datasets.end(), [](const DatasetRequest& dataset) {
        return dataset.samples.has_value();
      });
  const int64_t left = left_to_share(request);
  if (all_named && left > 0 && !request.allow_fewer) {
    throw_recipe(request,
                 "the datasets give " + std::to_string(request.samples - left) +
                     " samples, 'samples' asks for " + std::to_string(request.samples) +
                     "; make them equal");
  }
}

RowCounts& operator+=(RowCounts& sum, const RowCounts& more) {
  sum.read += more.read;
  sum.too_short += more.too_short;
  sum.repetitive += more.repetitive;
  sum.empty += more.empty;
  sum.without_image += more.without_image;
  return sum;
}

/// "of 100 rows 80 have fewer than 256 tokens, 3 repeat one token and 0 hold none".
std::string reasons(const RowCounts& counts, const CalibrationRequest& request) {
  const bool packs = request.short_samples == ShortSamples::Pack;
  return "of " + std::to_string(counts.read) + " rows " +
         (packs ? "" : std::to_string(counts.too_short) + " are shorter, ") +
         std::to_string(counts.repetitive) +
         (packs ? " windows repeat one token and " : " repeat one token and ") +
         std::to_string(counts.empty) + " hold none" +
         (counts.without_image > 0
              ? ", " + std::to_string(counts.without_image) + " have a missing or broken image"
              : "");
}

/// "2 images are missing and 1 broken: calib.json:5: 'a.png' is not there; …".
std::string described(const ImageFailures& failures) {
  std::string text = std::to_string(failures.missing) + " images are missing and " +
                     std::to_string(failures.broken) + " broken: ";
  for (size_t i = 0; i < failures.first.size(); ++i) {
    text += (i == 0 ? "" : "; ") + failures.first[i];
  }
  const bool is_all =
      static_cast<size_t>(failures.missing + failures.broken) == failures.first.size();
  return text + (is_all ? "" : "; …");
}

/// Says that there are too few samples: an Error, or a warning where the recipe allows it.
void report_too_few(const std::string& from,
                    int64_t found,
                    int64_t wanted,
                    const RowCounts& counts,
                    const CalibrationRequest& request,
                    std::vector<std::string>& warnings) {
  const std::string message = request.where + ": " + from + " has " + std::to_string(found) +
                              " of the " + std::to_string(wanted) + " samples of " +
                              std::to_string(request.sequence_length) + " tokens asked for (" +
                              reasons(counts, request) + ")";
  if (request.allow_fewer && found > 0) {
    warnings.push_back(message);
    return;
  }
  const bool packs = request.short_samples == ShortSamples::Pack;
  throw Error(ErrorCode::Checkpoint,
              message + "; give more data, lower 'samples' or 'sequence_length'" +
                  (packs ? "" : ", write `short: pack`") +
                  (found > 0 ? ", or `allow_fewer: true`" : ""));
}

/// The samplers of a request, in its order.
class Samplers {
 public:
  Samplers(const CalibrationRequest& request, const CalibratedModel& model)
      : request_(request), tokenizer_(request, model) {
    for (const DatasetRequest& dataset : request.datasets) {
      samplers_.emplace_back(dataset, request, tokenizer_, model.images);
    }
  }

  CalibrationData take_all();

 private:
  void take_named(CalibrationData& data);
  void take_shares(int64_t left, CalibrationData& data);
  ImageFailures check_images() const;

  const CalibrationRequest& request_;
  RowTokenizer tokenizer_;
  std::deque<DatasetSampler> samplers_;
};

/// The datasets that say how many samples they give.
void Samplers::take_named(CalibrationData& data) {
  for (DatasetSampler& sampler : samplers_) {
    if (!sampler.dataset().samples) {
      continue;
    }
    const int64_t wanted = *sampler.dataset().samples;
    const int64_t taken = sampler.take(wanted);
    if (taken < wanted) {
      check_images();
      report_too_few(in_quotes(sampler.dataset().path.string()),
                     taken,
                     wanted,
                     sampler.counts(),
                     request_,
                     data.warnings);
    }
  }
}

/// The others share what is left: equally, the first ones one more where it does not divide; what
/// one has not goes to those that have.
void Samplers::take_shares(int64_t left, CalibrationData& data) {
  std::vector<DatasetSampler*> open;
  for (DatasetSampler& sampler : samplers_) {
    if (!sampler.dataset().samples) {
      open.push_back(&sampler);
    }
  }
  if (open.empty() || left <= 0) {
    return;
  }
  const int64_t wanted = left;
  const std::vector<DatasetSampler*> sharing = open;
  while (left > 0 && !open.empty()) {
    const auto count = static_cast<int64_t>(open.size());
    const int64_t share = left / count, more = left % count;
    std::vector<DatasetSampler*> still_open;
    for (int64_t i = 0; i < count; ++i) {
      DatasetSampler* sampler = open[static_cast<size_t>(i)];
      const int64_t asked = share + (i < more ? 1 : 0);
      const int64_t taken = sampler->take(asked);
      left -= taken;
      if (taken == asked) {
        still_open.push_back(sampler);
      }
    }
    open = std::move(still_open);
  }
  if (left > 0) {
    check_images();
    RowCounts counts;
    for (const DatasetSampler* sampler : sharing) {
      counts += sampler->counts();
    }
    report_too_few(sharing.size() == 1 ? in_quotes(sharing[0]->dataset().path.string())
                                       : "the datasets together",
                   wanted - left,
                   wanted,
                   counts,
                   request_,
                   data.warnings);
  }
}

/// What is missing or broken in all datasets. throws unless the request allows it.
ImageFailures Samplers::check_images() const {
  ImageFailures failures;
  for (const DatasetSampler& sampler : samplers_) {
    failures += sampler.image_failures();
  }
  if (!failures.first.empty() && !request_.allow_fewer) {
    throw Error(ErrorCode::Checkpoint,
                request_.where + ": " + described(failures) +
                    "; correct 'extra_data_dir' or the files, or write `allow_fewer: true` to "
                    "leave out their rows");
  }
  return failures;
}

CalibrationData Samplers::take_all() {
  CalibrationData data;
  data.sequence_length = request_.sequence_length;
  data.warnings = tokenizer_.warnings();
  take_named(data);
  take_shares(left_to_share(request_), data);
  data.image_failures = check_images();
  if (!data.image_failures.first.empty()) {
    data.warnings.push_back(request_.where + ": " + described(data.image_failures) +
                            "; their rows are left out");
  }
  std::vector<Sample> joined;
  for (const DatasetSampler& sampler : samplers_) {
    joined.insert(joined.end(), sampler.samples().begin(), sampler.samples().end());
    data.counts += sampler.counts();
    data.warnings.insert(data.warnings.end(), sampler.warnings().begin(), sampler.warnings().end());
  }
  const auto count = static_cast<int64_t>(joined.size());
  std::vector<int64_t> order(joined.size());
  std::iota(order.begin(), order.end(), 0);
  if (samplers_.size() > 1 && request_.shuffle) {
    order = numpy_permutation(request_.seed, count);
  }
  order.resize(std::min(joined.size(), static_cast<size_t>(request_.samples)));
  for (const int64_t i : order) {
    Sample& sample = joined[static_cast<size_t>(i)];
    data.rows_with_images += sample.images.empty() ? 0 : 1;
    data.rows.push_back(std::move(sample.ids));
    data.images.push_back(std::move(sample.images));
  }
  return data;
}

}  // namespace

CalibrationData load_calibration(const CalibrationRequest& request, const CalibratedModel& model) {
  check_request(request, model);
  CalibrationData data = Samplers(request, model).take_all();
  data.sha256 = calibration_hash(data.rows, data.images);
  return data;
}

std::string calibration_hash(const std::vector<std::vector<int32_t>>& rows,
                             const std::vector<std::vector<std::filesystem::path>>& images) {
  std::string bytes;
  const auto append = [&](uint64_t value, int count) {
    for (int i = 0; i < count; ++i) {
      bytes += static_cast<char>(value >> (8 * i));
    }
  };
  for (const std::vector<int32_t>& row : rows) {
    append(row.size(), 8);
    for (const int32_t id : row) {
      append(static_cast<uint32_t>(id), 4);
    }
  }
  const bool has_images =
      std::any_of(images.begin(), images.end(), [](const auto& files) { return !files.empty(); });
  for (size_t i = 0; has_images && i < images.size(); ++i) {
    append(images[i].size(), 8);
    for (const std::filesystem::path& file : images[i]) {
      bytes += sha256_file_hex(file);
    }
  }
  return sha256_hex(bytes);
}

}  // namespace oneshot
