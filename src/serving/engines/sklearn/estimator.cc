#include "serving/engines/sklearn/estimator.h"

#include <cmath>
#include <limits>

namespace slipway::sklearn {

namespace {
tl::unexpected<Error> noMethod(const Facts& facts, const char* method) {
  return fail(Code::Unimplemented, fmt::format("'{}' object has no attribute '{}'", facts.className, method));
}
}  // namespace

Status Estimator::classify(Rows, std::int32_t*, Scratch&) const { return noMethod(facts_, "predict"); }
Status Estimator::values(Rows, double*, Scratch&) const { return noMethod(facts_, "predict"); }
Status Estimator::proba(Rows, double*, Scratch&) const { return noMethod(facts_, "predict_proba"); }
Status Estimator::decision(Rows, double*, Scratch&) const { return noMethod(facts_, "decision_function"); }
Status Estimator::transform(Rows, double*, Scratch&) const { return noMethod(facts_, "transform"); }

Status checkValues(const Facts& facts, Rows x) {
  if (facts.takesNan && facts.takesInfinity) return {};
  const double limit = facts.narrows ? std::numeric_limits<float>::max() : std::numeric_limits<double>::max();
  const std::size_t count = x.count * x.columns;
  for (std::size_t i = 0; i < count; ++i) {
    const double v = x.data[i];
    if (std::abs(v) <= limit) [[likely]]
      continue;
    const std::size_t row = i / x.columns;
    const std::size_t column = i % x.columns;
    if (std::isnan(v)) {
      if (facts.takesNan) continue;
      return fail(Code::Invalid, fmt::format("Input X contains NaN. Row {}, column {}: {} does not accept missing values",
                                             row, column, facts.className));
    }
    if (facts.takesInfinity) continue;
    // float32 rounds to the nearest: only from half a step above its largest value on does a number become infinite.
    if (facts.narrows && !std::isinf(static_cast<float>(v))) continue;
    return fail(Code::Invalid,
                fmt::format("Input X contains infinity or a value too large for dtype('{}'). Row {}, column {}: {}",
                            facts.narrows ? "float32" : "float64", row, column, v));
  }
  return {};
}

void softmaxRow(double* values, std::size_t count) {
  double largest = values[0];
  for (std::size_t i = 1; i < count; ++i) largest = std::max(largest, values[i]);
  double sum = 0;
  for (std::size_t i = 0; i < count; ++i) sum += values[i] = std::exp(values[i] - largest);
  for (std::size_t i = 0; i < count; ++i) values[i] /= sum;
}

double expit(double x) {
  if (x >= 0) return 1 / (1 + std::exp(-x));
  const double e = std::exp(x);
  return e / (1 + e);
}

}  // namespace slipway::sklearn
