// IsolationForest: the shorter the path to a row's leaf, the more it stands out.
#include <cmath>

#include "serving/engines/sklearn/forest.h"
#include "serving/engines/sklearn/loader.h"
#include "serving/pickle/numpy_values.h"

namespace slipway::sklearn {

namespace {

// Expected path length of a failed search in a binary search tree of n points (Liu et al. 2008).
double averagePath(double n) {
  if (n <= 1) return 0;
  if (n == 2) return 1;
  constexpr double kEuler = 0.57721566490153286;
  return 2 * (std::log(n - 1) + kEuler) - 2 * (n - 1) / n;
}

class Isolation : public Estimator {
 public:
  Isolation(Facts facts, Forest forest, double denominator, double offset)
      : Estimator(std::move(facts)), forest_(std::move(forest)), denominator_(denominator), offset_(offset) {}

  Status decision(Rows x, double* out, Scratch& scratch) const override {
    const Scratch::Frame frame(scratch);
    float* row = scratch.floats(x.columns);
    for (std::size_t i = 0; i < x.count; ++i) {
      narrow(x.row(i), x.columns, row);
      double depth = 0;
      for (std::size_t t = 0; t < forest_.trees(); ++t) depth += *forest_.leaf(t, row);
      out[i] = -std::exp2(denominator_ != 0 ? -depth / denominator_ : -1) - offset_;
    }
    return {};
  }
  Status values(Rows x, double* out, Scratch& scratch) const override {
    SLIP_CHECK(decision(x, out, scratch));
    std::for_each(out, out + x.count, [](double& v) { v = v < 0 ? -1 : 1; });
    return {};
  }

 private:
  Forest forest_;
  double denominator_;
  double offset_;
};

// Each node's value becomes the path length it stands for.
Status addPaths(Forest& forest, const Fields& estimator, std::size_t features) {
  auto object = estimator.get("tree_");
  if (!object) return fail(object.error());
  const Fields tree = estimator.inside(**object, estimator.place() + ".tree_");
  auto nodes = tree.array("nodes");
  if (!nodes) return fail(nodes.error());
  auto left = pickle::fieldIntegers(**nodes, "left_child");
  auto right = pickle::fieldIntegers(**nodes, "right_child");
  auto samples = pickle::fieldIntegers(**nodes, "n_node_samples");
  if (!left || !right || !samples) return tree.bad("nodes", "damaged");
  const auto count = static_cast<std::int64_t>(left->size());
  std::vector<double> depth(left->size(), 0.0);
  for (std::int64_t i = 0; i < count; ++i) {
    for (const std::int64_t child : {(*left)[i], (*right)[i]}) {
      if (child > i && child < count) depth[child] = depth[i] + 1;
    }
  }
  for (std::int64_t i = 0; i < count; ++i) depth[i] += averagePath(static_cast<double>((*samples)[i]));
  return forest.add(tree, features, depth, 1);
}

Status checkColumns(const Fields& fields, std::size_t features) {
  if (!fields.has("estimators_features_")) return {};
  SLIP_TRY(const pickle::Value* subsets, fields.get("estimators_features_"));
  for (const pickle::Value* subset : subsets->items) {
    if (!subset->is(pickle::Kind::Array)) continue;
    auto columns = pickle::integers(*subset->array);
    if (!columns || columns->size() != features) return fields.unsupported("max_features below 1.0");
    for (std::size_t i = 0; i < features; ++i) {
      if ((*columns)[i] != static_cast<std::int64_t>(i)) return fields.unsupported("max_features below 1.0");
    }
  }
  return {};
}

}  // namespace

Result<EstimatorPtr> loadIsolationForest(const Fields& fields, Loader&) {
  SLIP_TRY(Facts facts, readFacts(fields, ModelKind::OutlierDetector));
  if (facts.features == 0) return fields.bad("n_features_in_", "missing");
  SLIP_CHECK(checkColumns(fields, facts.features));
  SLIP_TRY(const pickle::Value* list, fields.get("estimators_"));
  Forest forest;
  for (const pickle::Value* item : list->items) {
    SLIP_CHECK(addPaths(forest, fields.inside(*item, fmt::format("{}.estimators_[{}]", fields.place(), forest.trees())),
                        facts.features));
  }
  if (forest.trees() == 0) return fields.bad("estimators_", "a list of trees is expected");
  SLIP_TRY(const double offset, fields.number("offset_"));
  SLIP_TRY(const double samples, fields.number("max_samples_"));
  facts.predicts = facts.narrows = true;
  facts.decisions = 1;
  facts.valueType = LabelType::Int64;
  const double denominator = static_cast<double>(forest.trees()) * averagePath(samples);
  return std::make_unique<Isolation>(std::move(facts), std::move(forest), denominator, offset);
}

}  // namespace slipway::sklearn
