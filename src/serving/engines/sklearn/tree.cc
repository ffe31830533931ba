// Decision trees and the forests that average them.
#include "serving/engines/sklearn/forest.h"
#include "serving/engines/sklearn/loader.h"
#include "serving/engines/sklearn/version.h"

namespace slipway::sklearn {

namespace {

// Sums the leaves of all trees in the order of the file, then divides once, as scikit-learn does.
class TreeEnsemble : public Estimator {
 public:
  TreeEnsemble(Facts facts, Forest forest, std::size_t width)
      : Estimator(std::move(facts)), forest_(std::move(forest)), width_(width) {}

  Status classify(Rows x, std::int32_t* out, Scratch& scratch) const override {
    double* sums = scratch.doubles(x.count * width_);
    average(x, sums, scratch);
    for (std::size_t i = 0; i < x.count; ++i) out[i] = argmax(sums + i * width_, width_);
    return {};
  }
  Status values(Rows x, double* out, Scratch& scratch) const override {
    average(x, out, scratch);
    return {};
  }
  Status proba(Rows x, double* out, Scratch& scratch) const override { return values(x, out, scratch); }

 private:
  void average(Rows x, double* out, Scratch& scratch) const {
    const Scratch::Frame frame(scratch);
    float* row = scratch.floats(x.columns);
    const std::size_t trees = forest_.trees();
    for (std::size_t i = 0; i < x.count; ++i, out += width_) {
      narrow(x.row(i), x.columns, row);
      const bool missing = facts_.takesNan && std::any_of(row, row + x.columns, [](float v) { return v != v; });
      std::fill(out, out + width_, 0.0);
      for (std::size_t t = 0; t < trees; ++t) {
        const double* leaf = missing ? forest_.leafWithMissing(t, row) : forest_.leaf(t, row);
        for (std::size_t k = 0; k < width_; ++k) out[k] += leaf[k];
      }
      if (trees > 1) std::for_each(out, out + width_, [trees](double& v) { v /= static_cast<double>(trees); });
    }
  }

  Forest forest_;
  std::size_t width_;  // values per leaf: classes, or outputs of a regressor
};

// Until 1.3 the leaves of a classifier hold weighted counts, later fractions. A row that sums to one is left alone: dividing
// it again could change its last bit.
void normaliseRows(std::vector<double>& values, std::size_t width) {
  for (std::size_t at = 0; at + width <= values.size(); at += width) {
    double sum = 0;
    for (std::size_t k = 0; k < width; ++k) sum += values[at + k];
    if (sum == 0 || std::abs(sum - 1) < 1e-9) continue;
    for (std::size_t k = 0; k < width; ++k) values[at + k] /= sum;
  }
}

Status addTree(Forest& forest, const Fields& estimator, const Facts& facts, std::size_t width) {
  auto object = estimator.get("tree_");
  if (!object) return fail(object.error());
  const Fields tree = estimator.inside(**object, estimator.place() + ".tree_");
  auto values = tree.vector("values");
  if (!values) return fail(values.error());
  if (facts.kind == ModelKind::Classifier) normaliseRows(*values, width);
  return forest.add(tree, facts.features, *values, width);
}

bool isClassifier(std::string_view className) { return className.find("Classifier") != std::string_view::npos; }

Result<Facts> treeFacts(const Fields& fields) {
  const bool classifier = isClassifier(fields.className());
  if (classifier && fields.integerOr("n_outputs_", 1) != 1)
    return fields.unsupported("a classifier of more than one output");
  SLIP_TRY(Facts facts, readFacts(fields, classifier ? ModelKind::Classifier : ModelKind::Regressor));
  if (facts.features == 0) return fields.bad("n_features_in_", "missing");
  facts.predicts = true;
  facts.proba = classifier;
  facts.narrows = true;
  const std::int64_t outputs = fields.integerOr("n_outputs_", 1);
  if (outputs < 1) return fields.bad("n_outputs_", "must be at least 1");
  facts.outputs = classifier ? 1 : static_cast<std::size_t>(outputs);
  return facts;
}

// Since when each class takes missing values: single trees 1.3, forests 1.4, extra trees 1.6.
bool takesMissing(const Fields& fields, bool forest) {
  const std::string criterion = fields.textOr("criterion", "gini");
  if (criterion == "absolute_error" || criterion == "mae" || fields.has("monotonic_cst")) return false;
  const bool extra = fields.className().substr(0, 5) == "Extra" || fields.textOr("splitter", "best") == "random";
  return writtenBy(fields.object()) >= (extra ? Version{1, 6} : forest ? Version{1, 4} : Version{1, 3});
}

std::size_t widthOf(const Facts& facts) {
  return facts.kind == ModelKind::Classifier ? facts.classes.size() : facts.outputs;
}

}  // namespace

Result<EstimatorPtr> loadTree(const Fields& fields, Loader&) {
  SLIP_TRY(Facts facts, treeFacts(fields));
  facts.takesNan = takesMissing(fields, false);
  Forest forest;
  SLIP_CHECK(addTree(forest, fields, facts, widthOf(facts)));
  const std::size_t width = widthOf(facts);
  return std::make_unique<TreeEnsemble>(std::move(facts), std::move(forest), width);
}

Result<EstimatorPtr> loadForest(const Fields& fields, Loader&) {
  SLIP_TRY(Facts facts, treeFacts(fields));
  facts.takesNan = takesMissing(fields, true);
  SLIP_TRY(const pickle::Value* list, fields.get("estimators_"));
  if (!list->is(pickle::Kind::List) || list->items.empty()) return fields.bad("estimators_", "a list of trees is expected");
  Forest forest;
  std::size_t index = 0;
  for (const pickle::Value* item : list->items) {
    const Fields tree = fields.inside(*item, fmt::format("{}.estimators_[{}]", fields.place(), index++));
    SLIP_CHECK(addTree(forest, tree, facts, widthOf(facts)));
  }
  const std::size_t width = widthOf(facts);
  return std::make_unique<TreeEnsemble>(std::move(facts), std::move(forest), width);
}

}  // namespace slipway::sklearn
