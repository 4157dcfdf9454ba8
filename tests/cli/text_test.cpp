// Numbers and tables as people read them.
#include "cli/text.h"

#include <gtest/gtest.h>

namespace oneshot::cli {
namespace {

TEST(Text, BytesHaveThreeDigits) {
  EXPECT_EQ(bytes_text(0), "0 B");
  EXPECT_EQ(bytes_text(999), "999 B");
  EXPECT_EQ(bytes_text(1000), "1.00 kB");
  EXPECT_EQ(bytes_text(56'623'104), "56.6 MB");
  EXPECT_EQ(bytes_text(999'600), "1.00 MB");
  EXPECT_EQ(bytes_text(269'060'552), "269 MB");
  EXPECT_EQ(bytes_text(21'340'000'000), "21.3 GB");
}

TEST(Text, SecondsGrowIntoMinutesAndHours) {
  EXPECT_EQ(seconds_text(0.0571), "57 ms");
  EXPECT_EQ(seconds_text(4.21), "4.2 s");
  EXPECT_EQ(seconds_text(200), "3 min 20 s");
  EXPECT_EQ(seconds_text(7500), "2 h 05 min");
}

TEST(Text, TablesAlignByWhatIsSeen) {
  EXPECT_EQ(table_text({{"a", "n"}, {"é→", "10"}, {"long", "5"}}, {false, true}),
            "a      n\n"
            "é→    10\n"
            "long   5\n");
}

}  // namespace
}  // namespace oneshot::cli
