// Column-wise scaling: StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler. Each keeps its own order of operations, so
// that results equal scikit-learn's to the last bit.
#include <cmath>
#include <limits>

#include "serving/engines/sklearn/loader.h"

namespace slipway::sklearn {

namespace {

struct ScalerParts {
  std::vector<double> subtract;  // x - subtract; empty: skip
  std::vector<double> divide;    // then / divide
  std::vector<double> multiply;  // then * multiply
  std::vector<double> add;       // then + add
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool clip = false;
};

class Scaler : public Estimator {
 public:
  Scaler(Facts facts, ScalerParts parts) : Estimator(std::move(facts)), p_(std::move(parts)) {}

  Status transform(Rows x, double* out, Scratch&) const override {
    for (std::size_t i = 0; i < x.count; ++i) {
      const double* row = x.row(i);
      for (std::size_t j = 0; j < x.columns; ++j) {
        double v = row[j];
        if (!p_.subtract.empty()) v -= p_.subtract[j];
        if (!p_.divide.empty()) v /= p_.divide[j];
        if (!p_.multiply.empty()) v *= p_.multiply[j];
        if (!p_.add.empty()) v += p_.add[j];
        if (p_.clip && !std::isnan(v)) v = std::clamp(v, p_.low, p_.high);
        *out++ = v;
      }
    }
    return {};
  }

 private:
  ScalerParts p_;
};

Result<std::vector<double>> column(const Fields& fields, std::string_view name, bool wanted, Facts& facts) {
  if (!wanted) return std::vector<double>();
  SLIP_TRY(auto numbers, fields.vector(name));
  if (facts.features == 0) facts.features = numbers.size();
  if (numbers.size() != facts.features)
    return fields.bad(name, fmt::format("{} numbers for {} features", numbers.size(), facts.features));
  return numbers;
}

}  // namespace

Result<EstimatorPtr> loadScaler(const Fields& fields, Loader&) {
  SLIP_TRY(Facts facts, readFacts(fields, ModelKind::Transformer));
  facts.takesNan = true;
  ScalerParts parts;
  const std::string_view name = fields.className();
  if (name == "StandardScaler") {
    SLIP_TRY(parts.subtract, column(fields, "mean_", fields.flag("with_mean", true), facts));
    SLIP_TRY(parts.divide, column(fields, "scale_", fields.flag("with_std", true), facts));
  } else if (name == "RobustScaler") {
    SLIP_TRY(parts.subtract, column(fields, "center_", fields.flag("with_centering", true), facts));
    SLIP_TRY(parts.divide, column(fields, "scale_", fields.flag("with_scaling", true), facts));
  } else if (name == "MaxAbsScaler") {
    SLIP_TRY(parts.divide, column(fields, "scale_", true, facts));
    parts.clip = fields.flag("clip", false);
    parts.low = -1;
    parts.high = 1;
  } else {
    SLIP_TRY(parts.multiply, column(fields, "scale_", true, facts));
    SLIP_TRY(parts.add, column(fields, "min_", true, facts));
    const pickle::Value* range = fields.find("feature_range");
    parts.clip = fields.flag("clip", false);
    if (parts.clip && range != nullptr && range->items.size() == 2) {
      const auto bound = [](const pickle::Value& v) {
        return v.is(pickle::Kind::Float) ? v.real : static_cast<double>(v.integer);
      };
      parts.low = bound(*range->items[0]);
      parts.high = bound(*range->items[1]);
      if (!(parts.low <= parts.high)) return fields.bad("feature_range", "its minimum is above its maximum");
    }
  }
  if (facts.features == 0) return fields.bad("n_features_in_", "missing");
  facts.transformed = facts.features;
  return std::make_unique<Scaler>(std::move(facts), std::move(parts));
}

}  // namespace slipway::sklearn
