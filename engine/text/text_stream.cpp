#include "engine/text/text_stream.h"

#include <string_view>

namespace oneshot {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

}  // namespace

std::string TextStream::add(int32_t id) {
  ids_.push_back(id);
  std::string whole = text();
  while (whole.ends_with(kReplacement)) {  // may become a character yet
    whole.resize(whole.size() - kReplacement.size());
  }
  return rest_of(whole);
}

std::string TextStream::finish() {
  return rest_of(text());
}

std::string TextStream::rest_of(const std::string& text) {
  if (text.size() <= given_) {
    return "";
  }
  std::string rest = text.substr(given_);
  given_ = text.size();
  return rest;
}

}  // namespace oneshot
