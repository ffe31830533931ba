// DummyClassifier and DummyRegressor: constant answers. Gradient boosting starts from them.
#include <cmath>

#include "serving/engines/sklearn/loader.h"

namespace slipway::sklearn {

namespace {

class Constant : public Estimator {
 public:
  Constant(Facts facts, std::vector<double> answer) : Estimator(std::move(facts)), answer_(std::move(answer)) {}

  Status values(Rows x, double* out, Scratch&) const override {
    for (std::size_t i = 0; i < x.count; ++i) out = std::copy(answer_.begin(), answer_.end(), out);
    return {};
  }
  Status proba(Rows x, double* out, Scratch& scratch) const override { return values(x, out, scratch); }
  Status classify(Rows x, std::int32_t* out, Scratch&) const override {
    std::fill(out, out + x.count, argmax(answer_.data(), answer_.size()));
    return {};
  }

 private:
  std::vector<double> answer_;
};

}  // namespace

Result<EstimatorPtr> loadDummyRegressor(const Fields& fields, Loader&) {
  SLIP_TRY(Facts facts, readFacts(fields, ModelKind::Regressor));
  SLIP_TRY(auto constant, fields.vector("constant_"));
  facts.predicts = facts.takesNan = facts.takesInfinity = true;
  facts.outputs = constant.size();
  if (constant.empty()) return fields.bad("constant_", "empty");
  return std::make_unique<Constant>(std::move(facts), std::move(constant));
}

Result<EstimatorPtr> loadDummyClassifier(const Fields& fields, Loader&) {
  SLIP_TRY(Facts facts, readFacts(fields, ModelKind::Classifier));
  const std::string strategy = fields.textOr("strategy", "prior");
  if (strategy != "prior") return fields.unsupported("DummyClassifier strategy '" + strategy + "'");
  SLIP_TRY(auto prior, fields.vector("class_prior_", facts.classes.size()));
  facts.predicts = facts.proba = facts.takesNan = facts.takesInfinity = true;
  return std::make_unique<Constant>(std::move(facts), std::move(prior));
}

}  // namespace slipway::sklearn
