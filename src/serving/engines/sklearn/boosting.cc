// GradientBoostingClassifier and -Regressor. scikit-learn changed its loss classes in 1.4; what the start score is follows
// from the class of the loss in the file, not from a version number.
#include <cmath>

#include "serving/engines/sklearn/forest.h"
#include "serving/engines/sklearn/loader.h"
#include "serving/engines/sklearn/version.h"

namespace slipway::sklearn {

namespace {

// How raw scores, start scores and probabilities hang together.
enum class Link { Identity, Logit, HalfLogit, LogProba, CentredLogProba };

class GradientBoosting : public Estimator {
 public:
  GradientBoosting(Facts facts, Forest forest, EstimatorPtr start, Link link)
      : Estimator(std::move(facts)),
        forest_(std::move(forest)),
        start_(std::move(start)),
        link_(link),
        scores_(scoreCount()) {}

  void setEpsilon(double epsilon) { epsilon_ = epsilon; }

  Status values(Rows x, double* out, Scratch& scratch) const override { return raw(x, out, scratch); }
  Status decision(Rows x, double* out, Scratch& scratch) const override { return raw(x, out, scratch); }

  Status classify(Rows x, std::int32_t* out, Scratch& scratch) const override {
    double* scores = scratch.doubles(x.count * scores_);
    SLIP_CHECK(raw(x, scores, scratch));
    for (std::size_t i = 0; i < x.count; ++i) out[i] = scores_ == 1 ? scores[i] >= 0 : argmax(scores + i * scores_, scores_);
    return {};
  }

  Status proba(Rows x, double* out, Scratch& scratch) const override {
    if (scores_ > 1) {
      SLIP_CHECK(raw(x, out, scratch));
      for (std::size_t i = 0; i < x.count; ++i) softmaxRow(out + i * scores_, scores_);
      return {};
    }
    double* scores = scratch.doubles(x.count);
    SLIP_CHECK(raw(x, scores, scratch));
    for (std::size_t i = 0; i < x.count; ++i) {
      out[2 * i + 1] = expit(link_ == Link::HalfLogit ? 2 * scores[i] : scores[i]);
      out[2 * i] = 1 - out[2 * i + 1];
    }
    return {};
  }

 private:
  std::size_t scoreCount() const {
    const std::size_t classes = facts_.classes.size();
    return facts_.kind != ModelKind::Classifier || classes <= 2 ? 1 : classes;
  }

  Status raw(Rows x, double* out, Scratch& scratch) const {
    SLIP_CHECK(startScores(x, out, scratch));
    const Scratch::Frame frame(scratch);
    float* row = scratch.floats(x.columns);
    const std::size_t trees = forest_.trees();
    for (std::size_t i = 0; i < x.count; ++i) {
      narrow(x.row(i), x.columns, row);
      double* sums = out + i * scores_;
      for (std::size_t t = 0; t < trees; t += scores_) {
        for (std::size_t k = 0; k < scores_; ++k) sums[k] += *forest_.leaf(t + k, row);
      }
    }
    return {};
  }

  Status startScores(Rows x, double* out, Scratch& scratch) const {
    const std::size_t count = x.count * scores_;
    if (start_ == nullptr) {
      std::fill(out, out + count, 0.0);
      return {};
    }
    const Scratch::Frame frame(scratch);
    // The start estimator sees the rows after the cast to float32.
    double* cast = scratch.doubles(x.count * x.columns);
    for (std::size_t i = 0; i < x.count * x.columns; ++i) cast[i] = static_cast<float>(x.data[i]);
    x.data = cast;
    if (link_ == Link::Identity) return start_->values(x, out, scratch);
    const std::size_t classes = facts_.classes.size();
    double* p = scratch.doubles(x.count * classes);
    SLIP_CHECK(start_->proba(x, p, scratch));
    for (std::size_t i = 0; i < x.count * classes; ++i) p[i] = std::clamp(p[i], epsilon_, 1 - epsilon_);
    for (std::size_t i = 0; i < x.count; ++i) linkRow(p + i * classes, out + i * scores_);
    return {};
  }

