// The attributes of an estimator in the file, read with their types checked. Errors name the place:
// `Pipeline step 'clf' (LogisticRegression): coef_: …`.
//
//   SLIP_TRY(Matrix coef, fields.matrix("coef_"));
#pragma once
#include <string>
#include <vector>

#include "base/result.h"
#include "serving/engines/sklearn/sklearn_model.h"
#include "serving/pickle/value.h"

namespace slipway::sklearn {

// Row-major numbers with their shape.
struct Matrix {
  std::vector<double> data;
  std::size_t rows = 0;
  std::size_t columns = 0;

  const double* row(std::size_t i) const { return data.data() + i * columns; }
};

// What compiling one file may still use. A hostile file can name one big array a million times in a few bytes each.
struct Allowance {
  std::size_t bytes = 0;
  std::size_t estimators = 100'000;
};

class Fields {
 public:
  // `object` and `allowance` must outlive the Fields; `place` stands in messages.
  Fields(const pickle::Value& object, std::string place, Allowance& allowance)
      : object_(object), place_(std::move(place)), allowance_(allowance) {}
  Fields inside(const pickle::Value& object, std::string place) const {
    return Fields(object, std::move(place), allowance_);
  }
  // Error TooLarge once the compiled model passes Limits::modelBytes.
  Status charge(std::size_t bytes) const;

  const pickle::Value& object() const { return object_; }
  const std::string& place() const { return place_; }
  std::string_view className() const { return object_.className(); }

  const pickle::Value* find(std::string_view name) const;  // nullptr when absent or None
  // The first of two names that is there: attributes are renamed between versions.
  const pickle::Value* find(std::string_view name, std::string_view older) const;
  bool has(std::string_view name) const { return find(name) != nullptr; }
  Result<const pickle::Value*> get(std::string_view name) const;

  Result<double> number(std::string_view name) const;  // int, float, bool or an array of one element
  double numberOr(std::string_view name, double fallback) const;
  std::int64_t integerOr(std::string_view name, std::int64_t fallback) const;
  bool flag(std::string_view name, bool fallback) const;
  std::string textOr(std::string_view name, std::string fallback) const;              // fallback when absent or not text
  Result<std::vector<double>> vector(std::string_view name) const;                    // any shape, flattened
  Result<std::vector<double>> vector(std::string_view name, std::size_t size) const;  // of exactly this size
  Result<Matrix> matrix(std::string_view name) const;                                 // 2-d; 1-d counts as one row
  Result<Labels> labels(std::string_view name) const;
  Result<const pickle::Array*> array(std::string_view name) const;

  tl::unexpected<Error> bad(std::string_view name, const std::string& why) const;  // Invalid
  tl::unexpected<Error> unsupported(const std::string& what) const;                // Unimplemented

 private:
  const pickle::Value& object_;
  std::string place_;
  Allowance& allowance_;
};

Result<Labels> labelsOf(const pickle::Value& value);  // from an array or list of one type
Result<Matrix> matrixOf(const pickle::Array& array);

}  // namespace slipway::sklearn
