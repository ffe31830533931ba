#include "node/quantity.h"

#include <cmath>
#include <cstdlib>
#include <limits>
#include <map>

namespace slipway::node {
namespace {

std::optional<long double> valueOf(std::string_view text) {
  static const std::map<std::string_view, long double> suffixes = {
      {"", 1.0L},      {"n", 1e-9L},    {"u", 1e-6L},    {"m", 1e-3L},   {"k", 1e3L},     {"M", 1e6L},
      {"G", 1e9L},     {"T", 1e12L},    {"P", 1e15L},    {"E", 1e18L},   {"Ki", 0x1p10L}, {"Mi", 0x1p20L},
      {"Gi", 0x1p30L}, {"Ti", 0x1p40L}, {"Pi", 0x1p50L}, {"Ei", 0x1p60L}};
  const std::string copy(text);
  std::size_t digits = 0;
  while (digits < copy.size() &&
         (std::isdigit(static_cast<unsigned char>(copy[digits])) != 0 || std::strchr("+-.", copy[digits]) != nullptr))
    ++digits;
  if (digits == 0 || digits > 40) return std::nullopt;
  char* end = nullptr;
  const std::string number = copy.substr(0, digits);
  const long double value = std::strtold(number.c_str(), &end);
  if (end != number.c_str() + number.size()) return std::nullopt;
  const std::string_view rest = text.substr(digits);
  const auto found = suffixes.find(rest);
  if (found != suffixes.end()) return value * found->second;
  if (rest.size() < 2 || rest.size() > 5 || (rest[0] != 'e' && rest[0] != 'E')) return std::nullopt;
  const std::string exponent(rest.substr(1));
  const long power = std::strtol(exponent.c_str(), &end, 10);
  if (end != exponent.c_str() + exponent.size() || power > 30 || power < -30) return std::nullopt;
  return value * std::pow(10.0L, static_cast<long double>(power));
}

std::optional<std::int64_t> roundUp(std::optional<long double> value, long double scale) {
  if (!value) return std::nullopt;
  // Decimal fractions are not exact in binary: what is within a billionth of a whole number is that number.
  const long double scaled = *value * scale;
  const long double nearest = std::round(scaled);
  const long double result =
      std::fabs(scaled - nearest) < 1e-9L * std::max(1.0L, std::fabs(scaled)) ? nearest : std::ceil(scaled);
  if (!(std::fabs(result) < 9.2e18L)) return std::nullopt;
  return static_cast<std::int64_t>(result);
}

}  // namespace

std::optional<std::int64_t> milliOf(std::string_view quantity) { return roundUp(valueOf(quantity), 1000.0L); }
std::optional<std::int64_t> wholeOf(std::string_view quantity) { return roundUp(valueOf(quantity), 1.0L); }

}  // namespace slipway::node
