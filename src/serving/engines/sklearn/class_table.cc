// Every class of scikit-learn that a file may hold: those that can be served, and those that only occur inside them.
#include "serving/engines/sklearn/loader.h"

namespace slipway::sklearn {

namespace {

constexpr Family kFamilies[] = {
    // linear.cc: regressors
    {"LinearRegression", loadLinearRegressor}, {"Ridge", loadLinearRegressor}, {"RidgeCV", loadLinearRegressor},
    {"Lasso", loadLinearRegressor}, {"LassoCV", loadLinearRegressor}, {"ElasticNet", loadLinearRegressor},
    {"ElasticNetCV", loadLinearRegressor}, {"MultiTaskLasso", loadLinearRegressor}, {"MultiTaskElasticNet", loadLinearRegressor},
    {"Lars", loadLinearRegressor}, {"LassoLars", loadLinearRegressor}, {"LassoLarsCV", loadLinearRegressor},
    {"LassoLarsIC", loadLinearRegressor}, {"LarsCV", loadLinearRegressor}, {"OrthogonalMatchingPursuit", loadLinearRegressor},
    {"BayesianRidge", loadLinearRegressor}, {"ARDRegression", loadLinearRegressor}, {"HuberRegressor", loadLinearRegressor},
    {"TheilSenRegressor", loadLinearRegressor}, {"QuantileRegressor", loadLinearRegressor}, {"SGDRegressor", loadLinearRegressor},
    {"PassiveAggressiveRegressor", loadLinearRegressor}, {"LinearSVR", loadLinearRegressor},
    {"PoissonRegressor", loadLinearRegressor}, {"GammaRegressor", loadLinearRegressor}, {"TweedieRegressor", loadLinearRegressor},
    // linear.cc: classifiers
    {"LogisticRegression", loadLinearClassifier}, {"LogisticRegressionCV", loadLinearClassifier},
    {"SGDClassifier", loadLinearClassifier}, {"Perceptron", loadLinearClassifier}, {"LinearSVC", loadLinearClassifier},
    {"RidgeClassifier", loadLinearClassifier}, {"RidgeClassifierCV", loadLinearClassifier},
    {"PassiveAggressiveClassifier", loadLinearClassifier}, {"LinearDiscriminantAnalysis", loadLinearClassifier},
    // tree.cc
    {"DecisionTreeClassifier", loadTree}, {"DecisionTreeRegressor", loadTree}, {"ExtraTreeClassifier", loadTree},
    {"ExtraTreeRegressor", loadTree}, {"RandomForestClassifier", loadForest}, {"RandomForestRegressor", loadForest},
    {"ExtraTreesClassifier", loadForest}, {"ExtraTreesRegressor", loadForest},
    // svm.cc
    {"SVC", loadSupportVectorClassifier}, {"NuSVC", loadSupportVectorClassifier}, {"SVR", loadSupportVectorRegressor},
    {"NuSVR", loadSupportVectorRegressor}, {"OneClassSVM", loadSupportVectorRegressor},
    // boosting.cc
    {"GradientBoostingClassifier", loadGradientBoosting}, {"GradientBoostingRegressor", loadGradientBoosting},
    // dummy.cc
    {"DummyClassifier", loadDummyClassifier}, {"DummyRegressor", loadDummyRegressor},
    // neighbors.cc
    {"KNeighborsClassifier", loadNeighbors}, {"KNeighborsRegressor", loadNeighbors},
    // scalers.cc
    {"StandardScaler", loadScaler}, {"MinMaxScaler", loadScaler}, {"MaxAbsScaler", loadScaler}, {"RobustScaler", loadScaler},
    // pipeline.cc
    {"Pipeline", loadPipeline}, {"GridSearchCV", loadSearch}, {"RandomizedSearchCV", loadSearch},
    {"HalvingGridSearchCV", loadSearch}, {"HalvingRandomSearchCV", loadSearch},
    // naive_bayes.cc
    {"GaussianNB", loadGaussianNaiveBayes}, {"MultinomialNB", loadDiscreteNaiveBayes}, {"ComplementNB", loadDiscreteNaiveBayes},
    {"BernoulliNB", loadDiscreteNaiveBayes},
    // network.cc
    {"MLPClassifier", loadNetwork}, {"MLPRegressor", loadNetwork},
    // hist_boosting.cc
    {"HistGradientBoostingClassifier", loadHistBoosting}, {"HistGradientBoostingRegressor", loadHistBoosting},
    // projections.cc
    {"PCA", loadProjection}, {"IncrementalPCA", loadProjection}, {"TruncatedSVD", loadProjection}, {"KMeans", loadCentres},
    {"MiniBatchKMeans", loadCentres},
    // isolation.cc
    {"IsolationForest", loadIsolationForest},
    // preprocessing.cc
    {"SimpleImputer", loadImputer}, {"OneHotEncoder", loadEncoder}, {"OrdinalEncoder", loadEncoder}, {"Normalizer", loadNormalizer},
    {"Binarizer", loadBinarizer}, {"FunctionTransformer", loadFunctionTransformer}, {"VarianceThreshold", loadVarianceThreshold},
    {"SelectKBest", loadSelectKBest}, {"PolynomialFeatures", loadPolynomialFeatures},
    // compose.cc
    {"ColumnTransformer", loadColumnTransformer}, {"FeatureUnion", loadFeatureUnion},
    // meta.cc
    {"VotingClassifier", loadCommittee}, {"VotingRegressor", loadCommittee}, {"BaggingClassifier", loadCommittee},
    {"BaggingRegressor", loadCommittee},
};

using pickle::Role;
// Classes inside estimators whose content is looked at or skipped, never served.
constexpr pickle::KnownName kInside[] = {
    {"sklearn", "Tree"}, {"sklearn", "Bunch"}, {"sklearn", "LabelBinarizer"}, {"sklearn", "LabelEncoder"},
    {"sklearn", "_BinMapper"}, {"sklearn", "TreePredictor"}, {"sklearn", "AdamOptimizer"}, {"sklearn", "SGDOptimizer"},
    {"sklearn", "KDTree"}, {"sklearn", "BallTree"}, {"sklearn", "EuclideanDistance"}, {"sklearn", "EuclideanDistance64"},
    {"sklearn", "ManhattanDistance"}, {"sklearn", "ManhattanDistance64"}, {"sklearn", "MinkowskiDistance"},
    {"sklearn", "MinkowskiDistance64"}, {"sklearn", "ChebyshevDistance"}, {"sklearn", "ChebyshevDistance64"},
    {"sklearn", "EuclideanDistance32"}, {"sklearn", "ManhattanDistance32"}, {"sklearn", "MinkowskiDistance32"},
    {"sklearn", "ChebyshevDistance32"}, {"sklearn", "KDTree64"}, {"sklearn", "BallTree64"}, {"sklearn", "KDTree32"},
    {"sklearn", "BallTree32"}, {"sklearn", "BinomialDeviance"}, {"sklearn", "ExponentialLoss"},
    {"sklearn", "HuberLossFunction"}, {"sklearn", "LeastAbsoluteError"}, {"sklearn", "LeastSquaresError"},
    {"sklearn", "MultinomialDeviance"}, {"sklearn", "QuantileLossFunction"}, {"sklearn", "AbsoluteError"},
    {"sklearn", "HalfBinomialLoss"}, {"sklearn", "HalfGammaLoss"}, {"sklearn", "HalfMultinomialLoss"},
    {"sklearn", "HalfPoissonLoss"}, {"sklearn", "HalfSquaredError"}, {"sklearn", "HalfTweedieLoss"},
    {"sklearn", "HalfTweedieLossIdentity"}, {"sklearn", "HalfBinomialLossArrayAPI"},
    {"sklearn", "HalfMultinomialLossArrayAPI"}, {"sklearn", "HalfPoissonLossArrayAPI"}, {"sklearn", "HuberLoss"},
    {"sklearn", "PinballLoss"}, {"sklearn", "HalfLogitLink"}, {"sklearn", "IdentityLink"}, {"sklearn", "Interval"},
    {"sklearn", "LogLink"}, {"sklearn", "LogitLink"}, {"sklearn", "MultinomialLogit"}, {"sklearn", "EpsilonInsensitive"},
    {"sklearn", "Hinge"}, {"sklearn", "Huber"}, {"sklearn", "Log"}, {"sklearn", "ModifiedHuber"},
    {"sklearn", "SquaredEpsilonInsensitive"}, {"sklearn", "SquaredHinge"}, {"sklearn", "SquaredLoss"},
    // Cython's loss objects: their module is sklearn._loss._loss or, in some versions, just _loss
    {"sklearn", "CyAbsoluteError"}, {"sklearn", "CyExponentialLoss"}, {"sklearn", "CyHalfBinomialLoss"},
    {"sklearn", "CyHalfGammaLoss"}, {"sklearn", "CyHalfMultinomialLoss"}, {"sklearn", "CyHalfPoissonLoss"},
    {"sklearn", "CyHalfSquaredError"}, {"sklearn", "CyHalfTweedieLoss"}, {"sklearn", "CyHalfTweedieLossIdentity"},
    {"sklearn", "CyHuberLoss"}, {"sklearn", "CyPinballLoss"}, {"_loss", "CyAbsoluteError"}, {"_loss", "CyExponentialLoss"},
    {"_loss", "CyHalfBinomialLoss"}, {"_loss", "CyHalfGammaLoss"}, {"_loss", "CyHalfMultinomialLoss"},
    {"_loss", "CyHalfPoissonLoss"}, {"_loss", "CyHalfSquaredError"}, {"_loss", "CyHalfTweedieLoss"},
    {"_loss", "CyHalfTweedieLossIdentity"}, {"_loss", "CyHuberLoss"}, {"_loss", "CyPinballLoss"},
    {"sklearn", "__pyx_unpickle_CyAbsoluteError", Role::PyxUnpickle},
    {"sklearn", "__pyx_unpickle_CyExponentialLoss", Role::PyxUnpickle},
    {"sklearn", "__pyx_unpickle_CyHalfBinomialLoss", Role::PyxUnpickle},
    {"sklearn", "__pyx_unpickle_CyHalfGammaLoss", Role::PyxUnpickle},
    {"sklearn", "__pyx_unpickle_CyHalfMultinomialLoss", Role::PyxUnpickle},
    {"sklearn", "__pyx_unpickle_CyHalfPoissonLoss", Role::PyxUnpickle},
    {"sklearn", "__pyx_unpickle_CyHalfSquaredError", Role::PyxUnpickle},
    {"sklearn", "__pyx_unpickle_CyHalfTweedieLoss", Role::PyxUnpickle},
    {"sklearn", "__pyx_unpickle_CyHalfTweedieLossIdentity", Role::PyxUnpickle},
    {"sklearn", "__pyx_unpickle_CyHuberLoss", Role::PyxUnpickle},
    {"sklearn", "__pyx_unpickle_CyPinballLoss", Role::PyxUnpickle},
    {"_loss", "__pyx_unpickle_CyAbsoluteError", Role::PyxUnpickle},
    {"_loss", "__pyx_unpickle_CyExponentialLoss", Role::PyxUnpickle},
    {"_loss", "__pyx_unpickle_CyHalfBinomialLoss", Role::PyxUnpickle},
    {"_loss", "__pyx_unpickle_CyHalfGammaLoss", Role::PyxUnpickle},
    {"_loss", "__pyx_unpickle_CyHalfMultinomialLoss", Role::PyxUnpickle},
    {"_loss", "__pyx_unpickle_CyHalfPoissonLoss", Role::PyxUnpickle},
    {"_loss", "__pyx_unpickle_CyHalfSquaredError", Role::PyxUnpickle},
    {"_loss", "__pyx_unpickle_CyHalfTweedieLoss", Role::PyxUnpickle},
    {"_loss", "__pyx_unpickle_CyHalfTweedieLossIdentity", Role::PyxUnpickle},
    {"_loss", "__pyx_unpickle_CyHuberLoss", Role::PyxUnpickle},
    {"_loss", "__pyx_unpickle_CyPinballLoss", Role::PyxUnpickle},
    {"sklearn", "__pyx_unpickle_Regression", Role::PyxUnpickle},
    {"sklearn", "__pyx_unpickle_Classification", Role::PyxUnpickle}, {"sklearn", "newObj", Role::NewObject},
    {"scipy", "csr_matrix"}, {"scipy", "csr_array"}, {"scipy", "rv_continuous_frozen"}, {"scipy", "uniform_gen"},
    {"scipy", "reciprocal_gen"}, {"scipy", "randint_gen"}, {"scipy", "rv_discrete_frozen"}, {"scipy", "expon_gen"},
    // what a parameter search keeps beside the model
    {"sklearn", "_passthrough_scorer"}, {"sklearn", "_PassthroughScorer"}, {"sklearn", "_PredictScorer"}, {"sklearn", "_ProbaScorer"},
    {"sklearn", "_ThresholdScorer"}, {"sklearn", "_Scorer"}, {"sklearn", "_MultimetricScorer"}, {"sklearn", "accuracy_score"},
    {"sklearn", "balanced_accuracy_score"}, {"sklearn", "f1_score"}, {"sklearn", "precision_score"}, {"sklearn", "recall_score"},
    {"sklearn", "roc_auc_score"}, {"sklearn", "log_loss"}, {"sklearn", "r2_score"}, {"sklearn", "mean_squared_error"},
    {"sklearn", "root_mean_squared_error"}, {"sklearn", "mean_absolute_error"}, {"sklearn", "KFold"}, {"sklearn", "StratifiedKFold"},
    {"sklearn", "RepeatedKFold"}, {"sklearn", "RepeatedStratifiedKFold"}, {"sklearn", "ShuffleSplit"},
    {"sklearn", "StratifiedShuffleSplit"}, {"sklearn", "GroupKFold"}, {"sklearn", "TimeSeriesSplit"}, {"sklearn", "LeaveOneOut"},
    {"sklearn", "f_classif"}, {"sklearn", "f_regression"}, {"sklearn", "chi2"}, {"sklearn", "mutual_info_classif"},
    {"sklearn", "mutual_info_regression"}, {"sklearn", "_RemainderColsList"}, {"sklearn", "MetadataRequest"}, {"sklearn", "MethodMetadataRequest"},
    // losses of HistGradientBoosting before 1.1
    {"sklearn", "LeastSquares"}, {"sklearn", "LeastAbsoluteDeviation"}, {"sklearn", "Poisson"}, {"sklearn", "BinaryCrossEntropy"},
    {"sklearn", "CategoricalCrossEntropy"},
    // numpy's functions in a FunctionTransformer, known by name only
    {"numpy", "log1p"}, {"numpy", "expm1"}, {"numpy", "log"}, {"numpy", "log2"}, {"numpy", "log10"}, {"numpy", "exp"},
    {"numpy", "sqrt"}, {"numpy", "square"}, {"numpy", "absolute"}, {"numpy", "fabs"},
};

std::vector<pickle::KnownName> allNames() {
  std::vector<pickle::KnownName> names(std::begin(kInside), std::end(kInside));
  for (const Family& f : kFamilies) names.push_back({"sklearn", f.className});
  return names;
}

}  // namespace

std::span<const Family> families() { return kFamilies; }

const pickle::ClassList& classList() {
  // The list refers to the names: both live as long as the program.
  static const std::vector<pickle::KnownName> names = allNames();
  static const pickle::ClassList list(
      names, fmt::format("{} scikit-learn estimators, numpy arrays and plain Python values", std::size(kFamilies)));
  return list;
}

}  // namespace slipway::sklearn
