#include "engine/checkpoint/sha256.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/expect_error.h"
#include "tests/support/temporary_folder.h"

namespace oneshot {
namespace {

TEST(Sha256, MatchesThePublishedVectors) {
  // FIPS 180-2, appendix B.
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Sha256, ReadsAFileOfManyPieces) {
  TemporaryFolder folder;
  std::string million(1'000'000, 'a');
  write_file(folder.path() / "million", million);
  EXPECT_EQ(sha256_file_hex(folder.path() / "million"),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  std::string pieces(3'000'001, 'b');
  write_file(folder.path() / "pieces", pieces);
  EXPECT_EQ(sha256_file_hex(folder.path() / "pieces"), sha256_hex(pieces));
  write_file(folder.path() / "empty", "");
  EXPECT_EQ(sha256_file_hex(folder.path() / "empty"), sha256_hex(""));
}

TEST(Sha256, NamesAFileThatIsNotThere) {
  TemporaryFolder folder;
  expect_error(ErrorCode::Checkpoint,
               folder.string() + "/none: cannot open: No such file or directory",
               [&] { sha256_file_hex(folder.path() / "none"); });
}

}  // namespace
}  // namespace oneshot
