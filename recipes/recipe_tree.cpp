#include "recipes/recipe_tree.h"

#include <algorithm>
#include <cctype>
#include <map>

#include "recipes/llm_compressor.h"
#include "recipes/option_scalar.h"
#include "recipes/option_text.h"
#include "recipes/override.h"
#include "recipes/recipe_error.h"

namespace oneshot::recipes {
namespace {

using std::filesystem::path;

/// llm-compressor reads those too: YAML between two lines of dashes, before the text.
void refuse_markdown(const std::string& file) {
  std::string extension = path(file).extension().string();
  for (char& c : extension) {
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  if (extension == ".md") {
    fail(printable(file),
         "a recipe in Markdown is not read: put what stands between its '---' lines into a "
         ".yaml file");
  }
}

void check_is_recipe(const YamlNode& root) {
  if (root.kind == YamlNode::Kind::Null) {
    fail(root.where, "the recipe is empty: begin with 'version: 1'");
  }
  if (root.kind != YamlNode::Kind::Mapping) {
    fail(root.where, "a recipe is a mapping that begins with 'version: 1', found " + found(root));
  }
}

/// Before the tables: another version has other options, and each file has its own; the words of
/// the language that are not there yet are not misspelt.
void check_language(const YamlNode& root) {
  const auto version = find_key(root, "version");
  if (!version) {
    fail(root.where, "'version' is missing: begin with 'version: 1'");
  }
  const YamlNode& number = root.items[*version];
  if (number.kind == YamlNode::Kind::Null) {
    fail(root.keys[*version].where, "'version' has no value: write 'version: 1'");
  }
  if (read_integer(number, "'version'") != 1) {
    fail(number.where, "'version' must be 1, found " + found(number));
  }
  if (const auto stages = find_key(root, "stages")) {
    fail(root.keys[*stages].where,
         "'stages' is not supported yet: write one recipe for each stage");
  }
}

/// Tuples are left to llm-compressor's recipes by the parser.
void refuse_tuples(const YamlNode& node) {
  if (node.is_tuple) {
    fail(node.where, "a recipe has no tags, found '!!python/tuple'");
  }
  for (const YamlNode& item : node.items) {
    refuse_tuples(item);
  }
}

YamlNode read_file(const std::string& text,
                   const std::string& file,
                   std::vector<std::string>& warnings) {
  refuse_markdown(file);
  YamlNode root = parse_yaml(text, file);
  check_is_recipe(root);
  if (is_llm_compressor(root)) {
    root = from_llm_compressor(root, warnings);
  }
  check_language(root);
  return root;
}

/// The value of `extends`, which is taken out; a Null node when there is none.
YamlNode take_extends(YamlNode& root) {
  const auto index = find_key(root, "extends");
  if (!index) {
    return {};
  }
  const auto at = static_cast<std::ptrdiff_t>(*index);
  const YamlNode key = root.keys[*index];
  YamlNode value = root.items[*index];
  root.keys.erase(root.keys.begin() + at);
  root.items.erase(root.items.begin() + at);
  if (value.kind == YamlNode::Kind::Null) {
    fail(key.where, "'extends' has no value: remove it or write one, such as extends: base.yaml");
  }
  if (value.kind != YamlNode::Kind::Scalar || value.text.empty()) {
    fail(value.where,
         "'extends' must be the path of a recipe, found " +
             (value.kind == YamlNode::Kind::Scalar ? "an empty text" : found(value)));
  }
  return value;
}

/// Takes out the items for which `is_out` is set; those behind its end stay.
void take_out(YamlNode& mapping, const std::vector<bool>& is_out) {
  size_t kept = 0;
  for (size_t i = 0; i < mapping.keys.size(); ++i) {
    if (i < is_out.size() && is_out[i]) {
      continue;
    }
    if (i != kept) {
      mapping.keys[kept] = std::move(mapping.keys[i]);
      mapping.items[kept] = std::move(mapping.items[i]);
    }
    ++kept;
  }
  mapping.keys.resize(kept);
  mapping.items.resize(kept);
}

/// Puts `above` on top of `base`: mappings key by key, everything else as a whole. A null that is
/// written takes the key out; one for a key that the base lacks stays, for the tables to refuse.
void merge(YamlNode& base, YamlNode above) {
  std::map<std::string, size_t> places;
  for (size_t i = 0; i < base.keys.size(); ++i) {
    places[base.keys[i].text] = i;
  }
  std::vector<bool> is_out(base.keys.size(), false);
  for (size_t i = 0; i < above.keys.size(); ++i) {
    YamlNode& value = above.items[i];
    const auto place = places.find(above.keys[i].text);
    if (place == places.end()) {
      base.keys.push_back(std::move(above.keys[i]));
      base.items.push_back(std::move(value));
      continue;
    }
    YamlNode& below = base.items[place->second];
    is_out[place->second] = value.kind == YamlNode::Kind::Null && !value.text.empty();
    base.keys[place->second] = std::move(above.keys[i]);
    if (below.kind == YamlNode::Kind::Mapping && value.kind == YamlNode::Kind::Mapping) {
      merge(below, std::move(value));
    } else {
      below = std::move(value);
    }
  }
  take_out(base, is_out);
  base.where = above.where;
  base.file = above.file;
}

/// One file of a chain, the recipe first.
struct Link {
  std::string file;  // as messages name it
  path identity;     // the same for every way to write it
  YamlNode root;
};

path identity_of(const path& file) {
  std::error_code ignored;
  const path whole = absolute_folder(file.parent_path()) / file.filename();
  const path resolved = std::filesystem::weakly_canonical(whole, ignored);
  return ignored ? whole : resolved;
}

void refuse_cycle(const std::vector<Link>& chain, const Link& next, const std::string& where) {
  std::string circle;
  for (const Link& link : chain) {
    if (!circle.empty() || link.identity == next.identity) {
      circle += printable(link.file) + " → ";
    }
  }
  if (!circle.empty()) {
    fail(where, "'extends' goes in a circle: " + circle + printable(next.file));
  }
}

Link read_base(const ParseInput& input,
               const std::vector<Link>& chain,
               const YamlNode& extends,
               std::vector<std::string>& warnings) {
  const path file = (path(extends.file).parent_path() / extends.text).lexically_normal();
  Link next{.file = file.string(), .identity = identity_of(file), .root = {}};
  refuse_cycle(chain, next, extends.where);
  const auto text = input.read_base ? input.read_base(file) : std::nullopt;
  if (!text) {
    fail(extends.where,
         "'extends': " + printable(next.file) + " cannot be read; is the path right?");
  }
  next.root = read_file(*text, next.file, warnings);
  return next;
}

}  // namespace

YamlNode read_tree(const ParseInput& input, std::vector<std::string>& warnings) {
  std::vector<Link> chain;
  chain.push_back(
      {input.file, identity_of(input.file), read_file(input.text, input.file, warnings)});
  for (YamlNode extends = take_extends(chain[0].root); extends.kind != YamlNode::Kind::Null;
       extends = take_extends(chain.back().root)) {
    chain.push_back(read_base(input, chain, extends, warnings));
  }
  YamlNode root = std::move(chain.back().root);
  for (size_t i = chain.size() - 1; i-- > 0;) {
    merge(root, std::move(chain[i].root));
  }
  for (const std::string& assignment : input.overrides) {
    apply_override(root, assignment);
  }
  if (const auto extends = find_key(root, "extends")) {
    fail(root.keys[*extends].where, "'extends' stands in a recipe, not on the command line");
  }
  check_language(root);
  refuse_tuples(root);
  return root;
}

}  // namespace oneshot::recipes
