// What holds for every text and every file.
#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "engine/error.h"
#include "engine/text/tokenizer.h"
#include "engine/text/unicode.h"
#include "tests/support/temporary_folder.h"
#include "tests/text/small_tokenizer.h"

namespace oneshot {
namespace {

using Json = nlohmann::json;

Json file_named(const std::string& name) {
  return Json::parse(read_file(ONESHOT_TEST_DATA "/text/tokenizer/" + name + ".json"));
}

class RandomText {
 public:
  explicit RandomText(uint32_t seed) : random_(seed) {}

  uint32_t below(uint32_t bound) { return random_() % bound; }

  /// Valid UTF-8 of up to 60 characters from all planes, half of them ASCII.
  std::string valid() {
    std::string text;
    for (uint32_t i = below(60); i > 0; --i) {
      const uint32_t bounds[] = {0x80, 0x80, 0x80, 0x800, 0x3000, 0x10000, 0x110000};
      const uint32_t code = below(bounds[below(7)]);
      if (code < 0xD800 || code > 0xDFFF) {
        append_utf8(code, text);
      }
    }
    return text;
  }

  std::string bytes() {
    std::string text(below(40), '\0');
    for (char& byte : text) {
      byte = static_cast<char>(below(256));
    }
    return text;
  }

 private:
  std::mt19937 random_;
};

TEST(TokenizerProperty, ByteLevelTokenizersGiveEveryTextBack) {
  for (const char* name : {"llama3", "tekken", "digits", "split_contiguous"}) {
    const Tokenizer tokenizer = read(file_named(name));
    RandomText random(7);
    for (int i = 0; i < 3000; ++i) {
      const std::string text = random.valid();
      ASSERT_EQ(tokenizer.decode(tokenizer.encode(text, false), false), text) << name;
    }
  }
}

TEST(TokenizerProperty, ByteFallbackGivesEveryTextBack) {
  const Tokenizer tokenizer = read(file_named("llama2"));
  RandomText random(8);
  for (int i = 0; i < 3000; ++i) {
    const std::string text = random.valid();
    // The mark of a space is read as one.
    if (text.find("\u2581") == std::string::npos) {
      ASSERT_EQ(tokenizer.decode(tokenizer.encode(text, false), false), text);
    }
  }
}

TEST(TokenizerProperty, RandomBytesAreTokenizedOrRefused) {
  for (const char* name : {"llama2", "flags", "qwen2", "words"}) {
    const Tokenizer tokenizer = read(file_named(name));
    RandomText random(9);
    for (int i = 0; i < 3000; ++i) {
      const std::string text = random.bytes();
      if (!first_invalid_byte(text)) {
        tokenizer.encode(text, true);
      } else {
        EXPECT_THROW(tokenizer.encode(text, true), Error);
      }
      EXPECT_FALSE(first_invalid_byte(replace_invalid_utf8(text)));
    }
  }
}

TEST(TokenizerProperty, RandomIdsDecodeToValidUtf8) {
  for (const char* name : {"llama2", "llama3", "metaspace_always", "nfkc"}) {
    const Tokenizer tokenizer = read(file_named(name));
    RandomText random(10);
    for (int i = 0; i < 2000; ++i) {
      std::vector<int32_t> ids(random.below(20));
      for (int32_t& id : ids) {
        id = static_cast<int32_t>(random.below(650));
      }
      ASSERT_FALSE(first_invalid_byte(tokenizer.decode(ids, false))) << name;
    }
  }
}

TEST(TokenizerProperty, AFileWithAnyValueReplacedIsReadOrRefused) {
  const Json values[] = {
      nullptr, true, -1, 3.5, "", "x", "\u2581", Json::array(), Json::array({1}), Json::object()};
  for (const char* name : {"llama2", "llama3", "words"}) {
    Json file = file_named(name);
    for (const char* part :
         {"vocab", "merges"}) {  // the long lists are the business of one test above
      file["model"][part] = small_tokenizer()["model"][part];
    }
    const Json flat = file.flatten();
    for (const auto& [pointer, unused] : flat.items()) {
      for (const Json& value : values) {
        for (Json::json_pointer at(pointer); !at.empty(); at.pop_back()) {
          Json changed = file;
          changed[at] = value;
          try {
            read(changed).encode("a b<s> 1", true);
          } catch (const Error& error) {
            EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
            EXPECT_TRUE(error.exit_code() == 3 || error.exit_code() == 4) << error.what();
          }
        }
      }
    }
  }
}

TEST(TokenizerProperty, OneWordOfAMegabyteIsNoTrouble) {
  const std::string text(1 << 20, 'a');
  const std::string spaces(1 << 20, ' ');
  for (const char* name : {"llama2", "llama3", "metaspace_first"}) {
    const Tokenizer tokenizer = read(file_named(name));
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(text, false), false), text) << name;
    EXPECT_EQ(tokenizer.decode(tokenizer.encode("x" + spaces, false), false), "x" + spaces) << name;
  }
}

TEST(TokenizerProperty, ThreadsShareATokenizer) {
  const Tokenizer tokenizer = read(file_named("qwen2"));
  std::vector<std::vector<int32_t>> found(4);
  std::vector<std::thread> threads;
  for (auto& ids : found) {
    threads.emplace_back([&tokenizer, &ids] {
      RandomText random(11);
      for (int i = 0; i < 500; ++i) {
        const auto more = tokenizer.encode(random.valid(), true);
        ids.insert(ids.end(), more.begin(), more.end());
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_FALSE(found[0].empty());
  for (const auto& ids : found) {
    EXPECT_EQ(ids, found[0]);
  }
}

}  // namespace
}  // namespace oneshot
