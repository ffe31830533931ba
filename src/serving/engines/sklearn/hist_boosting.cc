// HistGradientBoostingClassifier and -Regressor. Their trees compare doubles, unlike the others', and send a missing value
// where the node says.
#include <cmath>

#include "serving/engines/sklearn/loader.h"
#include "serving/pickle/numpy_values.h"

namespace slipway::sklearn {

namespace {

struct HistNode {
  double threshold = 0;  // of a leaf: its value
  std::int32_t feature = -1;
  std::uint32_t left = 0;
  std::uint32_t right = 0;
  bool missingLeft = false;
};

enum class Inverse { Identity, Exp };  // from raw score to prediction of a regressor

class HistBoosting : public Estimator {
 public:
  HistBoosting(Facts facts, std::vector<HistNode> nodes, std::vector<std::uint32_t> roots, std::vector<double> start,
               Inverse inverse)
      : Estimator(std::move(facts)),
        nodes_(std::move(nodes)),
        roots_(std::move(roots)),
        start_(std::move(start)),
        inverse_(inverse) {}

  Status values(Rows x, double* out, Scratch&) const override {
    raw(x, out);
    if (inverse_ == Inverse::Exp) std::for_each(out, out + x.count, [](double& v) { v = std::exp(v); });
    return {};
  }
  Status decision(Rows x, double* out, Scratch&) const override {
    raw(x, out);
    return {};
  }
  Status classify(Rows x, std::int32_t* out, Scratch& scratch) const override {
    const std::size_t k = start_.size();
    double* scores = scratch.doubles(x.count * k);
    raw(x, scores);
    for (std::size_t i = 0; i < x.count; ++i) out[i] = k == 1 ? scores[i] >= 0 : argmax(scores + i * k, k);
    return {};
  }
  Status proba(Rows x, double* out, Scratch& scratch) const override {
    const std::size_t k = start_.size();
    if (k > 1) {
      raw(x, out);
      for (std::size_t i = 0; i < x.count; ++i) softmaxRow(out + i * k, k);
      return {};
    }
    double* scores = scratch.doubles(x.count);
    raw(x, scores);
    for (std::size_t i = 0; i < x.count; ++i) {
      out[2 * i + 1] = expit(scores[i]);
      out[2 * i] = 1 - out[2 * i + 1];
    }
    return {};
  }

 private:
  void raw(Rows x, double* out) const {
    const std::size_t k = start_.size();
    for (std::size_t i = 0; i < x.count; ++i, out += k) {
      std::copy(start_.begin(), start_.end(), out);
      for (std::size_t t = 0; t < roots_.size(); ++t) out[t % k] += leaf(roots_[t], x.row(i));
    }
  }
  double leaf(std::uint32_t root, const double* row) const {
    const HistNode* node = &nodes_[root];
    while (node->feature >= 0) {
      const double v = row[node->feature];
      const bool left = std::isnan(v) ? node->missingLeft : v <= node->threshold;
      node = &nodes_[root + (left ? node->left : node->right)];
    }
    return node->threshold;
  }

