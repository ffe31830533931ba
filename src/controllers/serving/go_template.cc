#include "controllers/serving/go_template.h"

namespace slipway::isvc {

namespace {

tl::unexpected<Error> refuse(std::string_view action, const std::string& why) {
  return fail(Code::Invalid, "{{" + std::string(action) + "}}: " + why);
}

bool isSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool isNameChar(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

std::string_view trimRight(std::string_view text) {
  while (!text.empty() && isSpace(text.back())) text.remove_suffix(1);
  return text;
}
std::string_view trimLeft(std::string_view text) {
  while (!text.empty() && isSpace(text.front())) text.remove_prefix(1);
  return text;
}

std::string render(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_null()) return "";
  return dumpJson(value);
}

struct Word {
  enum class Kind { Field, Name, Text, Pipe } kind;
  std::string text;  // Field: the path with its leading dot
};

// Splits an action's body into words; quotes are Go's ("…" with \\ and \" escapes, or `…`).
class Lexer {
 public:
  explicit Lexer(std::string_view body) : rest_(trimLeft(body)) {}

  bool done() const { return rest_.empty(); }

  Result<Word> next() {
    char c = rest_.front();
    if (c == '|') return take(Word::Kind::Pipe, 1);
    if (c == '"') return quoted();
    if (c == '`') return raw();
    if (c == '.') return take(Word::Kind::Field, length([](char x) { return isNameChar(x) || x == '.'; }));
    if (isNameChar(c)) return take(Word::Kind::Name, length(isNameChar));
    return fail(Code::Invalid, std::string("unexpected '") + c + "'");
  }

 private:
  template <class Predicate>
  std::size_t length(Predicate keep) const {
    std::size_t n = 0;
    while (n < rest_.size() && keep(rest_[n])) ++n;
    return n;
  }

  Word take(Word::Kind kind, std::size_t n) {
    Word word{kind, std::string(rest_.substr(0, n))};
    advance(n);
    return word;
  }

  void advance(std::size_t n) { rest_ = trimLeft(rest_.substr(n)); }

  Result<Word> quoted() {
    std::string text;
    for (std::size_t i = 1; i < rest_.size(); ++i) {
      if (rest_[i] == '"') {
        advance(i + 1);
        return Word{Word::Kind::Text, std::move(text)};
      }
      if (rest_[i] == '\\' && i + 1 < rest_.size()) ++i;
      text += rest_[i];
    }
    return fail(Code::Invalid, "a \" is missing");
  }

  Result<Word> raw() {
    std::size_t end = rest_.find('`', 1);
    if (end == std::string_view::npos) return fail(Code::Invalid, "a ` is missing");
    Word word{Word::Kind::Text, std::string(rest_.substr(1, end - 1))};
    advance(end + 1);
    return word;
  }

  std::string_view rest_;
};

std::string knownFields(const Json& dot) {
  std::string known;
  for (auto it = dot.begin(); dot.is_object() && it != dot.end(); ++it) known += (known.empty() ? "" : ", ") + it.key();
  return known;
}

// ".Labels.team"; the first step must exist in the record, later ones are map entries.
Result<Json> field(const std::string& path, const Json& dot) {
  if (path == ".") return dot;
  const Json* value = &dot;
  std::size_t start = 1;
  while (start <= path.size()) {
    std::size_t end = std::min(path.find('.', start), path.size());
    std::string step = path.substr(start, end - start);
    if (step.empty()) return fail(Code::Invalid, "'" + path + "' is not a field");
    if (value == &dot && !dot.contains(step)) {
      return fail(Code::Invalid, "no field " + step + " (known: " + knownFields(dot) + ")");
    }
    if (!value->is_object() && !value->is_null()) return fail(Code::Invalid, "'" + path + "': nothing lies below a text");
    value = &at(*value, step);
    start = end + 1;
  }
  return *value;
}

Result<Json> callIndex(const std::vector<Json>& args) {
  if (args.empty()) return fail(Code::Invalid, "index needs a map and a key");
  const Json* value = &args[0];
  for (std::size_t i = 1; i < args.size(); ++i) {
    if (!args[i].is_string()) return fail(Code::Invalid, "index: a key must be a text");
    if (!value->is_object() && !value->is_null()) return fail(Code::Invalid, "index: not a map");
    value = &at(*value, args[i].get<std::string>());
  }
  return *value;
}

Result<Json> callPrintf(const std::vector<Json>& args) {
  if (args.empty() || !args[0].is_string()) return fail(Code::Invalid, "printf needs a format");
  std::string format = args[0].get<std::string>(), out;
  std::size_t used = 1;
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%' || i + 1 == format.size()) {
      out += format[i];
      continue;
    }
    char verb = format[++i];
    if (verb == '%') {
      out += '%';
    } else if ((verb == 's' || verb == 'v') && used < args.size()) {
      out += render(args[used++]);
    } else if (verb == 'q' && used < args.size()) {
      out += dumpJson(Json(render(args[used++])));
    } else {
      return fail(Code::Invalid,
                  std::string("printf: cannot use %") + verb + " here (%s, %v and %q are known, one value each)");
    }
  }
  return Json(std::move(out));
}

