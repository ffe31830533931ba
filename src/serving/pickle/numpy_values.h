// Numbers and texts out of numpy arrays, in row-major order whatever the file's order and byte order are.
//
//   SLIP_TRY(auto coef, pickle::reals(*value.array));
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "serving/pickle/value.h"

namespace slipway::pickle {

// One element at `bytes`, which must hold type.itemSize bytes. Kinds that do not fit give 0 or "".
double realAt(const char* bytes, const Dtype& type);
std::int64_t integerAt(const char* bytes, const Dtype& type);
std::string textAt(const char* bytes, const Dtype& type);  // U as UTF-8, S as it is; trailing zeros are dropped

// All elements. Errors Invalid: the dtype is of another kind.
Result<std::vector<double>> reals(const Array& array);
Result<std::vector<std::int64_t>> integers(const Array& array);
Result<std::vector<std::string>> texts(const Array& array);
// One field of a record array. Errors Invalid: no such field, or it is not a number.
Result<std::vector<double>> fieldReals(const Array& array, std::string_view field);
Result<std::vector<std::int64_t>> fieldIntegers(const Array& array, std::string_view field);

}  // namespace slipway::pickle
