#include "engine/text/jinja_interpreter.h"

#include <algorithm>

#include "engine/text/jinja_print.h"

namespace oneshot::jinja {
const Value* Scope::find(std::string_view name) const {
  for (const Scope* scope = this; scope != nullptr; scope = scope->around.get()) {
    for (const auto& [known, value] : scope->names) {
      if (known == name) {
        return &value;
      }
    }
  }
  return nullptr;
}

void Scope::set(const std::string& name, Value value) {
  for (auto& [known, held] : names) {
    if (known == name) {
      held = std::move(value);
      return;
    }
  }
  names.emplace_back(name, std::move(value));
}

Interpreter::Interpreter(const Dict& context, std::optional<std::tm> now)
    : now_(now), scope_(std::make_shared<Scope>()) {
  for (const auto& [name, value] : context.entries) {
    scope_->names.emplace_back(name.as_text(), value);
  }
}

std::string Interpreter::render(const Block& block) {
  std::string text;
  output_ = &text;
  execute(block);
  return text;
}

Value Interpreter::make_namespace(std::vector<std::pair<std::string, Value>> members) {
  budget_.hold(sizeof(Namespace) + members.size() * sizeof(members[0]));
  namespaces_.push_back(std::make_unique<Namespace>(Namespace{std::move(members)}));
  return {namespaces_.back().get()};
}

void Interpreter::write(std::string_view text) {
  budget_.step(text.size() / 256);
  append_checked(*output_, text);
}

Interpreter::Flow Interpreter::execute(const Block& block) {
  Deeper deeper(*this);
  for (const Statement& statement : block) {
    budget_.step();
    line_ = statement.line;
    Flow flow = execute(statement);
    if (flow != Flow::Normal) {
      return flow;
    }
  }
  return Flow::Normal;
}

Interpreter::Flow Interpreter::execute(const Statement& statement) {
  switch (statement.kind) {
    case StatementKind::Text:
      write(statement.text);
      break;
    case StatementKind::Output:
      write(to_text(evaluate(*statement.value)));
      break;
    case StatementKind::If:
      return execute_if(statement);
    case StatementKind::For:
      return execute_for(statement);
    case StatementKind::With:
      return execute_with(statement);
    case StatementKind::Set:
    case StatementKind::SetBlock:
      execute_set(statement);
      break;
    case StatementKind::Macro:
      scope_->set(statement.macro->name, macro_value(*statement.macro));
      break;
    case StatementKind::CallBlock:
      execute_call(statement);
      break;
    case StatementKind::FilterBlock:
      write(to_text(filtered_block(statement)));
      break;
    case StatementKind::Generation:
      write(captured(statement.body));
      break;
    case StatementKind::Break:
      return Flow::Break;
    case StatementKind::Continue:
      return Flow::Continue;
  }
  return Flow::Normal;
}

Interpreter::Flow Interpreter::execute_if(const Statement& statement) {
  for (const Branch& branch : statement.branches) {
    if (branch.test == nullptr || truthy(evaluate(*branch.test))) {
      return execute(branch.body);
    }
  }
  return Flow::Normal;
}

std::vector<Value> Interpreter::loop_items(const Statement& statement) {
  std::vector<Value> items = items_of(evaluate(*statement.value), budget_);
  if (statement.test == nullptr) {
    return items;
  }
  std::vector<Value> kept;
  std::shared_ptr<Scope> around = scope_;
  for (Value& candidate : items) {
    scope_ = std::make_shared<Scope>(Scope{around, {}});
    assign(statement.target, candidate);
    if (truthy(evaluate(*statement.test))) {
      kept.push_back(std::move(candidate));
    }
  }
  scope_ = around;
  return kept;
}

Interpreter::Flow Interpreter::execute_for(const Statement& statement) {
  auto items = std::make_shared<Sequence>();
  items->items = loop_items(statement);
  if (items->items.empty()) {
    return execute(statement.otherwise);
  }
  std::shared_ptr<Scope> around = scope_;
  for (size_t i = 0; i < items->items.size(); ++i) {
    budget_.step(4);
    scope_ = std::make_shared<Scope>(Scope{around, {}});
    scope_->set("loop", {std::make_shared<const Loop>(Loop{items, i})});
    assign(statement.target, items->items[i]);
    Flow flow = execute(statement.body);
    scope_ = around;
    if (flow == Flow::Break) {
      break;
    }
  }
  return Flow::Normal;
}

Interpreter::Flow Interpreter::execute_with(const Statement& statement) {
  std::shared_ptr<Scope> around = scope_;
  std::vector<Value> values;
  for (const auto& assignment : statement.assignments) {
    values.push_back(evaluate(*assignment.second));
  }
  scope_ = std::make_shared<Scope>(Scope{around, {}});
  for (size_t i = 0; i < values.size(); ++i) {
    assign(statement.assignments[i].first, values[i]);
  }
  Flow flow = execute(statement.body);
  scope_ = around;
  return flow;
}

void Interpreter::execute_set(const Statement& statement) {
  if (statement.kind == StatementKind::Set) {
    assign(statement.target, evaluate(*statement.value));
  } else {
    assign(statement.target, filtered_block(statement));
  }
}

std::string Interpreter::captured(const Block& block) {
  std::string text;
  std::string* output = std::exchange(output_, &text);
  std::shared_ptr<Scope> around = scope_;
  scope_ = std::make_shared<Scope>(Scope{around, {}});
  execute(block);
  scope_ = around;
  output_ = output;
  budget_.hold(text.size());
  return text;
}

Value Interpreter::filtered_block(const Statement& statement) {
  Value text = Value::text(captured(statement.body));
  if (statement.value == nullptr) {
    return text;
  }
  filter_input_ = text;
  return evaluate(*statement.value);
}

void Interpreter::execute_call(const Statement& statement) {
  const Expression& written = *statement.value;
  Value callee = operand(written, 0);
  Arguments arguments = arguments_of(written);
  arguments.named.emplace_back("caller", macro_value(*statement.macro));
  write(to_text(call(callee, arguments)));
}

void Interpreter::assign(const Target& target, const Value& value) {
  if (target.parts.empty() && target.member.empty()) {
    budget_.step(scope_->names.size() / 32);
    scope_->set(target.name, value);
    return;
  }
  if (target.parts.empty()) {
    Value object = lookup(target.name);
    if (!object.is<Namespace*>()) {
      fail("cannot assign attribute on non-namespace object");
    }
    auto& members = std::get<Namespace*>(object.data)->members;
    budget_.step(members.size() / 32);
    auto found = std::find_if(members.begin(), members.end(), [&](const auto& member) {
      return member.first == target.member;
    });
    if (found == members.end()) {
      members.emplace_back(target.member, value);
    } else {
      found->second = value;
    }
    return;
  }
  std::vector<Value> items = items_of(value, budget_);
  if (items.size() != target.parts.size()) {
    fail("cannot unpack " + std::to_string(items.size()) + " values into " +
         std::to_string(target.parts.size()));
  }
  for (size_t i = 0; i < items.size(); ++i) {
    assign(target.parts[i], items[i]);
  }
}

Value Interpreter::macro_value(const MacroNode& macro) const {
  auto made = std::make_shared<Callable>();
  made->name = macro.name;
  made->macro = &macro;
  made->scope = scope_;
  return {Value::CallablePtr(std::move(made))};
}

void Interpreter::bind(const MacroNode& macro, const Arguments& arguments) {
  if (arguments.positional.size() > macro.parameters.size()) {
    fail("macro '" + macro.name + "' takes not more than " +
         std::to_string(macro.parameters.size()) + " argument(s)");
  }
  std::vector<std::pair<std::string, Value>> named = arguments.named;
  for (size_t i = 0; i < macro.parameters.size(); ++i) {
    const auto& [name, preset] = macro.parameters[i];
    auto given = std::find_if(named.begin(), named.end(), [&, &wanted = name](const auto& a) {
      return a.first == wanted;
    });
    if (i < arguments.positional.size()) {
      scope_->set(name, arguments.positional[i]);
    } else if (given != named.end()) {
      scope_->set(name, given->second);
      named.erase(given);
    } else {
      scope_->set(name,
                  preset != nullptr
                      ? evaluate(*preset)
                      : Value::undefined("parameter '" + name + "' was not provided"));
    }
  }
  for (const auto& [name, value] : named) {
    if (name != "caller") {
      fail("macro '" + macro.name + "' takes no keyword argument '" + name + "'");
    }
    scope_->set(name, value);
  }
}

Value Interpreter::call_macro(const Callable& callable, const Arguments& arguments) {
  std::shared_ptr<Scope> defined_in = callable.scope.lock();
  if (defined_in == nullptr) {
    fail_unsupported("calling the macro '" + callable.name + "' outside of its block");
  }
  Deeper deeper(*this);
  std::shared_ptr<Scope> around = scope_;
  scope_ = std::make_shared<Scope>(Scope{defined_in, {}});
  bind(*callable.macro, arguments);
  Value text = Value::text(captured(callable.macro->body));
  scope_ = around;
  return text;
}

}  // namespace oneshot::jinja
