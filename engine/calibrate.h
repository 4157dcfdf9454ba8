// The calibrated part of a run: the source as a running model, watched block by block by the
// modifiers that need to see activations.
#pragma once

#include <filesystem>
#include <span>

#include "engine/calibration/calibration_data.h"
#include "engine/modifier.h"
#include "engine/oneshot.h"
#include "engine/plan.h"
#include "engine/run_listener.h"
#include "engine/vision/image_reader.h"

namespace oneshot {

struct CalibrateRequest {
  const Plan* plan = nullptr;
  std::vector<const Modifier*> modifiers;
  const SourceCheckpoint* source = nullptr;
  TunedBlocks* tuned = nullptr;  // where codes of tuned blocks go; null where none are tuned
  uint64_t seed = 0;
  std::filesystem::path folder;  // where states go that do not fit in memory
  std::span<const std::vector<int32_t>> rows;
  std::vector<size_t> with_images;  // rows that have some
  std::function<ImageInput(size_t row)> load_images;
};

/// The dtype that a model is run in while it is calibrated: bfloat16 where the processor has
/// instructions for it and the model is kept in it (tuned modules: in 16 bits), else float32.
at::ScalarType calibration_dtype(const Plan& plan);
std::string calibration_dtype_name(const Plan& plan);

/// The rows of a job's calibration data; none when it has no calibration. Throws what
/// load_calibration and the tokenizer throw.
/// images: of the source's family.
CalibrationData load_job_data(const Job& job,
                              const SourceCheckpoint& source,
                              const ImageReader& images);

/// Throws what the runner and the modifiers throw, and Interrupted when the listener cancels.
CalibrationResults calibrate(const CalibrateRequest& request, RunListener& listener);

}  // namespace oneshot
