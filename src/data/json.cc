#include "data/json.h"

namespace slipway {
namespace {

constexpr int kMaxDepth = 512;

// Depth is checked before parsing: nlohmann's DOM is destroyed recursively.
bool tooDeep(std::string_view text) {
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '{' || c == '[') {
      if (++depth > kMaxDepth) return true;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}

std::string place(std::string_view text, std::size_t byte) {
  std::size_t line = 1;
  std::size_t column = 1;
  for (std::size_t i = 0; i + 1 < byte && i < text.size(); ++i) {
    if (text[i] == '\n') {
      ++line;
      column = 1;
    } else {
      ++column;
    }
  }
  return fmt::format("line {}, column {}", line, column);
}

const Json kNull;

}  // namespace

Result<Json> parseJson(std::string_view text) {
  if (tooDeep(text)) return fail(Code::BadRequest, fmt::format("JSON is nested deeper than {} levels", kMaxDepth));
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& e) {
    std::string what = e.what();
    const auto cut = what.find("; ");  // nlohmann's prefix repeats the position
    const auto colon = what.find(": ");
    what = cut != std::string::npos ? what.substr(cut + 2) : colon != std::string::npos ? what.substr(colon + 2) : what;
    return fail(Code::BadRequest, place(text, e.byte) + ": " + what);
  } catch (const Json::exception& e) {
    return fail(Code::BadRequest, e.what());
  }
}

std::string dumpJson(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

const Json& at(const Json& object, std::string_view key) {
  if (!object.is_object()) return kNull;
  auto it = object.find(key);
  return it == object.end() ? kNull : *it;
}

std::string textAt(const Json& object, std::string_view key, std::string fallback) {
  const Json& v = at(object, key);
  return v.is_string() ? v.get<std::string>() : fallback;
}

std::int64_t intAt(const Json& object, std::string_view key, std::int64_t fallback) {
  const Json& v = at(object, key);
  return v.is_number_integer() ? v.get<std::int64_t>() : fallback;
}

bool boolAt(const Json& object, std::string_view key, bool fallback) {
  const Json& v = at(object, key);
  return v.is_boolean() ? v.get<bool>() : fallback;
}

}  // namespace slipway
