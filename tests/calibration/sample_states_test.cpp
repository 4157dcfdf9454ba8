// Hidden states are the same in memory and in a file, and the file leaves nothing behind.
#include "engine/calibration/sample_states.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/support/expect_error.h"
#include "tests/support/temporary_folder.h"

namespace oneshot {
namespace {

void expect_kept(uint64_t memory, bool in_file) {
  const TemporaryFolder folder;
  const std::vector<std::vector<int64_t>> shapes{{1, 3, 20}, {1, 1, 20}, {2, 5000, 10}, {1, 7, 20}};
  SampleStates states(shapes, at::kBFloat16, memory, folder.path());
  EXPECT_EQ(states.in_file(), in_file);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  std::vector<at::Tensor> expected;
  for (size_t i = 0; i < shapes.size(); ++i) {
    expected.push_back(at::randn(shapes[i]).to(at::kBFloat16));
    states.set(i, expected[i]);
    states.release(i);
  }
  for (size_t i = 0; i < shapes.size(); ++i) {
    EXPECT_TRUE(states.get(i).equal(expected[i])) << i;
  }
}

TEST(SampleStates, StayInMemoryWhileTheyFit) {
  expect_kept(1 << 20, false);
}

TEST(SampleStates, GoToAFileBeyondIt) {
  expect_kept(1 << 10, true);
}

TEST(SampleStates, WithoutAFolderAreAnError) {
  const std::string message = error_message(ErrorCode::Resource, [] {
    const SampleStates states({{1, 4, 8}}, at::kFloat, 0, "/nowhere/at/all");
  });
  EXPECT_NE(message.find("take fewer samples or a smaller sequence_length"), std::string::npos);
}

}  // namespace
}  // namespace oneshot
