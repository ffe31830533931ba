// KNeighborsClassifier and KNeighborsRegressor.
#include <cmath>

#include "serving/engines/sklearn/loader.h"
#include "serving/engines/sklearn/neighbor_search.h"

namespace slipway::sklearn {

namespace {

class Neighbors : public Estimator {
 public:
  // `targets`: what each training point stands for: a class index, or its values.
  Neighbors(Facts facts, NeighborSearch search, Matrix targets, bool byDistance)
      : Estimator(std::move(facts)), search_(std::move(search)), targets_(std::move(targets)), byDistance_(byDistance) {}

  Status classify(Rows x, std::int32_t* out, Scratch& scratch) const override {
    double* votes = scratch.doubles(facts_.classes.size());
    forEach(x, scratch, [&](std::size_t i, const Neighbor* found, const double* weights) {
      vote(found, weights, votes);
      out[i] = argmax(votes, facts_.classes.size());
    });
    return {};
  }

  Status proba(Rows x, double* out, Scratch& scratch) const override {
    const std::size_t classes = facts_.classes.size();
    forEach(x, scratch, [&](std::size_t i, const Neighbor* found, const double* weights) {
      double* row = out + i * classes;
      vote(found, weights, row);
      double sum = 0;
      for (std::size_t c = 0; c < classes; ++c) sum += row[c];
      for (std::size_t c = 0; c < classes && sum != 0; ++c) row[c] /= sum;
    });
    return {};
  }

  Status values(Rows x, double* out, Scratch& scratch) const override {
    const std::size_t outputs = facts_.outputs;
    forEach(x, scratch, [&](std::size_t i, const Neighbor* found, const double* weights) {
      for (std::size_t o = 0; o < outputs; ++o) {
        double sum = 0;
        double total = 0;
        for (std::size_t n = 0; n < search_.k(); ++n) {
          sum += targets_.row(found[n].index)[o] * weights[n];
          total += weights[n];
        }
        out[i * outputs + o] = sum / total;
      }
    });
    return {};
  }

 private:
  template <class F>
  void forEach(Rows x, Scratch& scratch, F each) const {
    const Scratch::Frame frame(scratch);
    static_assert(sizeof(Neighbor) == 2 * sizeof(double));
    auto* found = reinterpret_cast<Neighbor*>(scratch.doubles(2 * search_.k()));
    double* weights = scratch.doubles(search_.k());
    for (std::size_t i = 0; i < x.count; ++i) {
      search_.nearest(x.row(i), found);
      weigh(found, weights);
      each(i, found, weights);
    }
  }

  // 1, or 1 / distance; where some point is the row itself, only such points count.
  void weigh(const Neighbor* found, double* weights) const {
    const std::size_t k = search_.k();
    const bool exact = byDistance_ && std::isinf(1 / found[0].distance);
    for (std::size_t n = 0; n < k; ++n) {
      const double inverse = 1 / found[n].distance;
      weights[n] = !byDistance_ ? 1 : exact ? (std::isinf(inverse) ? 1 : 0) : inverse;
    }
  }

  void vote(const Neighbor* found, const double* weights, double* votes) const {
    std::fill(votes, votes + facts_.classes.size(), 0.0);
    for (std::size_t n = 0; n < search_.k(); ++n)
      votes[static_cast<std::size_t>(targets_.data[found[n].index])] += weights[n];
  }

  NeighborSearch search_;
  Matrix targets_;
  bool byDistance_;
};

Result<Matrix> readTargets(const Fields& fields, const NeighborSearch& search) {
  SLIP_TRY(Matrix targets, fields.matrix("_y"));
  if (targets.rows == 1) std::swap(targets.rows, targets.columns);
  if (targets.rows != search.points() || targets.columns == 0) return fields.bad("_y", "does not fit the training points");
  return targets;
}

}  // namespace

Result<EstimatorPtr> loadNeighbors(const Fields& fields, Loader&) {
  const bool classifier = fields.className() == "KNeighborsClassifier";
  if (classifier && fields.flag("outputs_2d_", false)) return fields.unsupported("a classifier of more than one output");
  SLIP_TRY(Facts facts, readFacts(fields, classifier ? ModelKind::Classifier : ModelKind::Regressor));
  SLIP_TRY(NeighborSearch search, NeighborSearch::read(fields));
  SLIP_TRY(Matrix targets, readTargets(fields, search));
  if (facts.features == 0) facts.features = search.features();
  if (facts.features != search.features()) return fields.bad("_fit_X", "its columns do not fit n_features_in_");
  const std::string weights = fields.textOr("weights", fields.has("weights") ? "?" : "uniform");
  if (weights != "uniform" && weights != "distance")
    return fields.unsupported("weights other than 'uniform' and 'distance'");
  if (classifier) {
    for (const double c : targets.data) {
      if (!(c >= 0 && c < static_cast<double>(facts.classes.size()))) return fields.bad("_y", "a class index out of range");
    }
  }
  facts.predicts = true;
  facts.proba = classifier;
  facts.outputs = classifier ? 1 : targets.columns;
  return std::make_unique<Neighbors>(std::move(facts), std::move(search), std::move(targets), weights == "distance");
}

}  // namespace slipway::sklearn
