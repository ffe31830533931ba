// From an inert object to a compiled estimator: a table of class names and the function of each. To add a class, add its
// line in class_table.cc and its function in the file of its family (README.md shows the steps).
#pragma once
#include <span>
#include <string>

#include "serving/engines/sklearn/estimator.h"
#include "serving/engines/sklearn/fields.h"
#include "serving/pickle/class_list.h"

namespace slipway::sklearn {

// Carried through nested estimators (a Pipeline in a VotingClassifier …), whose depth it bounds.
class Loader {
 public:
  explicit Loader(std::size_t modelBytes) { allowance_.bytes = modelBytes; }
  // `place` names the object in messages: "Pipeline step 'clf'". Errors Invalid, Unimplemented.
  Result<EstimatorPtr> load(const pickle::Value& object, const std::string& place);

 private:
  int depth_ = 0;
  Allowance allowance_;
};

using Build = Result<EstimatorPtr> (*)(const Fields& fields, Loader& loader);

struct Family {
  std::string_view className;
  Build build;
};

std::span<const Family> families();    // every class that can be served
const pickle::ClassList& classList();  // those, and the classes that only occur inside them

// Class name, features, feature names and, for a classifier, classes_.
Result<Facts> readFacts(const Fields& fields, ModelKind kind);

// One per family, each in the file of that name.
#define SLIPWAY_SKLEARN_BUILD(name) Result<EstimatorPtr> name(const Fields& fields, Loader& loader)
SLIPWAY_SKLEARN_BUILD(loadLinearRegressor);  // linear.cc
SLIPWAY_SKLEARN_BUILD(loadLinearClassifier);
SLIPWAY_SKLEARN_BUILD(loadTree);  // tree.cc
SLIPWAY_SKLEARN_BUILD(loadForest);
SLIPWAY_SKLEARN_BUILD(loadScaler);                   // scalers.cc
SLIPWAY_SKLEARN_BUILD(loadPipeline);                 // pipeline.cc
SLIPWAY_SKLEARN_BUILD(loadSupportVectorClassifier);  // svm.cc
SLIPWAY_SKLEARN_BUILD(loadSupportVectorRegressor);
SLIPWAY_SKLEARN_BUILD(loadGradientBoosting);  // boosting.cc
SLIPWAY_SKLEARN_BUILD(loadDummyClassifier);   // dummy.cc
SLIPWAY_SKLEARN_BUILD(loadDummyRegressor);
SLIPWAY_SKLEARN_BUILD(loadNeighbors);           // neighbors.cc
SLIPWAY_SKLEARN_BUILD(loadSearch);              // pipeline.cc
SLIPWAY_SKLEARN_BUILD(loadGaussianNaiveBayes);  // naive_bayes.cc
SLIPWAY_SKLEARN_BUILD(loadDiscreteNaiveBayes);
SLIPWAY_SKLEARN_BUILD(loadNetwork);       // network.cc
SLIPWAY_SKLEARN_BUILD(loadHistBoosting);  // hist_boosting.cc
SLIPWAY_SKLEARN_BUILD(loadProjection);    // projections.cc
SLIPWAY_SKLEARN_BUILD(loadCentres);
SLIPWAY_SKLEARN_BUILD(loadIsolationForest);  // isolation.cc
SLIPWAY_SKLEARN_BUILD(loadImputer);          // preprocessing.cc
SLIPWAY_SKLEARN_BUILD(loadEncoder);
SLIPWAY_SKLEARN_BUILD(loadNormalizer);
SLIPWAY_SKLEARN_BUILD(loadBinarizer);
SLIPWAY_SKLEARN_BUILD(loadFunctionTransformer);
SLIPWAY_SKLEARN_BUILD(loadVarianceThreshold);
SLIPWAY_SKLEARN_BUILD(loadSelectKBest);
SLIPWAY_SKLEARN_BUILD(loadPolynomialFeatures);
SLIPWAY_SKLEARN_BUILD(loadColumnTransformer);  // compose.cc
SLIPWAY_SKLEARN_BUILD(loadFeatureUnion);
SLIPWAY_SKLEARN_BUILD(loadCommittee);  // meta.cc
#undef SLIPWAY_SKLEARN_BUILD

}  // namespace slipway::sklearn
