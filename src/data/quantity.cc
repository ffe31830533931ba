#include "data/quantity.h"

namespace slipway {
namespace {

using Wide = __int128;
constexpr Wide kNano = 1'000'000'000;
constexpr Wide kCap = Wide(170'000'000'000'000'000) * Wide(1'000'000'000'000'000'000);
constexpr const char* kPattern =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

constexpr std::string_view kDecimal[] = {"n", "u", "m", "", "k", "M", "G", "T", "P", "E"};  // 10^-9 … 10^18
constexpr std::string_view kBinary[] = {"", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"};            // 1024^0 … 1024^6

Wide capped(Wide value, Wide factor) { return value > kCap / factor ? kCap : value * factor; }

Wide ceilDivide(Wide a, Wide b) { return a / b + (a % b > 0 ? 1 : 0); }

struct Suffix {
  int exponent10 = 0;
  int exponent2 = 0;
  Quantity::Format format = Quantity::Format::DecimalSI;
};

bool digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::optional<Suffix> suffixOf(std::string_view text) {
  for (int i = 0; i < 10; ++i) {
    if (text == kDecimal[i]) return Suffix{(i - 3) * 3, 0, Quantity::Format::DecimalSI};
  }
  for (int i = 1; i < 7; ++i) {
    if (text == kBinary[i]) return Suffix{0, 10 * i, Quantity::Format::BinarySI};
  }
  if (text.size() < 2 || (text[0] != 'e' && text[0] != 'E')) return std::nullopt;
  std::string_view number = text.substr(1);
  const bool minus = number[0] == '-';
  if (minus || number[0] == '+') number.remove_prefix(1);
  if (!digits(number) || number.size() > 4) return std::nullopt;
  const int exponent = std::stoi(std::string(number));
  return Suffix{minus ? -exponent : exponent, 0, Quantity::Format::DecimalExponent};
}

// Digits with an optional point, times 10^exponent, in billionths; rounded up.
Wide scaled(std::string_view number, int exponent) {
  Wide value = 0;
  int shift = exponent + 9;
  bool fraction = false;
  bool lost = false;
  for (const char c : number) {
    if (c == '.') {
      fraction = true;
      continue;
    }
    if (fraction && value > kCap / 10) {  // more digits than can count
      lost = lost || c != '0';
      continue;
    }
    value = value >= kCap / 10 ? kCap : value * 10 + (c - '0');
    if (fraction) --shift;
  }
  for (; shift > 0 && value != 0; --shift) value = capped(value, 10);
  for (; shift < 0 && value != 0; ++shift) {
    lost = lost || value % 10 != 0;
    value /= 10;
  }
  return value + (lost ? 1 : 0);
}

std::string wideText(Wide value) {
  if (value == 0) return "0";
  const bool minus = value < 0;
  if (minus) value = -value;
  std::string out;
  for (; value > 0; value /= 10) out.insert(out.begin(), static_cast<char>('0' + static_cast<int>(value % 10)));
  return minus ? "-" + out : out;
}

std::int64_t clamp64(Wide value) {
  return value > INT64_MAX ? INT64_MAX : value < INT64_MIN ? INT64_MIN : static_cast<std::int64_t>(value);
}

}  // namespace

Result<Quantity> parseQuantity(std::string_view text) {
  std::string_view rest = text;
  bool minus = false;
  if (!rest.empty() && (rest[0] == '+' || rest[0] == '-')) {
    minus = rest[0] == '-';
    rest.remove_prefix(1);
  }
  const auto end = std::min(rest.find_first_not_of("0123456789."), rest.size());
  const std::string_view number = rest.substr(0, end);
  const auto points = std::count(number.begin(), number.end(), '.');
  if (number.empty() || points > 1 || number == ".") return fail(Code::Invalid, kPattern);
  const auto suffix = suffixOf(rest.substr(end));
  if (!suffix) {
    const bool known = rest.substr(end).find_first_not_of("eEinumkKMGTP+-0123456789") == std::string_view::npos;
    return fail(Code::Invalid, known ? "unable to parse quantity's suffix" : kPattern);
  }
  Wide nanos = scaled(number, suffix->exponent10);
  if (suffix->exponent2 > 0) {
    // Multiply before rounding to billionths matters only below 1e-9 of a unit, which no binary suffix can express usefully.
    nanos = capped(nanos, Wide(1) << suffix->exponent2);
  }
  return Quantity(minus ? -nanos : nanos, suffix->format);
}

Result<Quantity> quantityOf(const Json& value) {
  if (value.is_string()) return parseQuantity(value.get_ref<const std::string&>());
  if (value.is_number()) return parseQuantity(value.dump());
  return fail(Code::Invalid, kPattern);
}

bool sameQuantity(const Json& a, const Json& b) {
  const auto x = quantityOf(a);
  const auto y = quantityOf(b);
  return x && y && *x == *y;
}

std::int64_t Quantity::value() const { return clamp64(ceilDivide(nanos_, kNano)); }
std::int64_t Quantity::milliValue() const { return clamp64(ceilDivide(nanos_, kNano / 1000)); }
double Quantity::toDouble() const { return static_cast<double>(nanos_) / 1e9; }

Quantity Quantity::operator+(const Quantity& other) const {
  const Wide sum = nanos_ + other.nanos_;
  return {std::clamp(sum, -kCap, kCap), nanos_ == 0 ? other.format_ : format_};
}

std::string Quantity::canonical() const {
  if (nanos_ == 0) return "0";
  const Wide size = nanos_ < 0 ? -nanos_ : nanos_;
  if (format_ == Format::BinarySI && size % kNano == 0 && size / kNano >= 1024) {
    Wide value = nanos_ / kNano;
    int step = 0;
    while (step < 6 && value % 1024 == 0) {
      value /= 1024;
      ++step;
    }
    return wideText(value) + std::string(kBinary[step]);
  }
  Wide value = nanos_;
  int step = 0;
  while (value % 1000 == 0 && (step < 9 || format_ == Format::DecimalExponent)) {
    value /= 1000;
    ++step;
  }
  if (format_ == Format::DecimalExponent) return wideText(value) + (step == 3 ? "" : fmt::format("e{}", (step - 3) * 3));
  return wideText(value) + std::string(kDecimal[step]);
}

}  // namespace slipway
