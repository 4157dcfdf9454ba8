// Tuned runs that are cut off, by a crash or by Ctrl-C, and the runs after them. A run ends its own
// process at a given point, so nothing here depends on time.
#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <signal.h>

#include <cstdio>

#include "tests/support/expect_error.h"
#include "tests/support/recipe_run.h"

namespace oneshot {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr uint64_t kIterations = 4;  // of each of two blocks and the head

std::string recipe_with(const std::string& options) {
  return "version: 1\ncalibration: {dataset: " ONESHOT_TEST_DATA
         "/calibration/calib_ids.jsonl, samples: 8, sequence_length: 32, shuffle: false}\n"
         "modifiers:\n  - sign_round: {scheme: W4A16, targets: [Linear], batch_size: 4, " +
         options + "}\noutput: {formats: [auto_round]}\n";
}

const std::string kRecipe = recipe_with("iterations: " + std::to_string(kIterations));
const std::string kOtherRecipe = recipe_with("iterations: 3");

/// Where a run is killed. What is 0 or empty is not looked at.
struct Point {
  const char* name = "";
  size_t block = 0;         // when that many are tuned
  uint64_t iterations = 0;  // when that many are done, over all blocks
  std::string phase = "tuning";
  size_t resumed = 0;  // blocks that the next run finds
};

/// For the names in the list of tests.
void PrintTo(const Point& point, std::ostream* out) {
  *out << point.name;
}

class Killer : public RunListener {
 public:
  explicit Killer(Point point) : point_(std::move(point)) {}

  void on_block(const BlockEvent& event) override {
    if (event.number == point_.block) {
      raise(SIGKILL);
    }
  }
  void on_progress(const Progress& progress) override {
    if (point_.block == 0 && progress.phase == point_.phase && progress.done >= point_.iterations) {
      raise(SIGKILL);
    }
  }

 private:
  Point point_;
};

/// Counts blocks; asks to be cancelled when a number of them is tuned.
class Counter : public RunListener {
 public:
  explicit Counter(size_t last = 0) : last_(last) {}

  void on_block(const BlockEvent& event) override {
    ++blocks;
    resumed += event.resumed ? 1 : 0;
  }
  bool cancelled() override { return last_ > 0 && blocks >= last_; }

  size_t blocks = 0, resumed = 0;

 private:
  size_t last_;
};

std::map<std::string, std::string> promised_bytes(const fs::path& output) {
  auto contents = folder_contents(output);
  contents.erase("report.json");  // times and memory
  return contents;
}

/// ATen's threads do not come along into a forked process: none may be waited for there, and the
/// first call makes a new pool, for which several threads would race.
void use_one_thread() {
  at::set_num_threads(1);
}

class Resume : public testing::Test {
 protected:
  Resume() { use_one_thread(); }

  /// A run that is killed; then only its work folder is there.
  void kill_at(const Point& point) {
    EXPECT_EXIT(
        {
          use_one_thread();
          Killer killer(point);
          run_recipe(folder, {.recipe = kRecipe}, &killer);
        },
        testing::KilledBySignal(SIGKILL),
        "");
    EXPECT_FALSE(fs::exists(folder.path() / "out"));
    EXPECT_TRUE(fs::exists(work()));
  }

  /// The same job to its end, in a folder of its own.
  std::map<std::string, std::string> uninterrupted(const std::string& recipe) {
    run_recipe(folder, {.recipe = recipe, .output = "whole"});
    return promised_bytes(folder.path() / "whole");
  }

  /// Blocks that the run, which goes to its end, takes from an earlier one.
  size_t resumed_by(const RunSetup& setup) {
    Counter counter;
    run_recipe(folder, setup, &counter);
    EXPECT_EQ(counter.blocks, 3u);
    EXPECT_FALSE(fs::exists(work()));
    return counter.resumed;
  }

  fs::path work() const { return folder.path() / ".out.oneshot"; }
  fs::path first_block() const { return work() / "progress/model.layers.0.safetensors"; }

