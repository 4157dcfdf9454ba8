// What is wrong with a tokenizer.json, or not supported, is said in one line with the place.
#include <gtest/gtest.h>

#include "tests/support/expect_error.h"
#include "tests/support/temporary_folder.h"
#include "tests/text/small_tokenizer.h"

namespace oneshot {
namespace {

using Json = nlohmann::json;

void expect_refused(ErrorCode code, const std::string& message, const Json& json) {
  expect_error(code, "m/tokenizer.json: " + message, [&] { read(json); });
}

TEST(TokenizerRefusal, NamesComponentsThatAreNotSupported) {
  const auto expect = [](const std::string& message, const Json& json) {
    expect_refused(ErrorCode::Unsupported, message + " is not supported", json);
  };
  expect("model: type 'WordPiece'", with("/model/type", "WordPiece"));
  expect("model: type 'Unigram'", with("/model/type", "Unigram"));
  expect("normalizer: type 'BertNormalizer'", with("/normalizer", {{"type", "BertNormalizer"}}));
  expect(
      "normalizer.normalizers[1]: type 'Precompiled'",
      with(
          "/normalizer",
          Json::parse(
              R"({"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Precompiled"}]})")));
  expect(
      "pre_tokenizer.pretokenizers[0]: type 'UnicodeScripts'",
      with("/pre_tokenizer",
           Json::parse(R"({"type": "Sequence", "pretokenizers": [{"type": "UnicodeScripts"}]})")));
  expect("post_processor: type 'BertProcessing'",
         with("/post_processor", {{"type", "BertProcessing"}}));
  expect("decoder: type 'CTC'", with("/decoder", {{"type", "CTC"}}));
  expect("model: dropout, which makes ids random,", with("/model/dropout", 0.1));
}

TEST(TokenizerRefusal, NamesRegularExpressionsThatAreNotSupported) {
  const auto expect = [](const std::string& what, const std::string& expression) {
    Json split = {{"type", "Split"}, {"behavior", "Isolated"}, {"invert", false}};
    split["pattern"] = {{"Regex", expression}};
    expect_refused(ErrorCode::Unsupported,
                   "pre_tokenizer.pattern: " + what + " is not supported",
                   with("/pre_tokenizer", split));
  };
  expect("a class made of classes in the regular expression '[a-z&&[^b]]'", "[a-z&&[^b]]");
  expect("\\h in the regular expression '\\\\h+'", "\\h+");
  expect("the regular expression 'a(b' (missing closing parenthesis at byte 3)", "a(b");
}

TEST(TokenizerRefusal, SaysWhatIsDamaged) {
  const auto expect = [](const std::string& message, const Json& json) {
    expect_refused(ErrorCode::Checkpoint, message, json);
  };
  expect("holds JSON array, expected an object", Json::array());
  expect("has no 'model'", Json::object());
  expect("model: has no 'vocab'", Json{{"model", Json::object()}});
  expect("model: 'vocab' is no object of tokens and their ids",
         with("/model/vocab", Json::array()));
  expect("model.vocab.a: expected a whole number from 0 to 2147483647", with("/model/vocab/a", -1));
  expect("model.vocab.a: expected a whole number from 0 to 2147483647",
         with("/model/vocab/a", 1e10));
  expect("model: the tokens 'a' and 'b' have one id, 1", with("/model/vocab/a", 1));
  expect("model: has no 'merges'", with("/model", Json{{"vocab", Json::object()}}));
  expect("model: merges[0], 'a', is not two tokens with one space between them",
         with("/model/merges", {"a"}));
  expect("model: merges[1] is no pair of tokens", with("/model/merges/1", Json::array({"a", 1})));
  expect(
      "model: a merge makes or takes 'ax', which is not in the vocabulary",
      with("/model/vocab", {{"a", 0}, {"x", 1}})
          .patch(Json::parse(R"([{"op": "replace", "path": "/model/merges", "value": ["a x"]}])")));
  expect("model: 'unk_token' '<unk>' is not in the vocabulary", with("/model/unk_token", "<unk>"));
  expect("model: 'fuse_unk' holds JSON number, expected true or false", with("/model/fuse_unk", 1));
  expect("added_tokens[0]: has no 'content'", with("/added_tokens/0", Json::object()));
  expect("'added_tokens' holds JSON string, expected a list", with("/added_tokens", "x"));
  expect("decoder: has no 'type'", with("/decoder", Json::object()));
  expect("pre_tokenizer: 'replacement' holds JSON string, expected one character",
         with("/pre_tokenizer", {{"type", "Metaspace"}, {"replacement", "ab"}}));
  expect(
      "post_processor: 'special_tokens' has no '<s>'",
      with("/post_processor",
           Json::parse(R"({"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>"}},
                              {"Sequence": {"id": "A"}}]})")));
}

TEST(TokenizerRefusal, NamesTheFileThatIsMissingOrNoJson) {
  const TemporaryFolder folder;
  const std::string file = folder.string() + "/tokenizer.json";
  EXPECT_NE(error_message(ErrorCode::Checkpoint, [&] { Tokenizer::from_folder(folder.path()); })
                .find(file),
            std::string::npos);
  write_file(file, "{\"model\": }");
  expect_error(ErrorCode::Checkpoint, file + ":1:11: not valid JSON", [&] {
    Tokenizer::from_folder(folder.path());
  });
}

}  // namespace
}  // namespace oneshot
