#include "data/selectors.h"

#include <charconv>

namespace slipway {
namespace {

constexpr std::size_t kMaxText = 64 * 1024;

std::string_view trim(std::string_view s) {
  const auto begin = s.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return s.substr(begin, s.find_last_not_of(" \t") - begin + 1);
}

std::optional<std::int64_t> number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

bool contains(const std::vector<std::string>& list, const std::string& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

}  // namespace

// A small scanner: words and operators, spaces between them do not matter.
class LabelSelectorParser {
 public:
  explicit LabelSelectorParser(std::string_view text) : text_(text), rest_(text) {}

  Result<LabelSelector> parse() {
    LabelSelector selector;
    if (text_.size() > kMaxText)
      return fail(Code::BadRequest, "unable to parse requirement: the selector is longer than 64 KiB");
    if (trim(text_).empty()) return selector;
    while (true) {
      auto requirement = one();
      if (!requirement) return fail(requirement.error());
      selector.requirements_.push_back(std::move(*requirement));
      const auto token = next();
      if (token.empty()) return selector;
      if (token != ",") return wrong(token, "',' or 'end of string'");
    }
  }

 private:
  using Op = LabelSelector::Op;

  std::string_view next() {
    const auto begin = rest_.find_first_not_of(" \t\r\n");
    if (begin == std::string_view::npos) return rest_ = {};
    rest_.remove_prefix(begin);
    constexpr std::string_view kSpecial = "=!(),<>";
    std::size_t size = 1;
    if (kSpecial.find(rest_[0]) != std::string_view::npos) {
      if (rest_.starts_with("==") || rest_.starts_with("!=")) size = 2;
    } else {
      size = std::min(rest_.find_first_of("=!(),<> \t\r\n"), rest_.size());
    }
    const std::string_view token = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return token;
  }

  std::string_view peek() {
    const auto saved = rest_;
    const auto token = next();
    rest_ = saved;
    return token;
  }

  static bool isWord(std::string_view token) {
    return !token.empty() && std::string_view("=!(),<>").find(token[0]) == std::string_view::npos;
  }

  tl::unexpected<Error> wrong(std::string_view found, std::string_view expected) const {
    return fail(Code::BadRequest, fmt::format("unable to parse requirement: found '{}', expected: {}", found, expected));
  }

  Result<LabelSelector::Requirement> one() {
    LabelSelector::Requirement r;
    std::string_view token = next();
    if (token == "!") {
      r.op = Op::DoesNotExist;
      token = next();
    }
    if (!isWord(token)) return wrong(token, "!, identifier, or 'end of string'");
    r.key = std::string(token);
    if (r.op == Op::DoesNotExist) return r;
    const std::string_view ahead = peek();
    if (ahead.empty() || ahead == ",") return r;
    return withOperator(std::move(r));
  }

  Result<LabelSelector::Requirement> withOperator(LabelSelector::Requirement r) {
    const std::string_view op = next();
    if (op == "in" || op == "notin") {
      r.op = op == "in" ? Op::In : Op::NotIn;
      return withSet(std::move(r));
    }
    if (op == "=" || op == "==")
      r.op = Op::In;
    else if (op == "!=")
      r.op = Op::NotIn;
    else if (op == ">")
      r.op = Op::Greater;
    else if (op == "<")
      r.op = Op::Less;
    else
      return wrong(op, "in, notin, =, ==, !=, gt, lt");
    const std::string_view value = peek();
    if (isWord(value))
      next();
    else if (!value.empty() && value != ",")
      return wrong(value, "identifier");
    r.values = {isWord(value) ? std::string(value) : ""};
    if ((r.op == Op::Greater || r.op == Op::Less) && !number(r.values[0])) {
      return fail(Code::BadRequest, fmt::format("unable to parse requirement: values[0][{}]: Invalid value: \"{}\": for "
                                                "'Gt', 'Lt' operators, the value must be an integer",
                                                r.key, r.values[0]));
    }
    return r;
  }

