// Linear projections: PCA, IncrementalPCA and TruncatedSVD; and KMeans, whose transform is the distance to each centre.
#include <cmath>

#include "serving/engines/sklearn/loader.h"

namespace slipway::sklearn {

namespace {

class Projection : public Estimator {
 public:
  Projection(Facts facts, Matrix components, std::vector<double> mean, std::vector<double> scale)
      : Estimator(std::move(facts)), components_(std::move(components)), mean_(std::move(mean)), scale_(std::move(scale)) {}

  Status transform(Rows x, double* out, Scratch&) const override {
    for (std::size_t i = 0; i < x.count; ++i) {
      const double* row = x.row(i);
      for (std::size_t c = 0; c < components_.rows; ++c) {
        const double* w = components_.row(c);
        double sum = 0;
        for (std::size_t j = 0; j < x.columns; ++j) sum += (mean_.empty() ? row[j] : row[j] - mean_[j]) * w[j];
        *out++ = scale_.empty() ? sum : sum / scale_[c];
      }
    }
    return {};
  }

 private:
  Matrix components_;
  std::vector<double> mean_;   // empty: not centred
  std::vector<double> scale_;  // whitening
};

class Centres : public Estimator {
 public:
  Centres(Facts facts, Matrix centres) : Estimator(std::move(facts)), centres_(std::move(centres)) {}
  Status transform(Rows x, double* out, Scratch&) const override {
    for (std::size_t i = 0; i < x.count; ++i) {
      for (std::size_t c = 0; c < centres_.rows; ++c) *out++ = std::sqrt(squared(x.row(i), c));
    }
    return {};
  }
  Status values(Rows x, double* out, Scratch&) const override {
    for (std::size_t i = 0; i < x.count; ++i) {
      std::size_t best = 0;
      double nearest = squared(x.row(i), 0);
      for (std::size_t c = 1; c < centres_.rows; ++c) {
        const double d = squared(x.row(i), c);
        if (d < nearest) best = c, nearest = d;
      }
      out[i] = static_cast<double>(best);
    }
    return {};
  }

 private:
  double squared(const double* row, std::size_t centre) const {
    const double* c = centres_.row(centre);
    double sum = 0;
    for (std::size_t j = 0; j < centres_.columns; ++j) sum += (row[j] - c[j]) * (row[j] - c[j]);
    return sum;
  }
  Matrix centres_;
};

}  // namespace

Result<EstimatorPtr> loadProjection(const Fields& fields, Loader&) {
  SLIP_TRY(Facts facts, readFacts(fields, ModelKind::Transformer));
  SLIP_TRY(Matrix components, fields.matrix("components_"));
  if (facts.features == 0) facts.features = components.columns;
  if (components.columns != facts.features || components.rows == 0)
    return fields.bad("components_", "does not fit n_features_in_");
  std::vector<double> mean;
  std::vector<double> scale;
  if (fields.className() != "TruncatedSVD" && fields.has("mean_")) {
    SLIP_TRY(mean, fields.vector("mean_", facts.features));
  }
  if (fields.flag("whiten", false)) {
    SLIP_TRY(scale, fields.vector("explained_variance_", components.rows));
    for (double& s : scale) s = std::max(std::sqrt(s), std::numeric_limits<double>::epsilon());
  }
  facts.transformed = components.rows;
  return std::make_unique<Projection>(std::move(facts), std::move(components), std::move(mean), std::move(scale));
}

Result<EstimatorPtr> loadCentres(const Fields& fields, Loader&) {
  SLIP_TRY(Facts facts, readFacts(fields, ModelKind::Clusterer));
  SLIP_TRY(Matrix centres, fields.matrix("cluster_centers_"));
  if (facts.features == 0) facts.features = centres.columns;
  if (centres.columns != facts.features || centres.rows == 0)
    return fields.bad("cluster_centers_", "does not fit n_features_in_");
  facts.predicts = true;
  facts.valueType = LabelType::Int32;
  facts.transformed = centres.rows;
  return std::make_unique<Centres>(std::move(facts), std::move(centres));
}

}  // namespace slipway::sklearn
