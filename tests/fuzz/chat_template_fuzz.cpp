// Any bytes as a chat template: refused, or rendered with a fixed conversation within its budget.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "engine/error.h"
#include "engine/text/chat_template.h"

namespace {

using Json = nlohmann::ordered_json;

const Json& messages() {
  static const Json kMessages = Json::parse(R"([
    {"role": "system", "content": " Be brief. "},
    {"role": "user", "content": [{"type": "text", "text": "What is 2 + 2?"}, {"type": "image"}]},
    {"role": "assistant", "content": null, "tool_calls": [{"function": {"name": "add",
      "arguments": {"a": 2, "b": 2.5, "c": [true, null]}}}]},
    {"role": "assistant", "content": "Vier – четыре"}])");
  return kMessages;
}

const Json& context() {
  static const Json kContext = Json::parse(R"({
    "bos_token": "<s>", "eos_token": "</s>", "add_generation_prompt": true,
    "strftime_now": "2024-07-26 15:04:05",
    "tools": [{"type": "function", "function": {"name": "add", "parameters": {"type": "object",
      "properties": {"a": {"type": "number"}}, "required": ["a"]}}}]})");
  return kContext;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const std::string source(reinterpret_cast<const char*>(data), size);
    const oneshot::ChatTemplate made(source, "chat_template.jinja");
    if (made.render(messages(), context()) != made.render(messages(), context())) {
      std::abort();
    }
  } catch (const oneshot::Error& error) {
    if (std::string(error.what()).find('\n') != std::string::npos) {
      std::abort();  // a message is one line
    }
  }
  return 0;
}