  std::vector<HistNode> nodes_;
  std::vector<std::uint32_t> roots_;
  std::vector<double> start_;  // one per class, or one
  Inverse inverse_;
};

Result<std::vector<HistNode>> readPredictor(const Fields& predictor, std::size_t features) {
  SLIP_TRY(const pickle::Array* array, predictor.array("nodes"));
  const char* thresholdName = array->type.field("num_threshold") != nullptr ? "num_threshold" : "threshold";
  SLIP_TRY(auto value, pickle::fieldReals(*array, "value"));
  SLIP_TRY(auto feature, pickle::fieldIntegers(*array, "feature_idx"));
  SLIP_TRY(auto threshold, pickle::fieldReals(*array, thresholdName));
  SLIP_TRY(auto missing, pickle::fieldIntegers(*array, "missing_go_to_left"));
  SLIP_TRY(auto left, pickle::fieldIntegers(*array, "left"));
  SLIP_TRY(auto right, pickle::fieldIntegers(*array, "right"));
  SLIP_TRY(auto isLeaf, pickle::fieldIntegers(*array, "is_leaf"));
  std::vector<std::int64_t> categorical(value.size());
  if (array->type.field("is_categorical") != nullptr) {
    SLIP_TRY(categorical, pickle::fieldIntegers(*array, "is_categorical"));
  }
  const auto count = static_cast<std::int64_t>(value.size());
  if (count == 0) return predictor.bad("nodes", "empty");
  std::vector<HistNode> nodes(value.size());
  for (std::int64_t i = 0; i < count; ++i) {
    if (isLeaf[i] != 0) {
      nodes[i].threshold = value[i];
      continue;
    }
    if (categorical[i] != 0) return predictor.unsupported("a split on a categorical feature");
    const bool inside = left[i] > i && left[i] < count && right[i] > i && right[i] < count;
    if (!inside || feature[i] < 0 || feature[i] >= static_cast<std::int64_t>(features)) {
      return predictor.bad("nodes", fmt::format("node {} has impossible children or feature", i));
    }
    nodes[i] = {threshold[i], static_cast<std::int32_t>(feature[i]), static_cast<std::uint32_t>(left[i]),
                static_cast<std::uint32_t>(right[i]), missing[i] != 0};
  }
  return nodes;
}

Result<Inverse> readInverse(const Fields& fields, bool classifier) {
  const pickle::Value* loss = fields.find("_loss", "loss_");
  const std::string_view name = loss != nullptr ? loss->className() : "";
  if (classifier) {
    if (name == "HalfBinomialLoss" || name == "HalfMultinomialLoss" || name == "BinaryCrossEntropy" ||
        name == "CategoricalCrossEntropy") {
      return Inverse::Identity;
    }
  } else if (name == "HalfPoissonLoss" || name == "HalfGammaLoss" || name == "Poisson") {
    return Inverse::Exp;
  } else if (!name.empty()) {
    return Inverse::Identity;
  }
  return fields.unsupported(name.empty() ? "a model without its loss" : "loss " + std::string(name));
}

}  // namespace

Result<EstimatorPtr> loadHistBoosting(const Fields& fields, Loader&) {
  const bool classifier = fields.className() == "HistGradientBoostingClassifier";
  SLIP_TRY(Facts facts, readFacts(fields, classifier ? ModelKind::Classifier : ModelKind::Regressor));
  if (facts.features == 0) return fields.bad("n_features_in_", "missing");
  if (fields.has("_preprocessor")) return fields.unsupported("a model with categorical features");
  const std::size_t classes = facts.classes.size();
  if (classifier && classes < 2) return fields.bad("classes_", "at least two classes are expected");
  const std::size_t scores = classifier && classes > 2 ? classes : 1;
  SLIP_TRY(const Inverse inverse, readInverse(fields, classifier));
  SLIP_TRY(auto start, fields.vector("_baseline_prediction"));
  if (start.size() == 1) start.resize(scores, start[0]);
  if (start.size() != scores) return fields.bad("_baseline_prediction", "does not fit the classes");
  SLIP_TRY(const pickle::Value* stages, fields.get("_predictors"));
  std::vector<HistNode> nodes;
  std::vector<std::uint32_t> roots;
  for (const pickle::Value* stage : stages->items) {
    if (stage->items.size() != scores) return fields.bad("_predictors", "a stage does not fit the classes");
    for (const pickle::Value* item : stage->items) {
      SLIP_TRY(auto tree,
               readPredictor(fields.inside(*item, fmt::format("{}._predictors[{}]", fields.place(), roots.size())),
                             facts.features));
      roots.push_back(static_cast<std::uint32_t>(nodes.size()));
      nodes.insert(nodes.end(), tree.begin(), tree.end());
    }
  }
  facts.predicts = facts.takesNan = facts.takesInfinity = true;
  facts.proba = classifier;
  facts.decisions = classifier ? scores : 0;
  return std::make_unique<HistBoosting>(std::move(facts), std::move(nodes), std::move(roots), std::move(start), inverse);
}

}  // namespace slipway::sklearn
