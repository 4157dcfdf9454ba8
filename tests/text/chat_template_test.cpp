// Chat templates against what transformers renders, their errors and their limits.
#include "engine/text/chat_template.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "engine/checkpoint/message_text.h"
#include "engine/error.h"
#include "tests/support/expect_error.h"
#include "tests/support/temporary_folder.h"

namespace oneshot {
namespace {

using Json = nlohmann::ordered_json;

std::string read_text(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  EXPECT_TRUE(stream.good()) << file;
  return {std::istreambuf_iterator<char>(stream), {}};
}

std::filesystem::path data_file(const std::string& name) {
  return std::filesystem::path(ONESHOT_TEST_DATA) / "text" / "chat" / name;
}

Json read_json(const std::string& name) {
  return Json::parse(read_text(data_file(name)));
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

/// Renders and compares with a stored case: its text, what it raises, or that it fails.
void expect_case(const Json& expected,
                 const std::string& source,
                 const Json& messages,
                 const Json& context) {
  std::string got;
  try {
    got = ChatTemplate(source, "t.jinja").render(messages, context);
  } catch (const Error& error) {
    std::string message = error.what();
    EXPECT_FALSE(expected.contains("text")) << message;
    if (expected.contains("raises") && error.code() != ErrorCode::Unsupported) {
      std::string raised = expected["raises"].get<std::string>();
      EXPECT_THAT(message, testing::EndsWith(": chat template: " + one_line(raised)));
    }
    EXPECT_THAT(message, testing::StartsWith("t.jinja:"));
    return;
  }
  ASSERT_TRUE(expected.contains("text")) << "rendered: " << got;
  EXPECT_EQ(got, expected["text"].get<std::string>());
}

TEST(ChatTemplate, RendersConversationsAsTransformers) {
  Json stored = read_json("conversations.json");
  size_t cases = 0;
  for (const Json& expected : read_json("conversation_cases.json")) {
    SCOPED_TRACE(expected["template"].dump() + expected["conversation"].dump() +
                 expected["context"].dump());
    Json context = stored["contexts"][expected["context"].get<std::string>()];
    context["strftime_now"] = "2024-09-05 14:03:07";
    expect_case(expected,
                read_text(data_file("templates/" + expected["template"].get<std::string>())),
                stored["conversations"][expected["conversation"].get<std::string>()],
                context);
    ++cases;
  }
  EXPECT_GT(cases, 1000U);
}

TEST(ChatTemplate, RendersExpressionsAsJinja) {
  Json context = read_json("conversations.json")["variables"];
  context["strftime_now"] = "2024-09-05 14:03:07";
  size_t cases = 0;
  for (const Json& expected : read_json("expression_cases.json")) {
    SCOPED_TRACE(expected["source"].dump());
    Json variables = context;
    expect_case(expected, expected["source"].get<std::string>(), Json::array(), variables);
    ++cases;
  }
  EXPECT_GT(cases, 250U);
}

std::string rendered(const std::string& source, const Json& context = Json::object()) {
  return ChatTemplate(source, "t.jinja").render(Json::array(), context);
}

TEST(ChatTemplate, NamesWhereATemplateIsWrong) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"a\n{{ 1 + }}", "t.jinja:2: chat template: expected an expression, found '}}'"},
      {"{% if a %}\n\nx", "t.jinja:3: chat template: the template ends before 'endif'"},
      {"{% endfor %}", "t.jinja:1: chat template: unexpected tag 'endfor'"},
      {"\n\n{{ 'abc }}", "t.jinja:3: chat template: a string without its end"},
      {"{{ a ? }}", "t.jinja:1: chat template: unexpected character '?'"},
      {"{{ x.y }}", "t.jinja:1: chat template: 'x' is undefined"},
      {"\n{{ raise_exception('no\nroles') }}", "t.jinja:2: chat template: no\\nroles"},
      {"\xFF", "t.jinja:1: chat template: the template is not UTF-8"},
  };
  for (const auto& [source, message] : cases) {
    SCOPED_TRACE(message);
    expect_error(ErrorCode::Checkpoint, message, [&, &text = source] { rendered(text); });
  }
}

TEST(ChatTemplate, RefusesWhatItDoesNotKnow) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"\n{% include 'x' %}", "t.jinja:2: chat template: the tag 'include' is not supported"},
      {"{{ a|urlize }}", "t.jinja:1: chat template: the filter 'urlize' is not supported"},
      {"{{ a is escaped }}", "t.jinja:1: chat template: the test 'escaped' is not supported"},
      {"{{ f(*a) }}", "t.jinja:1: chat template: a call with * or ** is not supported"},
      {"{{ ''.zfill(3) }}",
       "t.jinja:1: chat template: the method 'zfill' of a str is not supported"},
      {"{% for x in y recursive %}{% endfor %}",
       "t.jinja:1: chat template: a recursive loop is not supported"},
      {"{{ 99999999999999999999 }}",
       "t.jinja:1: chat template: an integer of more than 64 bits is not supported"},
  };
  for (const auto& [source, message] : cases) {
    SCOPED_TRACE(message);
    expect_error(ErrorCode::Unsupported, message, [&, &text = source] { rendered(text); });
  }
}

