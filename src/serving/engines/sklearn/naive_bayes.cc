// Naive Bayes classifiers: a joint log likelihood per class, turned into probabilities by a softmax.
#include <cmath>

#include "serving/engines/sklearn/loader.h"

namespace slipway::sklearn {

namespace {

class NaiveBayes : public Estimator {
 public:
  using Estimator::Estimator;
  virtual void jointLogLikelihood(const double* row, double* out) const = 0;

  Status classify(Rows x, std::int32_t* out, Scratch& scratch) const override {
    const std::size_t classes = facts_.classes.size();
    double* joint = scratch.doubles(classes);
    for (std::size_t i = 0; i < x.count; ++i) {
      jointLogLikelihood(x.row(i), joint);
      out[i] = argmax(joint, classes);
    }
    return {};
  }
  Status proba(Rows x, double* out, Scratch&) const override {
    const std::size_t classes = facts_.classes.size();
    for (std::size_t i = 0; i < x.count; ++i, out += classes) {
      jointLogLikelihood(x.row(i), out);
      softmaxRow(out, classes);
    }
    return {};
  }
};

class Gaussian : public NaiveBayes {
 public:
  Gaussian(Facts facts, Matrix mean, Matrix variance, std::vector<double> start)
      : NaiveBayes(std::move(facts)), mean_(std::move(mean)), variance_(std::move(variance)), start_(std::move(start)) {}
  void jointLogLikelihood(const double* row, double* out) const override {
    for (std::size_t c = 0; c < mean_.rows; ++c) {
      const double* m = mean_.row(c);
      const double* v = variance_.row(c);
      double sum = 0;
      for (std::size_t j = 0; j < mean_.columns; ++j) sum += (row[j] - m[j]) * (row[j] - m[j]) / v[j];
      out[c] = start_[c] - 0.5 * sum;
    }
  }

 private:
  Matrix mean_;
  Matrix variance_;
  std::vector<double> start_;  // log prior - 0.5 * sum(log(2 pi variance))
};

// Multinomial, complement and Bernoulli: x · weightᵀ + start, Bernoulli after turning x into 0 and 1.
class Discrete : public NaiveBayes {
 public:
  Discrete(Facts facts, Matrix weight, std::vector<double> start, std::optional<double> binarize)
      : NaiveBayes(std::move(facts)), weight_(std::move(weight)), start_(std::move(start)), binarize_(binarize) {}
  void jointLogLikelihood(const double* row, double* out) const override {
    for (std::size_t c = 0; c < weight_.rows; ++c) {
      const double* w = weight_.row(c);
      double sum = 0;
      for (std::size_t j = 0; j < weight_.columns; ++j)
        sum += (binarize_ ? (row[j] > *binarize_ ? 1.0 : 0.0) : row[j]) * w[j];
      out[c] = sum + start_[c];
    }
  }

 private:
  Matrix weight_;
  std::vector<double> start_;
  std::optional<double> binarize_;
};

Status fit(const Fields& fields, const Facts& facts, const Matrix& m, std::string_view name) {
  if (m.rows != facts.classes.size() || m.columns != facts.features)
    return fields.bad(name, "does not fit classes and features");
  return {};
}

}  // namespace

Result<EstimatorPtr> loadGaussianNaiveBayes(const Fields& fields, Loader&) {
  SLIP_TRY(Facts facts, readFacts(fields, ModelKind::Classifier));
  SLIP_TRY(Matrix mean, fields.matrix("theta_"));
  const char* varianceName = fields.has("var_") ? "var_" : "sigma_";  // renamed in 1.0
  SLIP_TRY(Matrix variance, fields.matrix(varianceName));
  SLIP_TRY(auto start, fields.vector("class_prior_", facts.classes.size()));
  if (facts.features == 0) facts.features = mean.columns;
  SLIP_CHECK(fit(fields, facts, mean, "theta_"));
  SLIP_CHECK(fit(fields, facts, variance, varianceName));
  for (std::size_t c = 0; c < start.size(); ++c) {
    double sum = 0;
    for (std::size_t j = 0; j < variance.columns; ++j) sum += std::log(2 * M_PI * variance.row(c)[j]);
    start[c] = std::log(start[c]) - 0.5 * sum;
  }
  facts.predicts = facts.proba = true;
  return std::make_unique<Gaussian>(std::move(facts), std::move(mean), std::move(variance), std::move(start));
}

Result<EstimatorPtr> loadDiscreteNaiveBayes(const Fields& fields, Loader&) {
  SLIP_TRY(Facts facts, readFacts(fields, ModelKind::Classifier));
  SLIP_TRY(Matrix weight, fields.matrix("feature_log_prob_"));
  SLIP_TRY(auto start, fields.vector("class_log_prior_", facts.classes.size()));
  if (facts.features == 0) facts.features = weight.columns;
  SLIP_CHECK(fit(fields, facts, weight, "feature_log_prob_"));
  std::optional<double> binarize;
  if (fields.className() == "ComplementNB" && start.size() > 1) std::fill(start.begin(), start.end(), 0.0);
  if (fields.className() == "BernoulliNB") {
    if (fields.has("binarize")) binarize = fields.numberOr("binarize", 0);
    // log(1 - p) for every absent feature, folded into the start value.
    for (std::size_t c = 0; c < weight.rows; ++c) {
      for (std::size_t j = 0; j < weight.columns; ++j) {
        double& w = weight.data[c * weight.columns + j];
        const double absent = std::log(1 - std::exp(w));
        w -= absent;
        start[c] += absent;
      }
    }
  }
  facts.predicts = facts.proba = true;
  return std::make_unique<Discrete>(std::move(facts), std::move(weight), std::move(start), binarize);
}

}  // namespace slipway::sklearn