Result<Json> call(const std::string& name, const std::vector<Json>& args) {
  if (name == "index") return callIndex(args);
  if (name == "printf") return callPrintf(args);
  if (name == "print") {
    std::string out;
    for (const Json& arg : args) out += render(arg);
    return Json(std::move(out));
  }
  return fail(Code::Invalid, "'" + name + "' is not supported; use fields, index, print, printf and |");
}

// One stage of a pipeline: an operand, or a function with its operands; `piped` becomes the last one.
Result<Json> stage(const std::vector<Word>& words, const std::optional<Json>& piped, const Json& dot) {
  if (words.empty()) return fail(Code::Invalid, "a value is missing");
  std::vector<Json> values;
  bool function = words[0].kind == Word::Kind::Name;
  for (std::size_t i = function ? 1 : 0; i < words.size(); ++i) {
    if (words[i].kind == Word::Kind::Name) return fail(Code::Invalid, "unexpected '" + words[i].text + "'");
    if (words[i].kind == Word::Kind::Text) {
      values.emplace_back(words[i].text);
      continue;
    }
    SLIP_TRY(Json value, field(words[i].text, dot));
    values.push_back(std::move(value));
  }
  if (function) {
    if (piped) values.push_back(*piped);
    return call(words[0].text, values);
  }
  if (values.size() != 1 || piped) return fail(Code::Invalid, "'" + words[0].text + "' is not a function");
  return values[0];
}

Result<Json> evaluate(std::string_view body, const Json& dot) {
  Lexer lexer(body);
  std::optional<Json> value;
  std::vector<Word> words;
  while (!lexer.done()) {
    SLIP_TRY(Word word, lexer.next());
    if (word.kind != Word::Kind::Pipe) {
      words.push_back(std::move(word));
      continue;
    }
    SLIP_TRY(value, stage(words, value, dot));
    words.clear();
  }
  return stage(words, value, dot);
}

}  // namespace

Result<std::string> expandTemplate(std::string_view text, const Json& dot) {
  std::string out;
  while (true) {
    std::size_t open = text.find("{{");
    std::string_view literal = text.substr(0, open);
    if (open == std::string_view::npos) return out + std::string(literal);
    std::size_t close = text.find("}}", open + 2);
    if (close == std::string_view::npos) return refuse(text.substr(open + 2, 20), "the closing }} is missing");
    std::string_view body = text.substr(open + 2, close - open - 2);
    std::string_view action = body;
    bool trimBefore = body.size() > 1 && body[0] == '-' && isSpace(body[1]);
    bool trimAfter = body.size() > 1 && body.back() == '-' && isSpace(body[body.size() - 2]);
    if (trimBefore) body.remove_prefix(1);
    if (trimAfter && !body.empty()) body.remove_suffix(1);
    out += trimBefore ? trimRight(literal) : literal;
    text = text.substr(close + 2);
    if (trimAfter) text = trimLeft(text);
    bool comment = body.starts_with("/*");
    if (!comment) {
      Result<Json> value = evaluate(body, dot);
      if (!value) return refuse(action, value.error().message);
      out += render(*value);
    }
    if (out.size() > kMaxExpanded) return refuse(action, fmt::format("the result is longer than {} bytes", kMaxExpanded));
  }
}

Result<Json> expandAll(const Json& value, const Json& dot) {
  if (value.is_string()) {
    SLIP_TRY(std::string text, expandTemplate(value.get_ref<const std::string&>(), dot));
    return Json(std::move(text));
  }
  if (!value.is_structured()) return value;
  Json out = value;
  for (auto it = out.begin(); it != out.end(); ++it) {
    SLIP_TRY(*it, expandAll(*it, dot));
  }
  return out;
}

Json metadataDot(const Json& object) {
  const Json& metadata = at(object, "metadata");
  auto map = [&](const char* key) { return at(metadata, key).is_object() ? at(metadata, key) : Json::object(); };
  Json dot = Json::object();
  dot["Name"] = textAt(metadata, "name");
  dot["Namespace"] = textAt(metadata, "namespace");
  dot["UID"] = textAt(metadata, "uid");
  dot["Labels"] = map("labels");
  dot["Annotations"] = map("annotations");
  return dot;
}

}  // namespace slipway::isvc