TEST(ChatTemplate, StopsHostileTemplates) {
  std::string brackets(100'000, '(');
  std::string sum = "{{ 1";
  std::string blocks;
  for (int i = 0; i < 10'000; ++i) {
    sum += " + 1";
    blocks += "{% if true %}";
  }
  const std::string loop = "{% for x in range(100000) %}";
  const std::vector<std::string> hostile = {
      "{{ " + brackets,
      "{{ " + replaced(brackets, "(", "[") + "{{ " + replaced(brackets, "(", "-"),
      "{{ " + replaced(brackets, "(", "not "),
      sum + " }}",
      blocks,
      "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
      "{{ 'a' * 1000000000000 }}",
      "{{ [1] * 1000000000000 }}",
      "{% set ns = namespace(a='aaaaaaaa') %}" + loop + "{% set ns.a = ns.a + ns.a %}{% endfor %}",
      "{% set ns = namespace(a=[1]) %}" + loop + "{% set ns.a = ns.a + ns.a %}{% endfor %}",
      "{% set ns = namespace(a=[]) %}" + loop + "{% set ns.a = [ns.a, ns.a] %}{% endfor %}",
      "{% set ns = namespace(a=[1]) %}{% for x in range(90) %}{% set ns.a = [ns.a, ns.a] %}"
      "{% endfor %}{{ ns.a }}",
      "{% set ns = namespace(a=[1], b=[1]) %}{% for x in range(90) %}{% set ns.a = [ns.a, ns.a] %}"
      "{% set ns.b = [ns.b, ns.b] %}{% endfor %}{{ ns.a == ns.b }}",
      loop + loop + "{% endfor %}{% endfor %}",
      "{% set a = 'a' * 60000000 %}" + loop + "{{ a }}{% endfor %}",
      "{% set a = 'a' * 60000000 %}{{ a|replace('a', a) }}",
      "{% set a = 'a' * 60000000 %}{{ (['x'] * 1000)|join(a) }}",
      "{% set a = 'a' * 60000000 %}" + loop + "{% set b = 'b' in a %}{% endfor %}",
      "{% set ns = namespace() %}{% set ns.a = ns %}{{ ns }}",
      "{% set ns = namespace(a=0) %}" + loop +
          "{% set ns.a = namespace(a=ns.a) %}{% endfor %}{{ ns.a }}",
      "{% macro m(f) %}{{ f(f) }}{% endmacro %}{{ m(m) }}",
      "{% for x in [1] %}{% macro m() %}{{ x }}{% endmacro %}{% set ns.m = m %}{% endfor %}",
  };
  for (const std::string& source : hostile) {
    SCOPED_TRACE(source.substr(0, 200));
    EXPECT_THROW(rendered(source), Error);
  }
}

TEST(ChatTemplate, ANamespaceMayHoldItself) {
  EXPECT_EQ(rendered("{% set ns = namespace(x=1) %}{% set ns.a = ns %}{{ ns.a.a.a.x }}"), "1");
}

TEST(ChatTemplate, RandomTemplatesNeverCrash) {
  static constexpr const char* kPieces[] = {"{{",
                                            "}}",
                                            "{%",
                                            "%}",
                                            "{#",
                                            "#}",
                                            "-",
                                            "+",
                                            " ",
                                            "\n",
                                            "if ",
                                            "for",
                                            " in ",
                                            "set ",
                                            "endif",
                                            "endfor",
                                            "else",
                                            "macro ",
                                            "endmacro",
                                            "(",
                                            ")",
                                            "[",
                                            "]",
                                            "{",
                                            "}",
                                            ".",
                                            ",",
                                            ":",
                                            "|",
                                            "~",
                                            "*",
                                            "/",
                                            "//",
                                            "%",
                                            "=",
                                            "==",
                                            "<",
                                            "not ",
                                            "and ",
                                            "or ",
                                            "is ",
                                            "a",
                                            "b",
                                            "loop",
                                            "'x'",
                                            "\"y\\n\"",
                                            "1",
                                            "2.5",
                                            "-1",
                                            "none",
                                            "d",
                                            "l",
                                            "trim",
                                            "join",
                                            "length",
                                            "tojson",
                                            "items",
                                            "first",
                                            "defined",
                                            "é",
                                            "raw",
                                            "endraw",
                                            "{{ l",
                                            " }}",
                                            "{% if a %}",
                                            "{% endif %}",
                                            "{% for x in l %}",
                                            "{% endfor %}",
                                            "ns",
                                            "namespace(",
                                            "range(",
                                            "generation",
                                            "endgeneration",
                                            "split",
                                            "\\",
                                            "'",
                                            "map('upper')"};
  Json context = {
      {"a", "text"}, {"d", {{"k", Json::array({1, "é"})}}}, {"l", {1, 2.5, "x", nullptr}}};
  std::mt19937 random(7);
  size_t good = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string source;
    for (size_t count = random() % 24; count > 0; --count) {
      source += kPieces[random() % std::size(kPieces)];
    }
    SCOPED_TRACE(source);
    try {
      rendered(source, context);
      ++good;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), testing::StartsWith("t.jinja:"));
    }
  }
  EXPECT_GT(good, 1000U);
}

