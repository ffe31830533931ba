// Linear models: x · coef_ᵀ + intercept_, and what each class makes of it.
#include <cmath>

#include "serving/engines/sklearn/loader.h"

namespace slipway::sklearn {

namespace {

struct Plane {
  Matrix coef;                    // one row per output
  std::vector<double> intercept;  // one per output

  void score(Rows x, double* out) const {
    for (std::size_t i = 0; i < x.count; ++i) {
      const double* row = x.row(i);
      for (std::size_t k = 0; k < coef.rows; ++k) {
        const double* w = coef.row(k);
        double sum = 0;
        for (std::size_t j = 0; j < x.columns; ++j) sum += row[j] * w[j];
        *out++ = sum + intercept[k];
      }
    }
  }
};

Result<Plane> readPlane(const Fields& fields, Facts& facts) {
  Plane plane;
  SLIP_TRY(plane.coef, fields.matrix("coef_"));
  if (plane.coef.rows == 0 || plane.coef.columns == 0) return fields.bad("coef_", "empty");
  SLIP_TRY(plane.intercept, fields.vector("intercept_"));
  if (plane.intercept.size() == 1) plane.intercept.resize(plane.coef.rows, plane.intercept[0]);
  if (plane.intercept.size() != plane.coef.rows) return fields.bad("intercept_", "its size does not fit coef_");
  if (facts.features == 0) facts.features = plane.coef.columns;
  if (facts.features != plane.coef.columns) {
    return fields.bad("coef_", fmt::format("{} columns for {} features", plane.coef.columns, facts.features));
  }
  return plane;
}

class LinearRegressor : public Estimator {
 public:
  LinearRegressor(Facts facts, Plane plane, bool logLink)
      : Estimator(std::move(facts)), plane_(std::move(plane)), logLink_(logLink) {}
  Status values(Rows x, double* out, Scratch&) const override {
    plane_.score(x, out);
    if (logLink_) std::transform(out, out + x.count * facts_.outputs, out, [](double v) { return std::exp(v); });
    return {};
  }

 private:
  Plane plane_;
  bool logLink_;  // generalised linear models with the log link
};

enum class ProbaRule { None, Sigmoid, Softmax, ModifiedHuber };

class LinearClassifier : public Estimator {
 public:
  LinearClassifier(Facts facts, Plane plane, ProbaRule rule)
      : Estimator(std::move(facts)), plane_(std::move(plane)), rule_(rule) {}

  Status decision(Rows x, double* out, Scratch&) const override {
    plane_.score(x, out);
    return {};
  }

  Status classify(Rows x, std::int32_t* out, Scratch& scratch) const override {
    const std::size_t n = facts_.decisions;
    double* scores = scratch.doubles(x.count * n);
    plane_.score(x, scores);
    for (std::size_t i = 0; i < x.count; ++i) out[i] = n == 1 ? scores[i] > 0 : argmax(scores + i * n, n);
    return {};
  }

  Status proba(Rows x, double* out, Scratch& scratch) const override {
    const std::size_t n = facts_.decisions;
    const std::size_t classes = facts_.classes.size();
    double* scores = scratch.doubles(x.count * n);
    plane_.score(x, scores);
    for (std::size_t i = 0; i < x.count; ++i) probaRow(scores + i * n, out + i * classes);
    return {};
  }

 private:
  void probaRow(const double* scores, double* out) const {
    const std::size_t classes = facts_.classes.size();
    if (rule_ == ProbaRule::Softmax) {
      if (facts_.decisions == 1) {
        out[0] = -scores[0];
        out[1] = scores[0];
      } else {
        std::copy(scores, scores + classes, out);
      }
      softmaxRow(out, classes);
      return;
    }
    const auto one = [this](double s) {
      return rule_ == ProbaRule::Sigmoid ? expit(s) : (std::clamp(s, -1.0, 1.0) + 1) / 2;
    };
    if (facts_.decisions == 1) {
      out[1] = one(scores[0]);
      out[0] = 1 - out[1];
      return;
    }
    double sum = 0;
    for (std::size_t k = 0; k < classes; ++k) sum += out[k] = one(scores[k]);
    if (sum == 0) {  // modified_huber with every class at zero: all equally likely
      std::fill(out, out + classes, 1.0);
      sum = static_cast<double>(classes);
    }
    for (std::size_t k = 0; k < classes; ++k) out[k] /= sum;
  }