  TemporaryFolder folder;
};

class ResumeAt : public Resume, public testing::WithParamInterface<Point> {};

TEST_P(ResumeAt, TheBytesAreThoseOfARunInOnePiece) {
  kill_at(GetParam());
  EXPECT_EQ(resumed_by({.recipe = kRecipe}), GetParam().resumed);
  EXPECT_EQ(promised_bytes(folder.path() / "out"), uninterrupted(kRecipe));
}

INSTANTIATE_TEST_SUITE_P(
    Points,
    ResumeAt,
    testing::Values(Point{.name = "InTheFirstBlock", .iterations = 2},
                    Point{.name = "AfterTheFirst", .block = 1, .resumed = 1},
                    Point{.name = "InTheSecond", .iterations = kIterations + 2, .resumed = 1},
                    Point{.name = "AfterTheSecond", .block = 2, .resumed = 2},
                    Point{.name = "AfterTheHead", .block = 3, .resumed = 3},
                    Point{.name = "WhileWriting", .phase = "syncing", .resumed = 3}),
    [](const auto& tested) { return std::string(tested.param.name); });

const Point kAfterTheFirst{.name = "AfterTheFirst", .block = 1};

TEST_F(Resume, AsOftenAsItIsCutOff) {
  kill_at(kAfterTheFirst);
  kill_at({.name = "AfterTheSecond", .block = 2});
  EXPECT_EQ(resumed_by({.recipe = kRecipe, .threads = 1}), 2u);
  EXPECT_EQ(promised_bytes(folder.path() / "out"), uninterrupted(kRecipe));
}

TEST_F(Resume, TheReportHasTheLossesOfAllBlocks) {
  kill_at(kAfterTheFirst);
  const Report resumed = run_recipe(folder, {.recipe = kRecipe});
  const Report whole = run_recipe(folder, {.recipe = kRecipe, .output = "whole"});
  ASSERT_EQ(resumed.blocks.size(), whole.blocks.size());
  for (size_t i = 0; i < whole.blocks.size(); ++i) {
    EXPECT_EQ(resumed.blocks[i].name, whole.blocks[i].name);
    EXPECT_EQ(resumed.blocks[i].losses, whole.blocks[i].losses);
  }
}

TEST_F(Resume, AnotherRecipeIsRefusedAndHarmsNothing) {
  kill_at(kAfterTheFirst);
  for (const std::string& other : {kOtherRecipe, recipe_with("iterations: 0")}) {
    EXPECT_THAT(error_message(ErrorCode::Recipe, [&] { run_recipe(folder, {.recipe = other}); }),
                HasSubstr("holds the progress of a run with another recipe, model, data or version "
                          "that was cut off; --restart throws it away"));
  }
  EXPECT_EQ(resumed_by({.recipe = kRecipe}), 1u);
}

TEST_F(Resume, RestartBeginsAnew) {
  kill_at(kAfterTheFirst);
  EXPECT_EQ(resumed_by({.recipe = kOtherRecipe, .restart = true}), 0u);
  EXPECT_EQ(promised_bytes(folder.path() / "out"), uninterrupted(kOtherRecipe));
}

TEST_F(Resume, RestartOfTheSameRecipeTakesNothingFromBefore) {
  kill_at(kAfterTheFirst);
  EXPECT_EQ(resumed_by({.recipe = kRecipe, .restart = true}), 0u);
}

TEST_F(Resume, WithoutDataRestartThrowsTheProgressAway) {
  kill_at(kAfterTheFirst);
  run_recipe(folder, {.recipe = quantize_recipe("scheme: W4A16"), .restart = true});
  EXPECT_TRUE(fs::exists(folder.path() / "out/model.safetensors"));
  EXPECT_FALSE(fs::exists(work()));
}

TEST_F(Resume, DamagedProgressIsNamedWithTheWayOut) {
  kill_at(kAfterTheFirst);
  const std::string whole = read_file(first_block());
  std::string other_words = whole;
  other_words.replace(other_words.find("losses"), 6, "glosse");
  for (const std::string& damaged : {std::string(),
                                     whole.substr(0, whole.size() / 2),
                                     std::string(64, 'x'),
                                     other_words,
                                     read_file(tiny_llama() / "model.safetensors")}) {
    write_file(first_block(), damaged);
    const std::string message =
        error_message(ErrorCode::Checkpoint, [&] { run_recipe(folder, {.recipe = kRecipe}); });
    EXPECT_THAT(message, HasSubstr(first_block().string()));
    EXPECT_THAT(message, HasSubstr("--restart begins anew"));
    EXPECT_FALSE(fs::exists(folder.path() / "out"));
  }
  EXPECT_EQ(resumed_by({.recipe = kRecipe, .restart = true}), 0u);
}

TEST_F(Resume, AfterBeingCancelled) {
  Counter counter(1);
  error_message(ErrorCode::Interrupted, [&] { run_recipe(folder, {.recipe = kRecipe}, &counter); });
  EXPECT_EQ(counter.blocks, 1u);
  EXPECT_EQ(resumed_by({.recipe = kRecipe}), 1u);
  EXPECT_EQ(promised_bytes(folder.path() / "out"), uninterrupted(kRecipe));
}

/// Ctrl-C before anything is done.
class Impatient : public RunListener {
 public:
  bool cancelled() override { return true; }
};

TEST_F(Resume, ARunWithoutProgressLeavesNothing) {
  Impatient impatient;
  error_message(ErrorCode::Interrupted,
                [&] { run_recipe(folder, {.recipe = kRecipe}, &impatient); });
  EXPECT_FALSE(fs::exists(work()));
}

/// Standard error of which the line of the first block is a Ctrl-C.
ssize_t write_and_interrupt(void*, const char* text, size_t length) {
  const std::string_view line(text, length);
  if (line.find("(1 of 3)") != std::string_view::npos) {
    raise(SIGINT);
  }
  return write(STDERR_FILENO, text, length);
}

[[noreturn]] void run_as_a_command(const TemporaryFolder& folder) {
  use_one_thread();
  stderr = fopencookie(nullptr, "w", {nullptr, write_and_interrupt, nullptr, nullptr});
  setvbuf(stderr, nullptr, _IOLBF, 0);
  cli::RecipeArguments arguments;
  arguments.recipe = folder.path() / "recipe.yaml";
  arguments.model = tiny_llama();
  cli::RunArguments run;
  run.output = folder.path() / "out";
  try {
    cli::run_command(arguments, run);
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    _exit(error.exit_code());
  }
  _exit(0);
}

TEST_F(Resume, CtrlCSaysWhatIsKept) {
  write_file(folder.path() / "recipe.yaml", kRecipe);
  EXPECT_EXIT(run_as_a_command(folder),
              testing::ExitedWithCode(130),
              testing::AllOf(HasSubstr("kept 1 tuned blocks: the same command goes on behind them"),
                             HasSubstr("interrupted")));
  EXPECT_EQ(resumed_by({.recipe = kRecipe}), 1u);
}

}  // namespace
}  // namespace oneshot
