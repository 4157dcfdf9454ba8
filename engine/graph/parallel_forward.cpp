#include "engine/graph/parallel_forward.h"

#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include "engine/graph/module.h"
#include "engine/worker_pool.h"

namespace oneshot {

void parallel_forward(const ParallelSamples& samples, const std::function<void(size_t)>& run) {
  ParallelWork work;
  work.count = samples.count;
  work.threads = samples.threads;
  work.start_thread = [] { at::set_num_threads(1); };
  work.run = [&run](size_t sample) {
    const c10::InferenceMode inference;
    const SampleScope scope(sample);
    run(sample);
  };
  work.tick = samples.tick;
  run_in_parallel(work);
}

}  // namespace oneshot
