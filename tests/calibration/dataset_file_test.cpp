// Rows of files and folders, and what is said of those that are damaged.
#include "engine/calibration/dataset_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/expect_error.h"
#include "tests/support/temporary_folder.h"

namespace oneshot {
namespace {

using testing::ElementsAre;
using Strings = std::vector<std::string>;

class DatasetFileTest : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return (folder_.path() / name).string(); }

  DatasetFile open(const std::string& name, DatasetFormat format = DatasetFormat::Auto) const {
    return {path(name), format, "recipe.yaml:3:5"};
  }

  Strings rows(const std::string& name,
               const std::string& text,
               DatasetFormat format = DatasetFormat::Auto) const {
    write_file(path(name), text);
    const DatasetFile file = open(name, format);
    Strings found;
    for (int64_t i = 0; i < file.size(); ++i) {
      found.push_back(file.row(i));
    }
    return found;
  }

  Strings places(const std::string& name) const {
    const DatasetFile file = open(name);
    Strings found;
    for (int64_t i = 0; i < file.size(); ++i) {
      found.push_back(file.place(i).text().substr(folder_.string().size() + 1));
    }
    return found;
  }

  /// Each message begins with the file's path.
  void expect_damaged(const std::string& name,
                      const std::string& text,
                      const std::string& message,
                      DatasetFormat format = DatasetFormat::Auto) const {
    expect_error(ErrorCode::Checkpoint, path(name) + message, [&] { rows(name, text, format); });
  }

  TemporaryFolder folder_;
};

TEST_F(DatasetFileTest, ReadsLines) {
  EXPECT_THAT(rows("a.jsonl", "\n{\"text\": \"x\\n]\"}\r\n  \n\"y\"\n[1]"),
              ElementsAre("{\"text\": \"x\\n]\"}\r", "\"y\"", "[1]"));
  EXPECT_THAT(places("a.jsonl"), ElementsAre("a.jsonl:2", "a.jsonl:4", "a.jsonl:5"));
  EXPECT_THAT(rows("b.ndjson", "\xEF\xBB\xBF{}\n"), ElementsAre("{}"));
}

TEST_F(DatasetFileTest, ReadsLists) {
  EXPECT_THAT(rows("a.json", "[ {\"a\": [1, \"]\", {}]} ,\n\n \"x,\\\"]\",\n3 ] \n"),
              ElementsAre("{\"a\": [1, \"]\", {}]}", "\"x,\\\"]\"", "3"));
  EXPECT_THAT(places("a.json"), ElementsAre("a.json:1", "a.json:3", "a.json:4"));
}

TEST_F(DatasetFileTest, ReadsTheListThatAnObjectWraps) {
  EXPECT_THAT(rows("a.json", " {\"data\" : [ {\"text\": \"x\"}, {\"text\": \"y\"} ] }\n"),
              ElementsAre("{\"text\": \"x\"}", "{\"text\": \"y\"}"));
  // These are rows themselves.
  EXPECT_EQ(rows("b.json", "{\"input_ids\": [1, 2]}").size(), 1U);
  EXPECT_EQ(rows("c.json", "{\"data\": [1, 2], \"more\": 0}").size(), 1U);
}

TEST_F(DatasetFileTest, ReadsLinesInAFileThatIsNamedJson) {
  EXPECT_THAT(rows("a.json", "{\"text\": \"x\"}\n{\"text\": \"y\"}\n"),
              ElementsAre("{\"text\": \"x\"}", "{\"text\": \"y\"}"));
  expect_damaged("a.json",
                 "{\"text\": \"x\"}\n{\"text\": \"y\"}\n",
                 ": more than one JSON value in it; is it written as `format: jsonl`?",
                 DatasetFormat::Json);
}

TEST_F(DatasetFileTest, ReadsAFormatThatTheNameDoesNotTell) {
  EXPECT_THAT(rows("a.dat", "1\n2\n", DatasetFormat::JsonLines), ElementsAre("1", "2"));
  EXPECT_THAT(rows("a.dat", "1\n2\n", DatasetFormat::Text), ElementsAre("1\n2\n"));
  expect_error(ErrorCode::Recipe,
               "recipe.yaml:3:5: cannot tell from its name how '" + path("a.dat") +
                   "' is written; write `dataset: [{path: …, format: json | jsonl | text}]`",
               [&] { open("a.dat"); });
}

TEST_F(DatasetFileTest, ReadsATextAsOneRow) {
  EXPECT_THAT(rows("a.TXT", "\xEF\xBB\xBFone\n\ntwo"), ElementsAre("one\n\ntwo"));
  EXPECT_THAT(places("a.TXT"), ElementsAre("a.TXT"));
}

