// From the events of yaml-cpp to a YamlNode, refusing what recipes refuse. Events rather than
// yaml-cpp's own nodes: those keep the last of two equal keys and share what aliases stand for.
#pragma once

#include <yaml-cpp/eventhandler.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "recipes/yaml_document.h"
#include "recipes/yaml_text.h"

namespace oneshot::recipes {

/// Receives the events of one text; every method throws Recipe for what is refused.
class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(const std::string& text, Positions& positions, std::string file, bool command_line)
      : text_(text), positions_(positions), file_(std::move(file)), command_line_(command_line) {}

  /// The finished tree; Null when the text holds no document.
  YamlNode take_root() { return std::move(root_); }
  /// Offset at which the innermost unfinished list or mapping begins.
  std::optional<size_t> unfinished() const;

  void OnDocumentStart(const YAML::Mark& mark) override;
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override;
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override;
  void OnScalar(const YAML::Mark& mark,
                const std::string& tag,
                YAML::anchor_t anchor,
                const std::string& value) override;
  void OnSequenceStart(const YAML::Mark& mark,
                       const std::string& tag,
                       YAML::anchor_t anchor,
                       YAML::EmitterStyle::value style) override;
  void OnSequenceEnd() override { end(); }
  void OnMapStart(const YAML::Mark& mark,
                  const std::string& tag,
                  YAML::anchor_t anchor,
                  YAML::EmitterStyle::value style) override;
  void OnMapEnd() override { end(); }

 private:
  struct Open {
    YamlNode node;
    YAML::anchor_t anchor;
    size_t offset;
    std::map<std::string, std::string> keys = {};  // key → where
  };

  size_t offset(const YAML::Mark& mark) const;
  YamlNode make(YamlNode::Kind kind, const YAML::Mark& mark);
  std::string written_null(const YAML::Mark& mark) const;
  void refuse_tag(const YAML::Mark& mark, const std::string& tag);
  void begin(YamlNode::Kind kind,
             const YAML::Mark& mark,
             const std::string& tag,
             YAML::anchor_t anchor);
  void end();
  void add(YamlNode node, YAML::anchor_t anchor);
  void place(YamlNode node);
  void check_key(const YamlNode& key);
  void count(const YamlNode& node, const std::string& where);
  void count_all(const YamlNode& node, const std::string& where);

  const std::string& text_;
  Positions& positions_;
  std::string file_;
  bool command_line_;
  int documents_ = 0;
  YamlNode root_;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, YamlNode> anchored_;
  size_t nodes_ = 0;  // with all aliases written out
  size_t bytes_ = 0;
};

}  // namespace oneshot::recipes
