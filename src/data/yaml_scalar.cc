#include "data/yaml_scalar.h"

#include <charconv>

namespace slipway {
namespace {

bool oneOf(std::string_view text, std::initializer_list<std::string_view> list) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

// Digits of one base without sign and underscores.
std::optional<Json> integer(std::string_view digits, int base, bool negative) {
  if (digits.empty()) return std::nullopt;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  constexpr std::uint64_t kMax = static_cast<std::uint64_t>(INT64_MAX);
  if (!negative) return value <= kMax ? Json(static_cast<std::int64_t>(value)) : Json(value);
  if (value > kMax + 1) return std::nullopt;
  return Json(static_cast<std::int64_t>(~value + 1));
}

// [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?
bool isFloat(std::string_view s) {
  std::size_t i = !s.empty() && (s[0] == '-' || s[0] == '+') ? 1 : 0;
  const auto digits = [&] {
    const std::size_t begin = i;
    while (i < s.size() && s[i] >= '0' && s[i] <= '9') ++i;
    return i - begin;
  };
  const std::size_t whole = digits();
  if (i < s.size() && s[i] == '.') {
    ++i;
    if (digits() == 0 && whole == 0) return false;
  } else if (whole == 0) {
    return false;
  }
  if (i == s.size()) return true;
  if (s[i] != 'e' && s[i] != 'E') return false;
  ++i;
  if (i < s.size() && (s[i] == '-' || s[i] == '+')) ++i;
  return digits() > 0 && i == s.size();
}

std::optional<Json> number(std::string_view text) {
  std::string plain;
  for (const char c : text) {
    if (c != '_') plain.push_back(c);
  }
  std::string_view body = plain;
  const bool negative = !body.empty() && body[0] == '-';
  if (!body.empty() && (body[0] == '-' || body[0] == '+')) body.remove_prefix(1);
  if (body.starts_with("0x") || body.starts_with("0X")) return integer(body.substr(2), 16, negative);
  if (body.starts_with("0b") || body.starts_with("0B")) return integer(body.substr(2), 2, negative);
  if (body.starts_with("0o") || body.starts_with("0O")) return integer(body.substr(2), 8, negative);
  if (body.size() > 1 && body[0] == '0') {
    if (auto octal = integer(body.substr(1), 8, negative)) return octal;
  } else if (auto decimal = integer(body, 10, negative)) {
    return decimal;
  }
  if (!isFloat(plain)) return std::nullopt;
  const double value = std::strtod(plain.c_str(), nullptr);
  return std::isfinite(value) ? std::optional(Json(value)) : std::nullopt;
}

}  // namespace

std::optional<Json> yamlScalar(std::string_view text) {
  if (text.empty() || oneOf(text, {"~", "null", "Null", "NULL"})) return Json();
  if (oneOf(text, {"true", "True", "TRUE", "y", "Y", "yes", "Yes", "YES", "on", "On", "ON"})) return Json(true);
  if (oneOf(text, {"false", "False", "FALSE", "n", "N", "no", "No", "NO", "off", "Off", "OFF"})) return Json(false);
  if (oneOf(text, {".nan", ".NaN", ".NAN", ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF"}))
    return std::nullopt;
  const char first = text[0];
  if ((first >= '0' && first <= '9') || first == '-' || first == '+' || first == '.') {
    if (auto value = number(text)) return value;
  }
  return Json(std::string(text));
}

}  // namespace slipway