  Result<LabelSelector::Requirement> withSet(LabelSelector::Requirement r) {
    std::string_view token = next();
    if (token != "(") return wrong(token, "'('");
    while (true) {
      token = next();
      if (isWord(token)) {
        r.values.emplace_back(token);
        token = next();
      } else {
        r.values.emplace_back();
      }
      if (token == ")") return r;
      if (token != ",") return wrong(token, "',' or ')'");
    }
  }

  std::string_view text_;
  std::string_view rest_;
};

Result<LabelSelector> LabelSelector::parse(std::string_view text) { return LabelSelectorParser(text).parse(); }

bool LabelSelector::matches(const Json& labels) const {
  for (const Requirement& r : requirements_) {
    const Json& value = at(labels, r.key);
    const bool there = value.is_string();
    bool good = false;
    switch (r.op) {
      case Op::Exists: good = there; break;
      case Op::DoesNotExist: good = !there; break;
      case Op::In: good = there && contains(r.values, value.get<std::string>()); break;
      case Op::NotIn: good = !there || !contains(r.values, value.get<std::string>()); break;
      case Op::Greater:
      case Op::Less: {
        const auto has = there ? number(value.get<std::string>()) : std::nullopt;
        const auto bound = number(r.values[0]);
        good = has && bound && (r.op == Op::Greater ? *has > *bound : *has < *bound);
      }
    }
    if (!good) return false;
  }
  return true;
}

bool labelSelectorMatches(const Json& selector, const Json& labels) {
  if (at(selector, "matchLabels").is_object()) {
    for (const auto& [key, value] : at(selector, "matchLabels").items()) {
      if (at(labels, key) != value) return false;
    }
  }
  const Json& expressions = at(selector, "matchExpressions");
  if (!expressions.is_array()) return true;
  for (const Json& e : expressions) {
    const Json& value = at(labels, textAt(e, "key"));
    const Json& values = at(e, "values");
    const bool listed =
        value.is_string() && values.is_array() && std::find(values.begin(), values.end(), value) != values.end();
    const std::string op = textAt(e, "operator");
    const bool good = op == "In"       ? listed
                      : op == "NotIn"  ? !listed
                      : op == "Exists" ? value.is_string()
                                       : op == "DoesNotExist" && !value.is_string();
    if (!good) return false;
  }
  return true;
}

Result<FieldSelector> FieldSelector::parse(std::string_view text) {
  FieldSelector selector;
  if (text.size() > kMaxText) return fail(Code::BadRequest, "invalid selector: it is longer than 64 KiB");
  std::string_view rest = text;
  while (!rest.empty()) {
    const auto comma = rest.find(',');
    const std::string_view part = rest.substr(0, comma);
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
    if (part.empty()) continue;
    const auto equals = part.find('=');
    if (equals == std::string_view::npos || equals == 0) {
      return fail(Code::BadRequest, fmt::format("invalid selector: '{}'; can't understand '{}'", text, part));
    }
    const bool negated = part[equals - 1] == '!';
    const bool twice = !negated && equals + 1 < part.size() && part[equals + 1] == '=';
    selector.terms_.push_back({std::string(trim(part.substr(0, equals - (negated ? 1 : 0)))), negated,
                               std::string(part.substr(equals + (twice ? 2 : 1)))});
  }
  return selector;
}

bool FieldSelector::matches(const Json& object) const {
  for (const Term& term : terms_) {
    const Json* value = &object;
    std::string_view path = term.field;
    while (!path.empty()) {
      const auto dot = path.find('.');
      value = &at(*value, path.substr(0, dot));
      path = dot == std::string_view::npos ? std::string_view() : path.substr(dot + 1);
    }
    const std::string text = value->is_string() ? value->get<std::string>() : value->is_null() ? "" : dumpJson(*value);
    if ((text == term.value) == term.negated) return false;
  }
  return true;
}

}  // namespace slipway
