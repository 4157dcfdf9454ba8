// `layers`: modules that get another scheme than the rest.
#pragma once

#include <string>
#include <vector>

#include "recipes/quantizing_options.h"

namespace oneshot::recipes {

/// What a pattern of `layers` says.
struct LayerScheme {
  Pattern pattern;
  Scheme scheme;
};

/// A mapping of patterns to what differs: a preset, bits, group_size, symmetric.
Option layers_option();

/// In the order in which they are written; none without the option. What an entry does not say is
/// as in `outer`, or as in its preset. `modifier` names the modifier in messages.
/// Throws Recipe for what makes no sense.
std::vector<LayerScheme> read_layers(const OptionValues& options,
                                     const std::string& modifier,
                                     const Scheme& outer);

}  // namespace oneshot::recipes
