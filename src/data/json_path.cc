#include "data/json_path.h"

#include <charconv>

namespace slipway {

struct JsonPath::Step {
  enum class Kind { Field, Wildcard, Index, Slice, Recurse, Filter };
  Kind kind = Kind::Field;
  std::string name;                      // Field; Recurse: the name to find at any depth, "" for all
  std::optional<std::int64_t> from, to;  // Index: from; Slice: both
  // Filter: @left op value. No op: left must exist.
  std::shared_ptr<const JsonPath> left;
  std::string op;
  Json value;
};

namespace {

constexpr std::size_t kMaxMatches = 10000;
constexpr std::size_t kMaxSteps = 100;
constexpr std::size_t kMaxText = 4096;

}  // namespace

class JsonPathParser {
 public:
  explicit JsonPathParser(std::string_view text) : text_(text) {
    if (text_.starts_with("{") && text_.ends_with("}")) text_ = text_.substr(1, text_.size() - 2);
  }

  using Step = JsonPath::Step;
  using Steps = std::vector<std::shared_ptr<const Step>>;

  Result<Steps> parse() {
    if (peek() == '$' || peek() == '@') ++at_;
    if (at_ < text_.size() && peek() != '.' && peek() != '[') {
      auto step = field();
      if (!step) return fail(step.error());
      steps_.push_back(*step);
    }
    while (at_ < text_.size()) {
      if (steps_.size() >= kMaxSteps) return wrong("the path has too many steps");
      auto step = peek() == '[' ? bracket() : dotted();
      if (!step) return fail(step.error());
      steps_.push_back(std::move(*step));
    }
    return std::move(steps_);
  }

 private:
  using Parsed = Result<std::shared_ptr<const Step>>;

  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  tl::unexpected<Error> wrong(std::string_view why) const {
    return fail(Code::BadRequest, fmt::format("JSONPath '{}', position {}: {}", text_, at_ + 1, why));
  }
  static Parsed make(Step step) { return std::make_shared<const Step>(std::move(step)); }

  Parsed dotted() {
    if (peek() != '.') return wrong("expected '.' or '['");
    ++at_;
    if (peek() == '.') {
      ++at_;
      if (peek() == '[' || peek() == '\0') return make({.kind = Step::Kind::Recurse});
      auto name = field();
      if (!name) return name;
      return make({.kind = Step::Kind::Recurse, .name = (*name)->kind == Step::Kind::Wildcard ? "" : (*name)->name});
    }
    if (peek() == '[') return bracket();
    return field();
  }

  Parsed field() {
    std::string name;
    while (at_ < text_.size() && text_[at_] != '.' && text_[at_] != '[') {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
      name.push_back(text_[at_++]);
    }
    if (name.empty()) return wrong("a field name is missing");
    if (name == "*") return make({.kind = Step::Kind::Wildcard});
    return make({.kind = Step::Kind::Field, .name = std::move(name)});
  }

  Parsed bracket() {
    ++at_;
    const char c = peek();
    if (c == '?') return filter();
    if (c == '\'' || c == '"') {
      auto name = quoted();
      if (!name) return fail(name.error());
      if (!close()) return wrong("']' is missing");
      return make({.kind = Step::Kind::Field, .name = std::move(*name)});
    }
    if (c == '*') {
      ++at_;
      if (!close()) return wrong("']' is missing");
      return make({.kind = Step::Kind::Wildcard});
    }
    return slice();
  }

  bool close() {
    if (peek() != ']') return false;
    ++at_;
    return true;
  }

  Result<std::string> quoted() {
    const char quote = text_[at_++];
    std::string out;
    while (at_ < text_.size() && text_[at_] != quote) {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
      out.push_back(text_[at_++]);
    }
    if (at_ >= text_.size()) return wrong("the text is not closed");
    ++at_;
    return out;
  }

  std::optional<std::int64_t> number() {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
    if (error != std::errc()) return std::nullopt;
    at_ = static_cast<std::size_t>(end - text_.data());
    return value;
  }

  Parsed slice() {
    Step step{.kind = Step::Kind::Index, .from = number()};
    if (peek() == ':') {
      ++at_;
      step.kind = Step::Kind::Slice;
      step.to = number();
    } else if (!step.from) {
      return wrong("an index, a name in quotes, * or a filter is expected");
    }
    if (!close()) return wrong("']' is missing");
    return make(std::move(step));
  }

  Parsed filter() {
    const auto end = filterEnd();
    if (!end) return wrong("the filter must look like [?(@.name=='value')]");
    const std::string_view body = text_.substr(at_ + 2, *end - at_ - 2);
    at_ = *end + 2;
    Step step{.kind = Step::Kind::Filter};
    std::string_view left = body;
    const auto op = operatorAt(body);
    if (op) {
      const std::size_t width = *op + 1 < body.size() && body[*op + 1] == '=' ? 2 : 1;
      left = body.substr(0, *op);
      step.op = std::string(body.substr(*op, width));
      auto value = literal(trim(body.substr(*op + width)));
      if (!value) return fail(value.error());
      step.value = std::move(*value);
    }
    auto path = JsonPath::compile(trim(left));
    if (!path) return fail(path.error());
    step.left = std::make_shared<const JsonPath>(std::move(*path));
    return make(std::move(step));
  }

