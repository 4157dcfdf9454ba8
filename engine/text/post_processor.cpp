#include "engine/text/post_processor.h"

#include <string>
#include <utility>

#include "engine/checkpoint/message_text.h"

namespace oneshot {
namespace {

/// The ids of one entry of "special_tokens".
std::vector<int32_t> read_special_token(const Component& component, const std::string& name) {
  const std::optional<Component> known = component.part("special_tokens");
  const std::optional<Component> token = known ? known->part(name) : std::nullopt;
  if (!token) {
    component.throw_damaged("'special_tokens' has no " + in_quotes(name));
  }
  const nlohmann::json& list = token->value("ids");
  if (!list.is_array()) {
    token->throw_damaged("'ids' is no list");
  }
  std::vector<int32_t> ids;
  for (const nlohmann::json& id : list) {
    ids.push_back(token->read_id(id, "ids of " + name));
  }
  return ids;
}

PostProcessor make_template(const Component& component) {
  std::vector<int32_t> before, after;
  int sequences = 0;
  for (const Component& part : component.parts("single")) {
    if (const auto special = part.part("SpecialToken")) {
      const std::vector<int32_t> ids = read_special_token(component, special->text("id"));
      std::vector<int32_t>& side = sequences == 0 ? before : after;
      side.insert(side.end(), ids.begin(), ids.end());
    } else if (const auto sequence = part.part("Sequence")) {
      if (sequence->text("id") != "A") {
        sequence->throw_damaged("a single text is sequence 'A', not " +
                                in_quotes(sequence->text("id")));
      }
      ++sequences;
    } else {
      part.throw_damaged("expected 'SpecialToken' or 'Sequence'");
    }
  }
  if (sequences != 1) {
    component.throw_unsupported("a template that holds sequence 'A' " + std::to_string(sequences) +
                                " times");
  }
  return [before = std::move(before), after = std::move(after)](std::vector<int32_t>& ids) {
    ids.insert(ids.begin(), before.begin(), before.end());
    ids.insert(ids.end(), after.begin(), after.end());
  };
}

PostProcessor make_sequence(const Component& component) {
  std::vector<PostProcessor> steps;
  for (const Component& part : component.parts("processors")) {
    steps.push_back(make_post_processor(part));
  }
  return [steps = std::move(steps)](std::vector<int32_t>& ids) {
    for (const PostProcessor& step : steps) {
      step(ids);
    }
  };
}

}  // namespace

PostProcessor make_post_processor(const std::optional<Component>& component) {
  const std::string type = component ? component->type() : "ByteLevel";
  if (type == "ByteLevel") {
    return [](std::vector<int32_t>&) {};
  }
  if (type == "TemplateProcessing") {
    return make_template(*component);
  }
  if (type == "Sequence") {
    return make_sequence(*component);
  }
  component->throw_unsupported_type();
}

}  // namespace oneshot
