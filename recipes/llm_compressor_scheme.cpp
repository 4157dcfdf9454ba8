// Source: QuantizationScheme and QuantizationArgs of compressed-tensors 0.19.0, observers of
// llm-compressor 0.14.
#include "recipes/llm_compressor_scheme.h"

#include <array>

#include "recipes/llm_compressor_arguments.h"
#include "recipes/option_scalar.h"

namespace oneshot::recipes {
namespace {

enum class Side { Weights, Input };

constexpr const char* kDefaultBits = "8";

struct Observer {
  std::string_view theirs;
  std::string_view of_weights;  // ours; weights are always observed without memory
  std::string_view of_input;
};

constexpr std::array<Observer, 5> kObservers = {{{"memoryless_minmax", "minmax", "minmax"},
                                                 {"static_minmax", "minmax", "minmax"},
                                                 {"minmax", "minmax", "moving_average"},
                                                 {"memoryless_mse", "mse", "mse"},
                                                 {"mse", "mse", "mse"}}};

const std::vector<std::string>& known_arguments() {
  static const std::vector<std::string> kKnown = {"num_bits",
                                                  "type",
                                                  "symmetric",
                                                  "group_size",
                                                  "strategy",
                                                  "block_structure",
                                                  "dynamic",
                                                  "actorder",
                                                  "scale_dtype",
                                                  "zp_dtype",
                                                  "observer",
                                                  "observer_kwargs"};
  return kKnown;
}

/// Our name of an observer.
std::string_view our_observer(const YamlNode& node, Side side) {
  for (const Observer& observer : kObservers) {
    if (node.kind == YamlNode::Kind::Scalar && node.text == observer.theirs) {
      return side == Side::Weights ? observer.of_weights : observer.of_input;
    }
  }
  fail(
      node.where,
      "llm-compressor's observer " + found(node) +
          " is not supported; minmax, static_minmax, memoryless_minmax, mse and memoryless_mse are",
      ErrorCode::Unsupported);
}

bool is_text(const YamlNode* node, std::string_view text) {
  return node != nullptr && node->kind == YamlNode::Kind::Scalar && node->text == text;
}

bool is_off(const YamlNode* node) {
  return node == nullptr || is_text(node, "false") || is_text(node, "False");
}

/// What our schemes have no word for.
void refuse_unsupported(const PeerArguments& arguments) {
  const auto refuse = [&](std::string_view name, const std::string& message) {
    arguments.refuse(name, message, ErrorCode::Unsupported);
  };
  if (!is_off(arguments.find("actorder"))) {
    refuse("actorder", "is not supported yet: remove it");
  }
  for (const char* strategy : {"tensor_group", "attn_head"}) {
    if (is_text(arguments.find("strategy"), strategy)) {
      refuse("strategy",
             std::string(strategy) +
                 " is not supported in a group: for NVFP4 use the preset of "
                 "that name");
    }
  }
  if (is_text(arguments.find("dynamic"), "local")) {
    refuse("dynamic", "local is not supported in a group: use the preset NVFP4");
  }
  if (arguments.find("scale_dtype") != nullptr) {
    refuse("scale_dtype", "is not supported in a group: use the presets of NVFP4 and MXFP");
  }
  const YamlNode* zero_point = arguments.find("zp_dtype");
  const bool is_default =
      is_text(zero_point, "torch.int8") || is_text(zero_point, "torch.float8_e4m3fn");
  if (zero_point != nullptr && !is_default) {
    refuse("zp_dtype", "is not supported: zero points are torch.int8");
  }
  const YamlNode* details = arguments.find("observer_kwargs");
  if (details != nullptr && !(details->kind == YamlNode::Kind::Mapping && details->keys.empty())) {
    refuse("observer_kwargs", "is not supported yet: observers have their default settings");
  }
}

/// "128x128" is a way to write [128, 128].
YamlNode block_structure(const YamlNode& node) {
  const size_t cross = node.text.find('x');
  if (node.kind != YamlNode::Kind::Scalar || cross == std::string::npos) {
    return node;
  }
  return list_at(
      node,
      {scalar_at(node, node.text.substr(0, cross)), scalar_at(node, node.text.substr(cross + 1))});
}

void add_observer(YamlNode& ours,
                  const PeerArguments& arguments,
                  Side side,
                  const YamlNode* override_of_all,
                  std::vector<std::string>& warnings) {
  const YamlNode* observer =
      override_of_all != nullptr ? override_of_all : arguments.find("observer");
  const YamlNode* dynamic = arguments.find("dynamic");
  const bool is_dynamic =
      dynamic != nullptr && read_boolean(*dynamic, arguments.subject + ": 'dynamic'");
  if (observer != nullptr && observer->text != "memoryless") {  // of dynamic scales in old files
    const std::string_view name = our_observer(*observer, side);
    if (!is_dynamic) {
      add_item(ours, "observer", scalar_at(*observer, std::string(name)));
    }
  }
  const bool is_memoryless = observer == nullptr || observer->text.starts_with("memoryless");
  if (side == Side::Input && !is_dynamic && is_memoryless) {
    warnings.push_back((observer != nullptr ? observer->where : arguments.mapping.where) + ": " +
                       arguments.subject +
                       ": llm-compressor's memoryless observers keep the last sample alone; here "
                       "the range is that of all samples");
  }
}

/// Their QuantizationArgs as our mapping. A strategy that is not written is theirs: without
/// group_size it is tensor, dynamic or not.
YamlNode our_arguments(const YamlNode& node,
                       const std::string& subject,
                       Side side,
                       const YamlNode* observer,
                       std::vector<std::string>& warnings) {
  const PeerArguments arguments = peer_arguments(node, subject, known_arguments());
  refuse_unsupported(arguments);
  YamlNode ours = mapping_at(node);
  const YamlNode* bits = arguments.find("num_bits");
  add_item(ours, "bits", bits != nullptr ? *bits : scalar_at(node, kDefaultBits));
  for (const char* name : {"type", "symmetric", "group_size", "strategy", "dynamic"}) {
    if (const YamlNode* value = arguments.find(name)) {
      add_item(ours, name, *value);
    }
  }
  const YamlNode* blocks = arguments.find("block_structure");
  if (blocks != nullptr) {
    add_item(ours, "block_structure", block_structure(*blocks));
  }
  const bool has_shape = arguments.find("group_size") != nullptr || blocks != nullptr;
  if (arguments.find("strategy") == nullptr && !has_shape) {
    add_item(ours, "strategy", scalar_at(node, "tensor"));
  }
  add_observer(ours, arguments, side, observer, warnings);
  return ours;
}

}  // namespace

YamlNode scheme_of_group(const YamlNode& group,
                         const std::string& subject,
                         const PeerObservers& observers,
                         std::vector<std::string>& warnings) {
  static const std::vector<std::string> kKnown = {
      "targets", "weights", "input_activations", "output_activations", "format"};
  const PeerArguments arguments = peer_arguments(group, subject, kKnown);
  if (arguments.find("output_activations") != nullptr) {
    arguments.refuse("output_activations", "is not supported", ErrorCode::Unsupported);
  }
  if (arguments.find("format") != nullptr) {
    arguments.refuse("format",
                     "is not supported: it follows from the scheme, remove it",
                     ErrorCode::Unsupported);
  }
  const YamlNode* weights = arguments.find("weights");
  if (weights == nullptr) {
    fail(group.where,
         subject + ": a group without 'weights' is not supported",
         ErrorCode::Unsupported);
  }
  YamlNode scheme = mapping_at(group);
  add_item(
      scheme,
      "weights",
      our_arguments(*weights, subject + ".weights", Side::Weights, observers.weights, warnings));
  if (const YamlNode* input = arguments.find("input_activations")) {
    add_item(scheme,
             "input_activations",
             our_arguments(
                 *input, subject + ".input_activations", Side::Input, observers.input, warnings));
  }
  return scheme;
}

YamlNode options_of_preset(const YamlNode& preset, const PeerObservers& observers) {
  if (preset.text == "UNQUANTIZED" || preset.text == "unquantized") {
    fail(preset.where,
         "the preset 'UNQUANTIZED' is not supported: put its targets into 'ignore'",
         ErrorCode::Unsupported);
  }
  YamlNode options = mapping_at(preset);
  const auto add = [&options](const YamlNode* node, Side side, const char* option) {
    const std::string_view name = node != nullptr ? our_observer(*node, side) : "minmax";
    if (node != nullptr && name != "minmax") {
      add_item(options, option, scalar_at(*node, std::string(name)));
    }
  };
  add(observers.weights, Side::Weights, "weight_observer");
  add(observers.input, Side::Input, "input_observer");
  return options;
}

YamlNode cache_scheme(const YamlNode& node,
                      const std::string& subject,
                      std::vector<std::string>& warnings) {
  const YamlNode ours = our_arguments(node, subject, Side::Input, nullptr, warnings);
  const auto is = [&ours](const char* key, const char* text, bool by_default) {
    const auto at = find_key(ours, key);
    return at ? ours.items[*at].text == text : by_default;
  };
  const bool is_fp8 = is("bits", "8", true) && is("type", "float", false) &&
                      is("strategy", "tensor", true) && is("symmetric", "true", true) &&
                      is("dynamic", "false", true) && is("observer", "minmax", true);
  if (!is_fp8) {
    fail(node.where,
         subject + ": only symmetric static floats of 8 bits per tensor are supported",
         ErrorCode::Unsupported);
  }
  return scalar_at(node, "FP8");
}

}  // namespace oneshot::recipes