  // The position of ")]" that ends the filter, outside quotes.
  std::optional<std::size_t> filterEnd() const {
    if (text_.substr(at_, 2) != "?(") return std::nullopt;
    char quote = '\0';
    for (std::size_t i = at_ + 2; i + 1 < text_.size(); ++i) {
      if (quote != '\0') {
        if (text_[i] == quote) quote = '\0';
      } else if (text_[i] == '\'' || text_[i] == '"') {
        quote = text_[i];
      } else if (text_[i] == ')' && text_[i + 1] == ']') {
        return i;
      }
    }
    return std::nullopt;
  }

  static std::optional<std::size_t> operatorAt(std::string_view body) {
    char quote = '\0';
    for (std::size_t i = 0; i < body.size(); ++i) {
      if (quote != '\0') {
        if (body[i] == quote) quote = '\0';
      } else if (body[i] == '\'' || body[i] == '"') {
        quote = body[i];
      } else if (std::string_view("=!<>").find(body[i]) != std::string_view::npos) {
        return i;
      }
    }
    return std::nullopt;
  }

  static std::string_view trim(std::string_view s) {
    const auto begin = s.find_first_not_of(' ');
    return begin == std::string_view::npos ? std::string_view() : s.substr(begin, s.find_last_not_of(' ') - begin + 1);
  }

  Result<Json> literal(std::string_view text) const {
    if (text.size() >= 2 && (text[0] == '\'' || text[0] == '"') && text.back() == text[0])
      return Json(std::string(text.substr(1, text.size() - 2)));
    if (auto value = parseJson(text)) return *value;
    return wrong(fmt::format("'{}' is neither a text in quotes nor a number nor true or false", text));
  }

  std::string_view text_;
  std::size_t at_ = 0;
  Steps steps_;
};

namespace {

using Step = JsonPath::Step;
using Found = std::vector<const Json*>;

bool compare(const Json& left, const std::string& op, const Json& right) {
  if (op == "==" || op == "=") return left == right;
  if (op == "!=") return left != right;
  if (left.is_number() != right.is_number()) return false;
  if (op == "<") return left < right;
  if (op == "<=") return left <= right;
  if (op == ">") return left > right;
  return op == ">=" && left >= right;
}

bool passes(const Step& step, const Json& item) {
  const auto left = step.left->find(item);
  if (step.op.empty()) return !left.empty();
  return !left.empty() && compare(*left[0], step.op, step.value);
}

void recurse(const Step& step, const Json& value, Found& out, int depth) {
  if (out.size() >= kMaxMatches || depth > 200) return;
  if (step.name.empty())
    out.push_back(&value);
  else if (value.is_object() && value.contains(step.name))
    out.push_back(&value[step.name]);
  if (!value.is_structured()) return;
  for (const Json& child : value) recurse(step, child, out, depth + 1);
}

void slice(const Step& step, const Json& list, Found& out) {
  if (!list.is_array()) return;
  const auto size = static_cast<std::int64_t>(list.size());
  const auto place = [&](std::int64_t i) { return std::clamp<std::int64_t>(i < 0 ? i + size : i, 0, size); };
  if (step.kind == Step::Kind::Index) {
    const std::int64_t i = *step.from < 0 ? *step.from + size : *step.from;
    if (i >= 0 && i < size) out.push_back(&list[static_cast<std::size_t>(i)]);
    return;
  }
  for (std::int64_t i = place(step.from.value_or(0)); i < place(step.to.value_or(size)); ++i)
    out.push_back(&list[static_cast<std::size_t>(i)]);
}

void apply(const Step& step, const Json& value, Found& out) {
  switch (step.kind) {
    case Step::Kind::Field:
      if (value.is_object() && value.contains(step.name)) out.push_back(&value[step.name]);
      break;
    case Step::Kind::Index:
    case Step::Kind::Slice: slice(step, value, out); break;
    case Step::Kind::Recurse: recurse(step, value, out, 0); break;
    case Step::Kind::Wildcard:
    case Step::Kind::Filter:
      if (!value.is_structured()) break;
      for (const Json& child : value) {
        if (step.kind == Step::Kind::Wildcard || passes(step, child)) out.push_back(&child);
      }
  }
}

}  // namespace

Result<JsonPath> JsonPath::compile(std::string_view text) {
  if (text.size() > kMaxText) return fail(Code::BadRequest, fmt::format("a JSONPath has at most {} characters", kMaxText));
  SLIP_TRY(auto steps, JsonPathParser(text).parse());
  JsonPath path;
  path.steps_ = std::move(steps);
  return path;
}

std::vector<const Json*> JsonPath::find(const Json& root) const {
  Found found{&root};
  for (const auto& step : steps_) {
    Found next;
    for (const Json* value : found) {
      apply(*step, *value, next);
      if (next.size() > kMaxMatches) next.resize(kMaxMatches);
    }
    found = std::move(next);
  }
  return found;
}

}  // namespace slipway
