#include <algorithm>
#include <cassert>

#include "recipes/option.h"

namespace oneshot::recipes {
namespace {

size_t index_of(const Option& table, const std::string& name) {
  const auto option = std::find_if(
      table.fields.begin(), table.fields.end(), [&](const Option& o) { return o.name == name; });
  assert(option != table.fields.end() && "no such option in the table");
  return static_cast<size_t>(option - table.fields.begin());
}

}  // namespace

OptionValues::OptionValues(std::shared_ptr<const Option> table,
                           std::string where,
                           std::vector<OptionValue> values)
    : table_(std::move(table)), where_(std::move(where)), values_(std::move(values)) {
  assert(table_->fields.size() == values_.size());
}

const OptionValue& OptionValues::value(const std::string& name) const {
  return values_.at(index_of(*table_, name));
}

const OptionValue& OptionValues::value(const std::string& name,
                                       std::initializer_list<OptionType> types) const {
  const size_t index = index_of(*table_, name);
  [[maybe_unused]] const bool right_type =
      std::count(types.begin(), types.end(), table_->fields.at(index).type) > 0;
  assert(right_type && "not of this type");
  assert(values_.at(index).present && "neither given nor a default: ask has() first");
  return values_.at(index);
}

bool OptionValues::has(const std::string& name) const {
  return value(name).present;
}

bool OptionValues::given(const std::string& name) const {
  return value(name).given;
}

bool OptionValues::boolean(const std::string& name) const {
  return value(name, {OptionType::Bool}).boolean;
}

int64_t OptionValues::integer(const std::string& name) const {
  return value(name, {OptionType::Int, OptionType::Size}).integer;
}

double OptionValues::number(const std::string& name) const {
  return value(name, {OptionType::Float, OptionType::Int}).number;
}

const std::string& OptionValues::text(const std::string& name) const {
  const OptionValue& one = value(name,
                                 {OptionType::Text,
                                  OptionType::Path,
                                  OptionType::ImageFolder,
                                  OptionType::TextOrMapping,
                                  OptionType::PathOrMappings});
  assert(!one.is_mapping);
  return one.texts.at(0).text;
}

const std::filesystem::path& OptionValues::path(const std::string& name) const {
  const OptionValue& one =
      value(name, {OptionType::Path, OptionType::ImageFolder, OptionType::PathOrMappings});
  assert(!one.is_mapping);
  return one.texts.at(0).path;
}

std::vector<std::string> OptionValues::list(const std::string& name) const {
  std::vector<std::string> texts;
  for (const TextValue& item : value(name, {OptionType::TextList, OptionType::Patterns}).texts) {
    texts.push_back(item.text);
  }
  return texts;
}

const std::vector<int64_t>& OptionValues::integers(const std::string& name) const {
  return value(name, {OptionType::IntPair}).integers;
}

bool OptionValues::is_mapping(const std::string& name) const {
  return value(name, {OptionType::TextOrMapping, OptionType::PathOrMappings}).is_mapping;
}

const OptionValues& OptionValues::mapping(const std::string& name) const {
  return value(name, {OptionType::Mapping, OptionType::TextOrMapping}).mappings.at(0);
}

const std::vector<OptionValues>& OptionValues::mappings(const std::string& name) const {
  return value(name, {OptionType::ByPattern, OptionType::PathOrMappings, OptionType::Modifiers})
      .mappings;
}

const std::string& OptionValues::where(const std::string& name) const {
  const OptionValue& one = value(name);
  return one.given ? one.where : where_;
}

const std::string& OptionValues::where_item(const std::string& name, size_t index) const {
  const OptionValue& one = value(name);
  return one.given ? one.texts.at(index).where : where_;
}

}  // namespace oneshot::recipes