TEST_F(DatasetFileTest, ReadsTheTextsOfAFolderByName) {
  write_file(path("texts/b.md"), "B");
  write_file(path("texts/c.txt"), "C");
  write_file(path("texts/a.txt"), "A");
  write_file(path("texts/.hidden.txt"), "H");
  write_file(path("texts/data.bin"), "D");
  write_file(path("texts/deeper/d.txt"), "D");
  const DatasetFile file = open("texts");
  EXPECT_EQ(file.size(), 3);
  EXPECT_EQ(file.row(0) + file.row(1) + file.row(2), "ABC");
  EXPECT_THAT(file.warnings(),
              ElementsAre(path("texts") +
                          ": 2 entries of this folder are left out: only .txt and .md files "
                          "directly in it are read"));
}

TEST_F(DatasetFileTest, NamesTheLineOfDamagedJson) {
  expect_damaged("a.jsonl", "{}\n{\"text\": \"x}\n{}\n", ":2:13: not valid JSON");
  expect_damaged("a.jsonl", "{}\n{} {}\n", ":2:4: not valid JSON");
  expect_damaged("a.jsonl", "{}\n1e999\n", ":2: not valid JSON, a number is too large");
  expect_damaged("a.jsonl", "{}\n\"\xC3(\"\n", ":2:2: not valid UTF-8; convert the file");
  expect_damaged(
      "a.jsonl", std::string("{}\n\"\0\"\n", 7), ":2:2: holds a zero byte; is this a text file?");
  expect_damaged("a.json", "[1,\n{\"a\":\n 2}},\n3]", ":3:4: not valid JSON");
  expect_damaged("a.json", "[1,\n2", ":2:2: not valid JSON");
  expect_damaged("a.json", "[1, 2 3]", ":1:7: not valid JSON");
  expect_damaged("a.json", "[1,\n]", ":2:1: not valid JSON");
  expect_damaged("a.json", "[1]\n [2]", ":2: not valid JSON, something stands behind the list");
}

TEST_F(DatasetFileTest, SurvivesDeepNesting) {
  const std::string deep = std::string(1'000'000, '[') + std::string(1'000'000, ']');
  EXPECT_EQ(rows("a.jsonl", deep).size(), 1U);  // refused by whoever parses it
  expect_damaged("a.json", "[" + std::string(1'000'000, '{'), ":1:3: not valid JSON");
}

TEST_F(DatasetFileTest, NamesWhatIsMissingOrEmpty) {
  expect_error(ErrorCode::Checkpoint,
               path("none.jsonl") + ": this dataset is not there; is the path right?",
               [&] { open("none.jsonl"); });
  for (const char* name : {"a.jsonl", "a.json", "a.txt"}) {
    expect_damaged(name, "", ": the file is empty");
  }
  expect_damaged("a.jsonl", " \n\n", ": holds no row");
  expect_damaged("a.json", " [ ]\n", ": holds no row");
  std::filesystem::create_directory(path("folder"));
  expect_error(ErrorCode::Checkpoint,
               path("folder") +
                   ": this folder holds no .txt or .md file; name a file in it or another folder",
               [&] { open("folder"); });
}

TEST_F(DatasetFileTest, NamesTheLineOfATextThatIsNone) {
  expect_damaged("a.txt", "one\ntwo \xFF\n", ":2: not valid UTF-8; convert the file");
  expect_damaged(
      "a.txt", std::string("one\ntwo\n\0", 9), ":3: holds a zero byte; is this a text file?");
}

TEST_F(DatasetFileTest, SaysHowToConvertOtherKinds) {
  write_file(path("a.parquet"), "PAR1");
  expect_error(ErrorCode::Unsupported,
               path("a.parquet") +
                   ": .parquet files are not read; convert it: python3 -c \\\"import pandas; "
                   "pandas.read_parquet('a.parquet').to_json('a.parquet.jsonl', "
                   "orient='records', lines=True)\\\"",
               [&] { open("a.parquet"); });
  write_file(path("saved/data-00000-of-00001.arrow"), "");
  EXPECT_THAT(error_message(ErrorCode::Unsupported, [&] { open("saved"); }),
              testing::HasSubstr("datasets.Dataset.from_file('data-00000-of-00001.arrow')"));
  write_file(path("a.jsonl.gz"), "");
  expect_error(
      ErrorCode::Unsupported,
      path("a.jsonl.gz") + ": .gz files are not read; convert it: gunzip --keep 'a.jsonl.gz'",
      [&] { open("a.jsonl.gz"); });
}

TEST_F(DatasetFileTest, ReadsRowsAcrossThePiecesOfAFile) {
  const std::string row = "{\"text\": \"" + std::string(3'000'000, 'x') + "\"}";
  EXPECT_THAT(rows("a.jsonl", row + "\n" + row + "\n"), ElementsAre(row, row));
  EXPECT_THAT(rows("a.json", "[" + row + "," + row + "]"), ElementsAre(row, row));
}

}  // namespace
}  // namespace oneshot