  void linkRow(const double* p, double* out) const {
    if (scores_ == 1) {
      const double odds = std::log(p[1] / (1 - p[1]));
      out[0] = link_ == Link::HalfLogit ? 0.5 * odds : odds;
      return;
    }
    double mean = 0;
    for (std::size_t k = 0; k < scores_; ++k) mean += out[k] = std::log(p[k]);
    mean /= static_cast<double>(scores_);
    if (link_ != Link::CentredLogProba) return;
    for (std::size_t k = 0; k < scores_; ++k) out[k] -= mean;
  }

  Forest forest_;
  EstimatorPtr start_;  // null for init='zero'
  Link link_;
  std::size_t scores_;
  double epsilon_ = 1.1920928955078125e-07;  // float32's epsilon, until scikit-learn 1.8
};

Result<Link> readLink(const Fields& fields, const Facts& facts) {
  if (facts.kind == ModelKind::Regressor) return Link::Identity;
  const pickle::Value* loss = fields.find("_loss", "loss_");
  const std::string_view name = loss != nullptr ? loss->className() : "";
  if (name == "HalfBinomialLoss" || name == "BinomialDeviance") return Link::Logit;
  if (name == "ExponentialLoss") return Link::HalfLogit;
  if (name == "MultinomialDeviance") return Link::LogProba;
  if (name == "HalfMultinomialLoss") return Link::CentredLogProba;
  return fields.unsupported(name.empty() ? "a model without its loss" : "loss " + std::string(name));
}

Status addTrees(Forest& forest, const Fields& fields, std::size_t features, std::size_t perStage) {
  auto array = fields.array("estimators_");
  if (!array) return fail(array.error());
  const pickle::Array& trees = **array;
  if (trees.type.kind != 'O' || trees.shape.size() != 2 || trees.shape[1] != perStage) {
    return fields.bad("estimators_", "its shape does not fit the classes");
  }
  const double rate = fields.numberOr("learning_rate", 0.1);
  for (std::size_t i = 0; i < trees.size; ++i) {
    const Fields estimator =
        fields.inside(*trees.objects[trees.position(i)], fmt::format("{}.estimators_[{}]", fields.place(), i));
    auto object = estimator.get("tree_");
    if (!object) return fail(object.error());
    const Fields tree = estimator.inside(**object, estimator.place() + ".tree_");
    auto values = tree.vector("values");
    if (!values) return fail(values.error());
    for (double& v : *values) v *= rate;
    SLIP_CHECK(forest.add(tree, features, *values, 1));
  }
  return {};
}

}  // namespace

Result<EstimatorPtr> loadGradientBoosting(const Fields& fields, Loader& loader) {
  const bool classifier = fields.className() == "GradientBoostingClassifier";
  SLIP_TRY(Facts facts, readFacts(fields, classifier ? ModelKind::Classifier : ModelKind::Regressor));
  if (facts.features == 0) return fields.bad("n_features_in_", "missing");
  const std::size_t classes = facts.classes.size();
  if (classifier && classes < 2) return fields.bad("classes_", "at least two classes are expected");
  facts.predicts = true;
  facts.narrows = true;
  facts.proba = classifier;
  facts.decisions = !classifier ? 0 : classes == 2 ? 1 : classes;
  SLIP_TRY(const Link link, readLink(fields, facts));
  Forest forest;
  SLIP_CHECK(addTrees(forest, fields, facts.features, classifier && classes > 2 ? classes : 1));
  SLIP_TRY(const pickle::Value* init, fields.get("init_"));
  EstimatorPtr start;
  if (!init->is(pickle::Kind::Text)) {
    SLIP_TRY(start, loader.load(*init, fields.place() + ".init_"));
    const Facts& s = start->facts();
    const bool fits =
        classifier ? s.proba && s.classes.size() == classes : s.predicts && s.outputs == 1 && s.classes.size() == 0;
    if (!fits) return fields.bad("init_", "its answers do not fit");
    if (s.features != 0 && s.features != facts.features) return fields.bad("init_", "its features do not fit");
  }
  auto made = std::make_unique<GradientBoosting>(std::move(facts), std::move(forest), std::move(start), link);
  if (writtenBy(fields.object()) >= Version{1, 9}) made->setEpsilon(std::numeric_limits<double>::epsilon());
  return made;
}

}  // namespace slipway::sklearn
