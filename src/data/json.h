// Json: the form in which objects live, are stored and travel (nlohmann, keys sorted as kubectl prints them).
// Parsing never throws: errors say line and column.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/result.h"

namespace slipway {

using Json = nlohmann::json;

// Strict RFC 8259 text; nesting deeper than 512 levels is refused (a hostile body must not overflow the stack).
// Error BadRequest: "line 3, column 7: …".
Result<Json> parseJson(std::string_view text);
// Compact text; invalid UTF-8 is replaced by U+FFFD rather than thrown on.
std::string dumpJson(const Json& value);

// at(obj, "spec", "template", "metadata"): the value at that path, or a null Json when any step is missing or of another
// type.
const Json& at(const Json& object, std::string_view key);
template <class... Rest>
const Json& at(const Json& object, std::string_view key, Rest... rest) {
  return at(at(object, key), rest...);
}
// The text at a path, or `fallback` when it is absent or not a string.
std::string textAt(const Json& object, std::string_view key, std::string fallback = "");
std::int64_t intAt(const Json& object, std::string_view key, std::int64_t fallback = 0);
bool boolAt(const Json& object, std::string_view key, bool fallback = false);

}  // namespace slipway
