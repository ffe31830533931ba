#include "kube/selector.h"

namespace slipway::kube {
namespace {

std::string_view trim(std::string_view s) {
  while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
  while (!s.empty() && (s.back() == ' ' || s.back() == '\t')) s.remove_suffix(1);
  return s;
}

// Splits at commas outside parentheses.
std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> parts;
  int depth = 0;
  std::size_t start = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    const char c = i < text.size() ? text[i] : ',';
    if (c == '(') ++depth;
    if (c == ')') --depth;
    if (c != ',' || (depth > 0 && i < text.size())) continue;
    parts.push_back(trim(text.substr(start, i - start)));
    start = i + 1;
  }
  return parts;
}

bool validKey(std::string_view key) {
  return !key.empty() && key.find_first_of(" \t()!=,<>") == std::string_view::npos;
}

}  // namespace

Result<LabelSelector::Term> LabelSelector::parseTerm(std::string_view text) {
  auto bad = [&] { return fail(Code::BadRequest, fmt::format("unable to parse requirement: '{}' is not a label selector", text)); };
  if (text.empty()) return bad();
  if (text.front() == '!') {
    const auto key = trim(text.substr(1));
    if (!validKey(key)) return bad();
    return Term{std::string(key), Op::Absent, {}};
  }
  if (const auto eq = text.find('='); eq != std::string_view::npos) {
    const bool negated = eq > 0 && text[eq - 1] == '!';
    const auto key = trim(text.substr(0, negated ? eq - 1 : eq));
    auto value = text.substr(eq + 1);
    if (!negated && !value.empty() && value.front() == '=') value.remove_prefix(1);
    value = trim(value);
    if (!validKey(key) || value.find_first_of("=!() ") != std::string_view::npos) return bad();
    return Term{std::string(key), negated ? Op::NotIn : Op::In, {std::string(value)}};
  }
  const auto open = text.find('(');
  if (open == std::string_view::npos) {
    if (!validKey(text)) return bad();
    return Term{std::string(text), Op::Exists, {}};
  }
  const auto head = trim(text.substr(0, open));
  const auto space = head.find(' ');
  if (text.back() != ')' || space == std::string_view::npos) return bad();
  const auto key = trim(head.substr(0, space));
  const auto op = trim(head.substr(space));
  if (!validKey(key) || (op != "in" && op != "notin")) return bad();
  Term term{std::string(key), op == "in" ? Op::In : Op::NotIn, {}};
  for (auto value : split(text.substr(open + 1, text.size() - open - 2))) term.values.emplace_back(value);
  return term;
}

Result<LabelSelector> LabelSelector::parse(std::string_view text) {
  LabelSelector out;
  if (trim(text).empty()) return out;
  for (auto part : split(text)) {
    SLIP_TRY(auto term, parseTerm(part));
    out.terms_.push_back(std::move(term));
  }
  return out;
}

LabelSelector LabelSelector::fromMap(const Json& labels) {
  LabelSelector out;
  if (!labels.is_object()) {
    out.nothing_ = true;
    return out;
  }
  for (const auto& [key, value] : labels.items()) {
    out.terms_.push_back({key, Op::In, {value.is_string() ? value.get<std::string>() : dumpJson(value)}});
  }
  return out;
}

Result<LabelSelector> LabelSelector::fromJson(const Json& selector) {
  LabelSelector out;
  if (!selector.is_object()) {
    out.nothing_ = true;
    return out;
  }
  const Json& labels = at(selector, "matchLabels");
  if (labels.is_object()) out = fromMap(labels);
  for (const auto& e : at(selector, "matchExpressions")) {
    const std::string op = textAt(e, "operator");
    Term term{textAt(e, "key"), Op::In, {}};
    if (op == "In") term.op = Op::In;
    else if (op == "NotIn") term.op = Op::NotIn;
    else if (op == "Exists") term.op = Op::Exists;
    else if (op == "DoesNotExist") term.op = Op::Absent;
    else return fail(Code::Invalid, fmt::format("\"{}\" is not a valid label selector operator", op));
    for (const auto& v : at(e, "values")) {
      if (v.is_string()) term.values.push_back(v.get<std::string>());
    }
    out.terms_.push_back(std::move(term));
  }
  return out;
}

bool LabelSelector::matchesLabels(const Json& labels) const {
  if (nothing_) return false;
  for (const auto& term : terms_) {
    const Json& value = at(labels, term.label);
    const bool present = !value.is_null();
    const std::string text = value.is_string() ? value.get<std::string>() : "";
    const bool listed = present && std::find(term.values.begin(), term.values.end(), text) != term.values.end();
    bool ok = false;
    switch (term.op) {
      case Op::In: ok = listed; break;
      case Op::NotIn: ok = !listed; break;
      case Op::Exists: ok = present; break;
      case Op::Absent: ok = !present; break;
    }
    if (!ok) return false;
  }
  return true;
}

}  // namespace slipway::kube
