// Quantity: Kubernetes' fixed-point numbers such as 500m, 2, 1.5Gi or 1e3, exact to a billionth. Pure values, thread-safe.
//
//   auto limit = parseQuantity("1.5Gi");   limit->value() == 1610612736
#pragma once
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "data/json.h"

namespace slipway {

class Quantity {
 public:
  enum class Format { DecimalSI, BinarySI, DecimalExponent };
  Quantity() = default;
  // In billionths of a unit; beyond about 1.7e29 units values are capped.
  Quantity(__int128 nanos, Format format) : nanos_(nanos), format_(format) {}

  std::int64_t value() const;       // units, rounded up; capped at the ends of int64
  std::int64_t milliValue() const;  // thousandths, rounded up; capped
  double toDouble() const;
  // As kube-apiserver writes it: 1000m is "1", 1.5Gi is "1536Mi", 0.5 is "500m".
  std::string canonical() const;
  // By value: 1Gi equals 1024Mi.
  std::strong_ordering operator<=>(const Quantity& other) const { return nanos_ <=> other.nanos_; }
  bool operator==(const Quantity& other) const { return nanos_ == other.nanos_; }
  bool negative() const { return nanos_ < 0; }
  // In the format of the left side, of the right one when the left side is nothing. Capped like the constructor's values.
  Quantity operator+(const Quantity& other) const;
  Quantity operator-(const Quantity& other) const { return *this + Quantity(-other.nanos_, other.format_); }

 private:
  __int128 nanos_ = 0;
  Format format_ = Format::DecimalSI;
};

// Digits below a billionth are rounded up. Error Invalid in Kubernetes' words.
Result<Quantity> parseQuantity(std::string_view text);
// From a JSON text or number.
Result<Quantity> quantityOf(const Json& value);
// Whether both are quantities of the same value.
bool sameQuantity(const Json& a, const Json& b);

}  // namespace slipway
