#include "engine/text/chat_template.h"

#include <cstdio>
#include <fstream>
#include <iterator>
#include <utility>

#include "engine/checkpoint/json_file.h"
#include "engine/checkpoint/message_text.h"
#include "engine/error.h"
#include "engine/text/jinja_interpreter.h"
#include "engine/text/jinja_parser.h"

namespace oneshot {
namespace {

constexpr size_t kLongestSource = size_t{1} << 20;

[[noreturn]] void throw_at(const std::string& file, int line, const jinja::Failure& failure) {
  std::string where = one_line(file) + ":" + std::to_string(failure.line > 0 ? failure.line : line);
  throw Error(failure.code, where + ": chat template: " + one_line(failure.what()));
}

/// The time of a context, as strftime_now tells it.
std::optional<std::tm> time_of(const nlohmann::ordered_json& context) {
  auto found = context.find("strftime_now");
  if (found == context.end() || found->is_null()) {
    return std::nullopt;
  }
  std::tm time{};
  char rest = '\0';
  std::string text = found->is_string() ? found->get<std::string>() : "";
  int read = std::sscanf(text.c_str(),
                         "%4d-%2d-%2d%*1[ T]%2d:%2d:%2d%c",
                         &time.tm_year,
                         &time.tm_mon,
                         &time.tm_mday,
                         &time.tm_hour,
                         &time.tm_min,
                         &time.tm_sec,
                         &rest);
  bool in_range = time.tm_mon >= 1 && time.tm_mon <= 12 && time.tm_mday >= 1 &&
                  time.tm_mday <= 31 && time.tm_hour >= 0 && time.tm_hour < 24 &&
                  time.tm_min >= 0 && time.tm_min < 60 && time.tm_sec >= 0 && time.tm_sec <= 60 &&
                  time.tm_year >= 1;
  if (!((read == 3 && text.size() <= 10) || read == 6) || !in_range) {
    throw Error(ErrorCode::Checkpoint,
                "strftime_now: expected a time like 2024-07-26 15:04:05, found " + in_quotes(text));
  }
  time.tm_year -= 1900;
  time.tm_mon -= 1;
  time.tm_isdst = -1;
  timegm(&time);  // fills in the day of the week and of the year
  return time;
}

/// The variables of the template.
jinja::Dict variables(const nlohmann::ordered_json& messages,
                      const nlohmann::ordered_json& context) {
  jinja::Dict made;
  made.set(jinja::Value::text("messages"), jinja::from_json(messages));
  made.set(jinja::Value::text("tools"), jinja::Value::none());
  made.set(jinja::Value::text("documents"), jinja::Value::none());
  made.set(jinja::Value::text("add_generation_prompt"), jinja::Value::boolean(false));
  for (const auto& [name, value] : context.items()) {
    if (name != "strftime_now") {
      made.set(jinja::Value::text(name), jinja::from_json(value));
    }
  }
  return made;
}

std::string read_source(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(stream), {});
  if (!stream.good() && !stream.eof()) {
    throw Error(ErrorCode::Checkpoint, one_line(file.string()) + ": cannot be read");
  }
  return text;
}

/// The template in a JSON file; nothing when it has none.
std::optional<std::string> source_in(const std::filesystem::path& file) {
  nlohmann::json config = read_json_object(file);
  auto held = config.find("chat_template");
  if (held == config.end() || held->is_null()) {
    return std::nullopt;
  }
  if (held->is_string()) {
    return held->get<std::string>();
  }
  bool is_list = held->is_array();
  for (const auto& one : is_list ? *held : nlohmann::json::array()) {
    if (!one.is_object() || !one.contains("name") || !one.contains("template") ||
        !one["template"].is_string()) {
      is_list = false;
      break;
    }
    if (one["name"] == "default") {
      return one["template"].get<std::string>();
    }
  }
  throw Error(ErrorCode::Checkpoint,
              one_line(file.string()) +
                  (is_list ? ": chat_template: has no template named 'default'"
                           : ": chat_template: expected a text or a list of {name, template}"));
}

}  // namespace

struct ChatTemplate::Parsed {
  jinja::Block block;
};

ChatTemplate::ChatTemplate(const std::string& source, std::string file) : file_(std::move(file)) {
  auto parsed = std::make_shared<Parsed>();
  try {
    if (!is_utf8(source)) {
      throw jinja::Failure(ErrorCode::Checkpoint, "the template is not UTF-8", 1);
    }
    if (source.size() > kLongestSource) {
      throw jinja::Failure(ErrorCode::Checkpoint, "the template is longer than 1 MiB", 1);
    }
    parsed->block = jinja::parse(source);
  } catch (const jinja::Failure& failure) {
    throw_at(file_, 1, failure);
  }
  parsed_ = std::move(parsed);
}

std::optional<ChatTemplate> ChatTemplate::from_folder(const std::filesystem::path& folder) {
  std::filesystem::path file = folder / "chat_template.jinja";
  if (std::filesystem::exists(file)) {
    return ChatTemplate(read_source(file), file.string());
  }
  for (const char* name : {"chat_template.json", "tokenizer_config.json"}) {
    file = folder / name;
    if (!std::filesystem::exists(file)) {
      continue;
    }
    if (std::optional<std::string> source = source_in(file)) {
      return ChatTemplate(*source, file.string() + ": chat_template");
    }
  }
  return std::nullopt;
}

std::string ChatTemplate::render(const nlohmann::ordered_json& messages,
                                 const nlohmann::ordered_json& context) const {
  std::optional<jinja::Interpreter> run;
  try {
    run.emplace(variables(messages, context), time_of(context));
    return run->render(parsed_->block);
  } catch (const jinja::Failure& failure) {
    throw_at(file_, run ? run->line() : 1, failure);
  }
}

std::string ChatTemplate::render(const nlohmann::json& messages,
                                 const nlohmann::json& context) const {
  return render(nlohmann::ordered_json(messages), nlohmann::ordered_json(context));
}

}  // namespace oneshot
