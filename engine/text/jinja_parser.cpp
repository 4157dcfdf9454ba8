#include "engine/text/jinja_parser.h"

#include <algorithm>
#include <functional>
#include <initializer_list>

#include "engine/checkpoint/message_text.h"

namespace oneshot::jinja {
namespace {

using Ends = std::initializer_list<std::string_view>;

class StatementParser {
 public:
  explicit StatementParser(std::string_view source)
      : tokens_(tokenize(source)), expressions_(tokens_) {}

  Block run() {
    Block block = statements({});
    return block;
  }

 private:
  TokenStream tokens_;
  ExpressionParser expressions_;
  int depth_ = 0;
  int loops_ = 0;  // around the statement that is read

  /// Up to a tag that is one of `ends`, whose name is left to be taken; to the end for none.
  Block statements(Ends ends) {
    Nested nested(depth_, tokens_.line());
    Block block;
    while (!tokens_.is(TokenKind::End)) {
      Token token = tokens_.take();
      if (token.kind == TokenKind::Data) {
        block.push_back(statement(StatementKind::Text, token.line));
        block.back().text = std::move(token.text);
      } else if (token.kind == TokenKind::VariableBegin) {
        block.push_back(statement(StatementKind::Output, token.line));
        block.back().value = expressions_.tuple();
        tokens_.expect(TokenKind::VariableEnd);
      } else {
        if (std::any_of(ends.begin(), ends.end(), [&](auto end) { return tokens_.is_name(end); })) {
          return block;
        }
        block.push_back(tag());
        tokens_.expect(TokenKind::BlockEnd);
      }
    }
    if (ends.size() != 0) {
      throw Failure(ErrorCode::Checkpoint,
                    "the template ends before '" + std::string(*(ends.end() - 1)) + "'",
                    tokens_.line());
    }
    return block;
  }

  /// The block behind the end of the tag that is being read.
  Block body(Ends ends) {
    tokens_.take_operator(":");
    tokens_.expect(TokenKind::BlockEnd);
    return statements(ends);
  }

  /// A body with one end, which is taken.
  Block body_to(std::string_view end) {
    Block block = body({end});
    tokens_.take();
    return block;
  }

  static Statement statement(StatementKind kind, int line) {
    Statement made;
    made.kind = kind;
    made.line = line;
    return made;
  }

  Statement tag() {
    int line = tokens_.line();
    std::string name = tokens_.expect_any_name();
    static const std::pair<std::string_view, Statement (StatementParser::*)(int)> kTags[] = {
        {"if", &StatementParser::if_tag},
        {"for", &StatementParser::for_tag},
        {"set", &StatementParser::set_tag},
        {"macro", &StatementParser::macro_tag},
        {"call", &StatementParser::call_tag},
        {"with", &StatementParser::with_tag},
        {"filter", &StatementParser::filter_tag},
        {"generation", &StatementParser::generation_tag},
    };
    for (const auto& [known, read] : kTags) {
      if (name == known) {
        return (this->*read)(line);
      }
    }
    if (name == "break" || name == "continue") {
      if (loops_ == 0) {
        throw Failure(ErrorCode::Checkpoint, "'" + name + "' outside of a loop", line);
      }
      return statement(name == "break" ? StatementKind::Break : StatementKind::Continue, line);
    }
    bool is_end = name.starts_with("end") || name == "else" || name == "elif";
    throw Failure(is_end ? ErrorCode::Checkpoint : ErrorCode::Unsupported,
                  is_end ? "unexpected tag '" + name + "'"
                         : "the tag " + in_quotes(name) + " is not supported",
                  line);
  }

  Statement if_tag(int line) {
    Statement made = statement(StatementKind::If, line);
    while (true) {
      Branch branch;
      branch.test = expressions_.tuple(false);
      branch.body = body({"elif", "else", "endif"});
      made.branches.push_back(std::move(branch));
      std::string end = tokens_.take().text;
      if (end == "endif") {
        return made;
      }
      if (end == "else") {
        Branch last;
        last.body = body_to("endif");
        made.branches.push_back(std::move(last));
        return made;
      }
    }
  }

  Statement for_tag(int line) {
    Statement made = statement(StatementKind::For, line);
    made.target = expressions_.target(false);
    tokens_.expect_name("in");
    made.value = expressions_.tuple(false);
    if (tokens_.take_name("if")) {
      made.test = expressions_.expression();
    }
    if (tokens_.is_name("recursive")) {
      throw Failure(ErrorCode::Unsupported, "a recursive loop is not supported", line);
    }
    ++loops_;
    made.body = body({"else", "endfor"});
    --loops_;
    if (tokens_.take().text == "else") {
      made.otherwise = body_to("endfor");
    }
    return made;
  }

  Statement set_tag(int line) {
    Statement made = statement(StatementKind::Set, line);
    made.target = expressions_.target(true);
    if (tokens_.take_operator("=")) {
      made.value = expressions_.tuple();
      return made;
    }
    made.kind = StatementKind::SetBlock;
    made.value = expressions_.filters(nullptr);
    made.body = inner_body("endset");
    return made;
  }

  /// A body that runs on its own, so that a loop around it cannot be left from inside.
  Block inner_body(std::string_view end) {
    int loops = std::exchange(loops_, 0);
    Block block = body_to(end);
    loops_ = loops;
    return block;
  }

  void parameters(MacroNode& macro) {
    tokens_.expect_operator("(");
    while (!tokens_.is_operator(")")) {
      std::string name = tokens_.expect_any_name();
      ExpressionPtr preset = tokens_.take_operator("=") ? expressions_.expression() : nullptr;
      macro.parameters.emplace_back(std::move(name), std::move(preset));
      if (!tokens_.is_operator(")")) {
        tokens_.expect_operator(",");
      }
    }
    tokens_.take();
  }

  Statement macro_tag(int line) {
    Statement made = statement(StatementKind::Macro, line);
    made.macro = std::make_unique<MacroNode>();
    made.macro->name = tokens_.expect_any_name();
    parameters(*made.macro);
    made.macro->body = inner_body("endmacro");
    return made;
  }

  Statement call_tag(int line) {
    Statement made = statement(StatementKind::CallBlock, line);
    made.macro = std::make_unique<MacroNode>();
    made.macro->name = "caller";
    if (tokens_.is_operator("(")) {
      parameters(*made.macro);
    }
    made.value = expressions_.expression();
    if (made.value->kind != ExpressionKind::Call) {
      throw Failure(ErrorCode::Checkpoint, "'call' needs a call", line);
    }
    made.macro->body = inner_body("endcall");
    return made;
  }

  Statement with_tag(int line) {
    Statement made = statement(StatementKind::With, line);
    while (!tokens_.is(TokenKind::BlockEnd)) {
      if (!made.assignments.empty()) {
        tokens_.expect_operator(",");
      }
      Target target = expressions_.target(false);
      tokens_.expect_operator("=");
      made.assignments.emplace_back(std::move(target), expressions_.expression());
    }
    made.body = body_to("endwith");
    return made;
  }

  Statement filter_tag(int line) {
    Statement made = statement(StatementKind::FilterBlock, line);
    made.value = expressions_.filters(nullptr, true);
    made.body = inner_body("endfilter");
    return made;
  }

  Statement generation_tag(int line) {
    Statement made = statement(StatementKind::Generation, line);
    made.body = inner_body("endgeneration");
    return made;
  }
};

}  // namespace

Block parse(std::string_view source) {
  return StatementParser(source).run();
}

}  // namespace oneshot::jinja