  Plane plane_;
  ProbaRule rule_;
};

// Which rule predict_proba follows. multi_class: "auto" until 1.4, "deprecated" until 1.7, then gone.
ProbaRule logisticRule(const Fields& fields, std::size_t classes) {
  const std::string multi = fields.textOr("multi_class", "auto");
  if (multi == "multinomial") return ProbaRule::Softmax;
  if (multi == "ovr" || multi == "warn" || classes <= 2) return ProbaRule::Sigmoid;
  return fields.textOr("solver", "lbfgs") == "liblinear" ? ProbaRule::Sigmoid : ProbaRule::Softmax;
}

ProbaRule probaRule(const Fields& fields, std::size_t classes) {
  const std::string_view name = fields.className();
  if (name == "LogisticRegression" || name == "LogisticRegressionCV") return logisticRule(fields, classes);
  if (name == "LinearDiscriminantAnalysis") return classes == 2 ? ProbaRule::Sigmoid : ProbaRule::Softmax;
  if (name == "SGDClassifier") {
    const std::string loss = fields.textOr("loss", "hinge");
    if (loss == "log_loss" || loss == "log") return ProbaRule::Sigmoid;
    if (loss == "modified_huber") return ProbaRule::ModifiedHuber;
  }
  return ProbaRule::None;
}

// The ridge classifiers keep their classes in the LabelBinarizer that encoded them.
Result<Facts> classifierFacts(const Fields& fields) {
  const pickle::Value* binarizer = fields.find("_label_binarizer");
  if (fields.has("classes_") || binarizer == nullptr) return readFacts(fields, ModelKind::Classifier);
  if (binarizer->find("y_type_") != nullptr) return fields.unsupported("multi-label classification");
  SLIP_TRY(Facts facts, readFacts(fields, ModelKind::Regressor));
  facts.kind = ModelKind::Classifier;
  SLIP_TRY(facts.classes, fields.inside(*binarizer, fields.place() + ": _label_binarizer").labels("classes_"));
  return facts;
}

}  // namespace

Result<EstimatorPtr> loadLinearRegressor(const Fields& fields, Loader&) {
  SLIP_TRY(Facts facts, readFacts(fields, ModelKind::Regressor));
  SLIP_TRY(Plane plane, readPlane(fields, facts));
  facts.predicts = true;
  facts.outputs = plane.coef.rows;
  const std::string_view name = fields.className();
  bool logLink = name == "PoissonRegressor" || name == "GammaRegressor";
  if (name == "TweedieRegressor") {
    const std::string link = fields.textOr("link", "auto");
    logLink = link == "log" || (link == "auto" && fields.numberOr("power", 0) > 0);
  }
  return std::make_unique<LinearRegressor>(std::move(facts), std::move(plane), logLink);
}

Result<EstimatorPtr> loadLinearClassifier(const Fields& fields, Loader&) {
  SLIP_TRY(Facts facts, classifierFacts(fields));
  SLIP_TRY(Plane plane, readPlane(fields, facts));
  const std::size_t classes = facts.classes.size();
  if (classes < 2) return fields.bad("classes_", "at least two classes are expected");
  if (plane.coef.rows != (classes == 2 ? 1 : classes) && !(classes == 2 && plane.coef.rows == 2)) {
    return fields.bad("coef_", fmt::format("{} rows for {} classes", plane.coef.rows, classes));
  }
  facts.predicts = true;
  facts.decisions = plane.coef.rows;
  const ProbaRule rule = probaRule(fields, classes);
  facts.proba = rule != ProbaRule::None;
  return std::make_unique<LinearClassifier>(std::move(facts), std::move(plane), rule);
}

}  // namespace slipway::sklearn
