// How many threads ATen uses, for a while.
#pragma once

#include <ATen/Parallel.h>

namespace oneshot {

/// How many threads ATen uses on this one, for as long as this lives.
class AtenThreads {
 public:
  explicit AtenThreads(int threads) { at::set_num_threads(threads); }
  ~AtenThreads() { at::set_num_threads(before_); }
  AtenThreads(const AtenThreads&) = delete;
  AtenThreads& operator=(const AtenThreads&) = delete;

 private:
  int before_ = at::get_num_threads();
};

}  // namespace oneshot
