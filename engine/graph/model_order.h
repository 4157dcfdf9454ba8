// The order in which a model lists its modules, told by their names.
#pragma once

#include <string_view>

namespace oneshot {

/// True when `a` stands before `b`: parts as models have them (embedding, vision, language, head),
/// layers by number, in a layer q, k, v, o, gate, up, down, and the rest by the alphabet.
bool model_order(std::string_view a, std::string_view b);

}  // namespace oneshot
