#include "apiserver/selectors.h"

namespace slipway::apiserver {
namespace {

using Op = Requirement::Op;

const std::string* lookup(const Pairs& pairs, const std::string& key) {
  for (const auto& [k, v] : pairs) {
    if (k == key) return &v;
  }
  return nullptr;
}

// Tokens of the label selector grammar: words and the symbols = == != ! , ( ) < >.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) { advance(); }
  const std::string& token() const { return token_; }
  bool atEnd() const { return token_.empty(); }
  bool isWord() const { return !token_.empty() && !isSymbol(token_[0]); }
  void advance() {
    while (pos_ < text_.size() && isSpace(text_[pos_])) ++pos_;
    token_.clear();
    if (pos_ >= text_.size()) return;
    if (isSymbol(text_[pos_])) {
      token_ = text_[pos_++];
      if ((token_ == "=" || token_ == "!") && pos_ < text_.size() && text_[pos_] == '=') token_ += text_[pos_++];
      return;
    }
    while (pos_ < text_.size() && !isSymbol(text_[pos_]) && !isSpace(text_[pos_])) token_ += text_[pos_++];
  }

 private:
  static bool isSpace(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
  static bool isSymbol(char c) { return std::string_view("=!(),<>").find(c) != std::string_view::npos; }
  std::string_view text_;
  std::size_t pos_ = 0;
  std::string token_;
};

tl::unexpected<Error> unexpected(const Scanner& s, const char* wanted) {
  return fail(Code::BadRequest, fmt::format("unable to parse requirement: found '{}', expected: {}", s.token(), wanted));
}

bool isLabelName(std::string_view name) {
  if (name.empty() || name.size() > 63) return false;
  auto alnum = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  if (!alnum(name.front()) || !alnum(name.back())) return false;
  return std::all_of(name.begin(), name.end(), [&](char c) { return alnum(c) || c == '-' || c == '_' || c == '.'; });
}

Status checkKey(const std::string& key) {
  const auto slash = key.find('/');
  const std::string name = slash == std::string::npos ? key : key.substr(slash + 1);
  const bool prefixFine = slash == std::string::npos || (slash > 0 && slash <= 253 && name.find('/') == std::string::npos);
  if (prefixFine && isLabelName(name)) return {};
  return fail(
      Code::BadRequest,
      fmt::format("unable to parse requirement: <nil>: Invalid value: \"{}\": name part must consist of alphanumeric "
                  "characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or "
                  "'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
                  key));
}

Status checkValue(const std::string& key, const std::string& value) {
  if (value.empty() || isLabelName(value)) return {};
  return fail(
      Code::BadRequest,
      fmt::format(
          "unable to parse requirement: values[0][{}]: Invalid value: \"{}\": a valid label must be an empty string or "
          "consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
          "character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
          "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
          key, value));
}

Result<std::vector<std::string>> parseValueSet(Scanner& s) {
  std::vector<std::string> values;
  if (s.token() != "(") return unexpected(s, "'('");
  s.advance();
  for (;;) {
    std::string value;
    if (s.isWord()) {
      value = s.token();
      s.advance();
    }
    values.push_back(std::move(value));
    if (s.token() == ")") break;
    if (s.token() != ",") return unexpected(s, "',' or ')'");
    s.advance();
  }
  s.advance();
  return values;
}

Result<Requirement> parseRequirement(Scanner& s) {
  Requirement r;
  const bool negated = s.token() == "!";
  if (negated) s.advance();
  if (!s.isWord()) return unexpected(s, negated ? "identifier" : "!, identifier, or 'end of string'");
  r.key = s.token();
  SLIP_CHECK(checkKey(r.key));
  s.advance();
  if (negated || s.atEnd() || s.token() == ",") {
    r.op = negated ? Op::NotExists : Op::Exists;
    return r;
  }
  const std::string op = s.token();
  s.advance();
  if (op == "in" || op == "notin") {
    r.op = op == "in" ? Op::In : Op::NotIn;
    SLIP_TRY(r.values, parseValueSet(s));
  } else if (op == "=" || op == "==" || op == "!=" || op == "<" || op == ">") {
    r.op = op == "!=" ? Op::NotIn : op == ">" ? Op::Greater : op == "<" ? Op::Less : Op::In;
    std::string value;
    if (s.isWord()) {
      value = s.token();
      s.advance();
    }
    r.values.push_back(std::move(value));
  } else {
    return fail(Code::BadRequest,
                fmt::format("unable to parse requirement: found '{}', expected: in, notin, =, ==, !=, gt, lt", op));
  }
  for (const std::string& value : r.values) SLIP_CHECK(checkValue(r.key, value));
  return r;
}

bool asNumber(const std::string& text, long long* out) {
  char* end = nullptr;
  *out = std::strtoll(text.c_str(), &end, 10);
  return !text.empty() && *end == '\0';
}

}  // namespace

bool Requirement::matches(const std::string* value) const {
  switch (op) {
    case Op::Exists: return value != nullptr;
    case Op::NotExists: return value == nullptr;
    case Op::In: return value && std::find(values.begin(), values.end(), *value) != values.end();
    case Op::NotIn: return !value || std::find(values.begin(), values.end(), *value) == values.end();
    case Op::Greater:
    case Op::Less: break;
  }
  long long have = 0;
  long long want = 0;
  if (!value || !asNumber(*value, &have) || !asNumber(values[0], &want)) return false;
  return op == Op::Greater ? have > want : have < want;
}

Result<std::vector<Requirement>> parseLabelSelector(std::string_view text) {
  std::vector<Requirement> all;
  Scanner s(text);
  while (!s.atEnd()) {
    SLIP_TRY(Requirement r, parseRequirement(s));
    all.push_back(std::move(r));
    if (s.atEnd()) break;
    if (s.token() != ",")
      return fail(Code::BadRequest, fmt::format("found '{}', expected: ',' or 'end of string'", s.token()));
    s.advance();
    if (s.atEnd()) return unexpected(s, "identifier after ','");
  }
  return all;
}

Result<std::vector<Requirement>> parseFieldSelector(std::string_view text) {
  std::vector<Requirement> all;
  std::size_t pos = 0;
  while (pos < text.size()) {
    Requirement r;
    while (pos < text.size() && text[pos] != '=' && text[pos] != '!' && text[pos] != ',') r.key += text[pos++];
    if (pos + 1 < text.size() && text[pos] == '!' && text[pos + 1] == '=') {
      r.op = Op::NotIn;
      pos += 2;
    } else if (pos < text.size() && text[pos] == '=') {
      pos += pos + 1 < text.size() && text[pos + 1] == '=' ? 2 : 1;
    } else {
      return fail(Code::BadRequest, fmt::format("invalid selector: '{}'; can't understand '{}'", text, r.key));
    }
    std::string value;
    while (pos < text.size() && text[pos] != ',') {
      if (text[pos] == '\\' && pos + 1 < text.size()) ++pos;
      value += text[pos++];
    }
    ++pos;
    r.values.push_back(std::move(value));
    all.push_back(std::move(r));
  }
  return all;
}

Result<Selector> Selector::parse(const std::string& resource, std::string_view labels, std::string_view fields) {
  Selector selector;
  SLIP_TRY(selector.labels_, parseLabelSelector(labels));
  SLIP_TRY(selector.fields_, parseFieldSelector(fields));
  const auto& known = fieldLabels(resource);
  for (const Requirement& r : selector.fields_) {
    const bool common = r.key == "metadata.name" || r.key == "metadata.namespace";
    if (!common && std::find(known.begin(), known.end(), r.key) == known.end()) {
      return fail(Code::BadRequest, fmt::format("field label not supported: {}", r.key));
    }
  }
  return selector;
}

bool Selector::matches(const Entry& entry) const {
  for (const Requirement& r : labels_) {
    if (!r.matches(lookup(entry.labels, r.key))) return false;
  }
  for (const Requirement& r : fields_) {
    const std::string* value = r.key == "metadata.name"        ? &entry.name
                               : r.key == "metadata.namespace" ? &entry.ns
                                                               : lookup(entry.fields, r.key);
    if (!r.matches(value)) return false;
  }
  return true;
}

std::string Selector::exactName() const {
  for (const Requirement& r : fields_) {
    if (r.key == "metadata.name" && r.op == Requirement::Op::In) return r.values[0];
  }
  return "";
}

}  // namespace slipway::apiserver