TEST(ChatTemplate, DamagedTemplatesNeverCrash) {
  Json stored = read_json("conversations.json");
  std::mt19937 random(11);
  for (const char* name : {"llama_3.1.jinja", "mistral_v0.3.jinja", "hermes_3_tools.jinja"}) {
    const std::string whole = read_text(data_file(std::string("templates/") + name));
    for (int round = 0; round < 300; ++round) {
      std::string source = whole;
      for (int change = 0; change < 3; ++change) {
        size_t at = random() % source.size();
        size_t from = random() % source.size();
        source.replace(at, random() % 4, source.substr(from, random() % 8));
      }
      try {
        ChatTemplate(source, "t.jinja")
            .render(stored["conversations"]["tool_call"], stored["contexts"]["options"]);
      } catch (const Error& error) {
        EXPECT_THAT(error.what(), testing::StartsWith("t.jinja:"));
      }
    }
  }
}

TEST(ChatTemplate, TheTimeIsTheContexts) {
  const std::string source =
      "{{ strftime_now('%d %b %Y') if strftime_now is defined else 'none' }}";
  EXPECT_EQ(rendered(source), "none");
  EXPECT_EQ(rendered(source, {{"strftime_now", "2024-02-29"}}), "29 Feb 2024");
  expect_error(ErrorCode::Checkpoint,
               "strftime_now: expected a time like 2024-07-26 15:04:05, found 'noon'",
               [&] {
                 rendered(source, {{"strftime_now", "noon"}});
               });
}

void write_text(const std::filesystem::path& file, const std::string& text) {
  std::ofstream(file, std::ios::binary) << text;
}

std::string rendered_from(const std::filesystem::path& folder) {
  auto found = ChatTemplate::from_folder(folder);
  return found ? found->render(nlohmann::json::array(), nlohmann::json::object()) : "nothing";
}

TEST(ChatTemplate, IsFoundInAFolder) {
  TemporaryFolder folder;
  EXPECT_EQ(rendered_from(folder.path()), "nothing");
  write_text(folder.path() / "tokenizer_config.json", R"({"chat_template": null})");
  EXPECT_EQ(rendered_from(folder.path()), "nothing");
  write_text(folder.path() / "tokenizer_config.json",
             R"({"chat_template": [{"name": "tool_use", "template": "T"},
                                   {"name": "default", "template": "D{{ 1 + 1 }}"}]})");
  EXPECT_EQ(rendered_from(folder.path()), "D2");
  write_text(folder.path() / "tokenizer_config.json", R"({"chat_template": "C"})");
  EXPECT_EQ(rendered_from(folder.path()), "C");
  write_text(folder.path() / "chat_template.json", R"({"chat_template": "J"})");
  EXPECT_EQ(rendered_from(folder.path()), "J");
  write_text(folder.path() / "chat_template.jinja", "{{ 'jinja' }}\n");
  EXPECT_EQ(rendered_from(folder.path()), "jinja");
}

TEST(ChatTemplate, ADamagedConfigIsNamed) {
  TemporaryFolder folder;
  std::filesystem::path file = folder.path() / "tokenizer_config.json";
  write_text(file, R"({"chat_template": [{"name": "tool_use", "template": "T"}]})");
  expect_error(ErrorCode::Checkpoint,
               file.string() + ": chat_template: has no template named 'default'",
               [&] { ChatTemplate::from_folder(folder.path()); });
  write_text(file, R"({"chat_template": 7})");
  expect_error(ErrorCode::Checkpoint,
               file.string() + ": chat_template: expected a text or a list of {name, template}",
               [&] { ChatTemplate::from_folder(folder.path()); });
}

}  // namespace
}  // namespace oneshot
