#!/usr/bin/env python3
"""Trains models with the scikit-learn of the interpreter that runs this and writes them with the answers it gives.

    sklearn_fixtures.py OUT [--only NAME...] [--small]

For each case OUT/NAME.joblib (or .pkl) and OUT/NAME.json with the input rows and what predict, predict_proba,
decision_function and transform answered. src/serving/engines/sklearn/fixtures_test.cc compares our reader with them.
Only data sets that come inside scikit-learn are used. --small writes the few files kept in the repository's testdata.
"""
import argparse
import json
import os
import pathlib
import pickle
import sys
import warnings

# With more threads scikit-learn's brute-force neighbour search picks among tied neighbours by how the work was split.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import joblib
import numpy as np
import sklearn
from sklearn import datasets
from sklearn.base import is_classifier

warnings.filterwarnings("ignore")
VERSION = tuple(int(p) for p in sklearn.__version__.split(".")[:2])
TOLERANCE = {}  # for cases where scikit-learn's own arithmetic is less exact than 1e-9
METHODS = {"predict": "predict", "predict_proba": "proba", "decision_function": "decision", "transform": "transform"}


def data(name):
    """(x to train on, y, rows to ask about): the data set and, after it, rows between and around its points."""
    x, y = getattr(datasets, "load_" + name)(return_X_y=True)
    rng = np.random.RandomState(7)
    picked = x[rng.permutation(len(x))[:60]]
    mixed = (picked[:-1] + picked[1:]) / 2
    far = picked[:20] + rng.normal(size=picked[:20].shape) * x.std(axis=0) * 3
    asked = np.vstack([x[rng.permutation(len(x))[:150]], mixed, far])
    return x, y, asked


def plain(values):
    """JSON form: NaN as null, infinities as texts."""
    out = []
    for v in np.asarray(values).ravel().tolist():
        if isinstance(v, float) and not np.isfinite(v):
            out.append(None if np.isnan(v) else "inf" if v > 0 else "-inf")
        else:
            out.append(v)
    return out


def answers(model, rows):
    out = {}
    for method, key in METHODS.items():
        if not hasattr(model, method):
            continue
        try:
            got = getattr(model, method)(rows)
        except (AttributeError, NotImplementedError):
            continue
        if hasattr(got, "toarray"):
            got = got.toarray()
        got = np.asarray(got)
        out[key] = {"dtype": str(got.dtype), "columns": int(got.size // len(rows)), "values": plain(got)}
    return out


def write(folder, name, model, rows, compress=0, protocol=None):
    """protocol None: joblib; a number: plain pickle of that protocol."""
    suffix = {0: ".joblib"}.get(compress, ".joblib." + str(compress[0] if isinstance(compress, tuple) else compress))
    path = folder / (name + (suffix if protocol is None else ".pkl"))
    if protocol is None:
        joblib.dump(model, path, compress=compress)
    else:
        path.write_bytes(pickle.dumps(model, protocol=protocol))
    rows = np.asarray(rows, dtype=np.float64)
    text = {"file": path.name, "sklearn": sklearn.__version__, "class": type(model).__name__, "features": rows.shape[1],
            "classifier": bool(is_classifier(model)), "rows": len(rows), "x": plain(rows), "tolerance": TOLERANCE.get(name, 1e-9), "answers": answers(model, rows)}
    (folder / (name + ".json")).write_text(json.dumps(text))


def cases():
    """(name, data set, model) for every supported class and the options that change how it predicts."""
    yield from linear_cases()
    yield from tree_cases()
    yield from svm_cases()
    yield from boosting_cases()
    yield from neighbor_cases()
    yield from pipeline_cases()
    yield from other_cases()
    yield from preprocessing_cases()
    yield from meta_cases()


def linear_cases():
    import sklearn.linear_model as lm
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.svm import LinearSVC, LinearSVR
    yield "logistic", "iris", lm.LogisticRegression(max_iter=500)
    yield "logistic-wine", "wine", lm.LogisticRegression(max_iter=200)
    yield "logistic-binary", "breast_cancer", lm.LogisticRegression(solver="liblinear")
    yield "logistic-cv", "iris", lm.LogisticRegressionCV(cv=3, max_iter=300)
    if VERSION < (1, 8):
        yield "logistic-ovr", "iris", lm.LogisticRegression(multi_class="ovr")
        yield "logistic-binary-softmax", "breast_cancer", lm.LogisticRegression(multi_class="multinomial", max_iter=100)
        yield "logistic-liblinear", "iris", lm.LogisticRegression(solver="liblinear")
    log = "log_loss" if VERSION >= (1, 1) else "log"
    for loss in ("hinge", log, "modified_huber"):
        yield "sgd-" + loss, "iris", lm.SGDClassifier(loss=loss, random_state=1)
        yield "sgd-binary-" + loss, "breast_cancer", lm.SGDClassifier(loss=loss, random_state=1)
    yield "perceptron", "iris", lm.Perceptron()
    yield "passive-aggressive", "iris", lm.PassiveAggressiveClassifier(random_state=0)
    yield "ridge-classifier", "iris", lm.RidgeClassifier()
    yield "ridge-classifier-cv", "breast_cancer", lm.RidgeClassifierCV()
    yield "linear-svc", "wine", LinearSVC(random_state=0)
    yield "lda", "iris", LinearDiscriminantAnalysis()
    yield "lda-binary", "breast_cancer", LinearDiscriminantAnalysis()
    for name in ("LinearRegression", "Ridge", "RidgeCV", "Lasso", "LassoCV", "ElasticNet", "ElasticNetCV", "Lars", "LassoLars",
                 "LassoLarsCV", "LassoLarsIC", "LarsCV", "OrthogonalMatchingPursuit", "BayesianRidge", "ARDRegression",
                 "HuberRegressor", "QuantileRegressor", "SGDRegressor", "PassiveAggressiveRegressor", "PoissonRegressor",
                 "GammaRegressor", "TweedieRegressor"):
        yield name, "diabetes", getattr(lm, name)()
    yield "tweedie-log", "diabetes", lm.TweedieRegressor(power=1.5, max_iter=300)
    yield "theil-sen", "diabetes", lm.TheilSenRegressor(random_state=0, max_subpopulation=50)
    yield "linear-no-intercept", "diabetes", lm.LinearRegression(fit_intercept=False)
    yield "linear-two-outputs", "diabetes-2", lm.LinearRegression()
    yield "ridge-two-outputs", "diabetes-2", lm.Ridge()
    yield "multi-task-lasso", "diabetes-2", lm.MultiTaskLasso()
    yield "linear-svr", "diabetes", LinearSVR(random_state=0)


def tree_cases():
    import sklearn.ensemble as en
    import sklearn.tree as tr
    for data_set in ("iris", "wine", "breast_cancer", "digits"):
        yield "tree-" + data_set, data_set, tr.DecisionTreeClassifier(random_state=0)
        yield "forest-" + data_set, data_set, en.RandomForestClassifier(20, random_state=0)
    yield "tree-shallow", "iris", tr.DecisionTreeClassifier(max_depth=2, criterion="entropy", class_weight="balanced")
    yield "extra-tree", "iris", tr.ExtraTreeClassifier(random_state=0)
    yield "extra-trees", "wine", en.ExtraTreesClassifier(20, random_state=0)
    yield "forest-weighted", "iris", en.RandomForestClassifier(10, max_depth=3, class_weight="balanced", random_state=2)
    yield "tree-regressor", "diabetes", tr.DecisionTreeRegressor(random_state=0)
    yield "tree-regressor-mae", "diabetes", tr.DecisionTreeRegressor(criterion="absolute_error", max_depth=4, random_state=0)
    yield "tree-two-outputs", "diabetes-2", tr.DecisionTreeRegressor(max_depth=5, random_state=0)
    yield "extra-tree-regressor", "diabetes", tr.ExtraTreeRegressor(random_state=0)
    yield "forest-regressor", "diabetes", en.RandomForestRegressor(20, random_state=0)
    yield "forest-two-outputs", "diabetes-2", en.RandomForestRegressor(10, random_state=0)
    yield "extra-trees-regressor", "diabetes", en.ExtraTreesRegressor(20, random_state=0)
    if VERSION >= (1, 3):
        yield "tree-missing", "iris-missing", tr.DecisionTreeClassifier(random_state=0)
        yield "tree-regressor-missing", "diabetes-missing", tr.DecisionTreeRegressor(random_state=0, max_depth=6)
    if VERSION >= (1, 4):
        yield "forest-missing", "iris-missing", en.RandomForestClassifier(20, random_state=0)


def svm_cases():
    import sklearn.svm as svm
    for kernel in ("linear", "rbf", "poly", "sigmoid"):
        yield "svc-" + kernel, "iris", svm.SVC(kernel=kernel)
        yield "svc-binary-" + kernel, "breast_cancer", svm.SVC(kernel=kernel, max_iter=3000)
        yield "svr-" + kernel, "diabetes", svm.SVR(kernel=kernel)
    yield "svc-digits", "digits", svm.SVC()
    yield "svc-proba", "iris", svm.SVC(probability=True, random_state=0)
    yield "svc-proba-wine", "wine", svm.SVC(probability=True, random_state=0, kernel="linear", max_iter=5000)
    yield "svc-proba-binary", "breast_cancer", svm.SVC(probability=True, random_state=0)
    yield "svc-ovo", "wine", svm.SVC(decision_function_shape="ovo")
    yield "svc-break-ties", "digits", svm.SVC(break_ties=True, gamma=0.01, C=0.1)
    yield "svc-poly-coef", "wine", svm.SVC(kernel="poly", degree=2, coef0=1.5, gamma="auto")
    yield "nu-svc", "iris", svm.NuSVC(nu=0.2)
    yield "nu-svr", "diabetes", svm.NuSVR()
    yield "one-class-svm", "iris", svm.OneClassSVM(nu=0.1)


def boosting_cases():
    import sklearn.ensemble as en
    from sklearn.linear_model import LogisticRegression
    for data_set in ("iris", "wine", "breast_cancer"):
        yield "boosting-" + data_set, data_set, en.GradientBoostingClassifier(n_estimators=20, random_state=0)
    yield "boosting-exponential", "breast_cancer", en.GradientBoostingClassifier(n_estimators=20, loss="exponential", random_state=0)
    yield "boosting-subsample", "wine", en.GradientBoostingClassifier(n_estimators=15, subsample=0.5, max_depth=2, random_state=0)
    yield "boosting-zero", "iris", en.GradientBoostingClassifier(n_estimators=10, init="zero", random_state=0)
    yield "boosting-zero-regressor", "diabetes", en.GradientBoostingRegressor(n_estimators=10, init="zero", random_state=0)
    yield "boosting-init", "breast_cancer", en.GradientBoostingClassifier(n_estimators=10, init=LogisticRegression(solver="liblinear"), random_state=0)
    yield "boosting-init-iris", "iris", en.GradientBoostingClassifier(n_estimators=10, init=en.RandomForestClassifier(5, random_state=0), random_state=0)
    yield "boosting-init-regressor", "diabetes", en.GradientBoostingRegressor(n_estimators=10, init=en.RandomForestRegressor(5, random_state=0), random_state=0)
    for loss in ("squared_error", "absolute_error", "huber", "quantile"):
        yield "boosting-" + loss, "diabetes", en.GradientBoostingRegressor(n_estimators=20, loss=loss, random_state=0)


def neighbor_cases():
    import sklearn.neighbors as nb
    for algorithm in ("auto", "kd_tree", "ball_tree", "brute"):
        # Brute force computes |x|^2 - 2xy + |y|^2, whose rounding decides among equally near points: rows without such ties.
        apart = "-apart" if algorithm == "brute" else ""
        yield "knn-" + algorithm, "iris" + apart, nb.KNeighborsClassifier(algorithm=algorithm)
        yield "knn-wine-" + algorithm, "wine", nb.KNeighborsClassifier(7, algorithm=algorithm, leaf_size=5)
        yield "knn-regressor-" + algorithm, "diabetes" + apart, nb.KNeighborsRegressor(algorithm=algorithm)
    for metric in ("manhattan", "chebyshev"):
        yield "knn-" + metric, "wine", nb.KNeighborsClassifier(metric=metric)
        yield "knn-brute-" + metric, "wine", nb.KNeighborsClassifier(metric=metric, algorithm="brute")
        yield "knn-ball-" + metric, "wine", nb.KNeighborsClassifier(metric=metric, algorithm="ball_tree")
    yield "knn-minkowski-3", "wine", nb.KNeighborsClassifier(p=3)
    yield "knn-minkowski-brute", "wine", nb.KNeighborsClassifier(p=1.5, algorithm="brute")
    yield "knn-cosine", "wine", nb.KNeighborsClassifier(metric="cosine")
    yield "knn-distance", "iris", nb.KNeighborsClassifier(weights="distance")
    yield "knn-distance-regressor", "diabetes", nb.KNeighborsRegressor(weights="distance")
    yield "knn-two-outputs", "diabetes-2", nb.KNeighborsRegressor(3)
    yield "knn-digits", "digits", nb.KNeighborsClassifier()
    yield "knn-one", "digits", nb.KNeighborsClassifier(1)


def pipeline_cases():
    import sklearn.linear_model as lm
    import sklearn.preprocessing as pp
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.pipeline import make_pipeline
    for name in ("StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler"):
        yield name, "wine", getattr(pp, name)()
    yield "scaler-no-mean", "wine", pp.StandardScaler(with_mean=False)
    yield "scaler-no-std", "wine", pp.StandardScaler(with_std=False)
    yield "min-max-clip", "wine", pp.MinMaxScaler((-1, 2), clip=True)
    yield "pipeline", "iris", make_pipeline(pp.StandardScaler(), lm.LogisticRegression())
    yield "pipeline-three", "wine", make_pipeline(pp.StandardScaler(), pp.MinMaxScaler(), RandomForestClassifier(10, random_state=0))
    yield "pipeline-passthrough", "wine", make_pipeline(pp.StandardScaler(), "passthrough", pp.RobustScaler())
    yield "pipeline-nested", "iris", make_pipeline(make_pipeline(pp.MaxAbsScaler()), lm.LogisticRegression())
    yield "labels-text", "iris-text", make_pipeline(pp.StandardScaler(), lm.LogisticRegression())
    yield "labels-object", "iris-object", lm.LogisticRegression(max_iter=500)
    yield "labels-bool", "breast_cancer-bool", make_pipeline(pp.StandardScaler(), lm.LogisticRegression())
    yield "labels-float", "iris-float", lm.LogisticRegression(max_iter=500)
    yield "labels-int8", "iris-int8", RandomForestClassifier(5, random_state=0)


def other_cases():
    import sklearn.cluster as cl
    import sklearn.decomposition as de
    import sklearn.ensemble as en
    import sklearn.naive_bayes as nb
    import sklearn.neural_network as nn
    from sklearn.dummy import DummyClassifier, DummyRegressor
    yield "gaussian-nb", "iris", nb.GaussianNB()
    yield "gaussian-nb-wine", "wine", nb.GaussianNB()
    yield "multinomial-nb", "digits-positive", nb.MultinomialNB()
    yield "complement-nb", "digits-positive", nb.ComplementNB()
    yield "bernoulli-nb", "digits", nb.BernoulliNB(binarize=7.5)
    for activation in ("relu", "tanh", "logistic", "identity"):
        yield "mlp-" + activation, "iris", nn.MLPClassifier(hidden_layer_sizes=(12, 5), activation=activation, max_iter=60, random_state=0)
    yield "mlp-binary", "breast_cancer", nn.MLPClassifier(hidden_layer_sizes=(8,), max_iter=40, random_state=0)
    yield "mlp-regressor", "diabetes", nn.MLPRegressor(hidden_layer_sizes=(8, 8), max_iter=60, random_state=0)
    yield "mlp-two-outputs", "diabetes-2", nn.MLPRegressor(hidden_layer_sizes=(8,), max_iter=60, random_state=0)
    if VERSION >= (1, 7):
        yield "mlp-poisson", "diabetes", nn.MLPRegressor(loss="poisson", hidden_layer_sizes=(4,), max_iter=20, random_state=0)
    for data_set in ("iris", "wine", "breast_cancer"):
        yield "hist-" + data_set, data_set, en.HistGradientBoostingClassifier(max_iter=20, random_state=0)
    yield "hist-missing", "iris-missing", en.HistGradientBoostingClassifier(max_iter=10, random_state=0)
    yield "hist-text", "iris-text", en.HistGradientBoostingClassifier(max_iter=5, random_state=0)
    for loss in ("squared_error", "absolute_error", "poisson"):
        yield "hist-" + loss, "diabetes", en.HistGradientBoostingRegressor(loss=loss, max_iter=20, random_state=0)
    if VERSION >= (1, 3):
        yield "hist-gamma", "diabetes", en.HistGradientBoostingRegressor(loss="gamma", max_iter=10, random_state=0)
    yield "isolation", "wine", en.IsolationForest(n_estimators=30, random_state=0)
    yield "isolation-contamination", "iris", en.IsolationForest(n_estimators=20, max_samples=64, contamination=0.1, random_state=0)
    yield "kmeans", "iris", cl.KMeans(3, n_init=2, random_state=0)
    yield "mini-batch-kmeans", "wine", cl.MiniBatchKMeans(4, n_init=2, random_state=0)
    yield "pca", "wine", de.PCA(5)
    yield "pca-whiten", "wine", de.PCA(5, whiten=True)
    yield "incremental-pca", "iris", de.IncrementalPCA(2)
    yield "truncated-svd", "wine", de.TruncatedSVD(3, random_state=0)
    yield "dummy-classifier", "iris", DummyClassifier()
    yield "dummy-regressor", "diabetes-2", DummyRegressor()


def preprocessing_cases():
    import sklearn.preprocessing as pp
    from sklearn.compose import ColumnTransformer
    from sklearn.feature_selection import SelectKBest, VarianceThreshold
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import FeatureUnion, make_pipeline
    from sklearn.decomposition import PCA
    for strategy in ("mean", "median", "most_frequent", "constant"):
        yield "imputer-" + strategy, "iris-missing", SimpleImputer(strategy=strategy)
    yield "imputer-pipeline", "iris-missing", make_pipeline(SimpleImputer(), pp.StandardScaler(), LogisticRegression())
    yield "one-hot", "iris-coarse", pp.OneHotEncoder(handle_unknown="ignore")
    yield "one-hot-drop", "iris-coarse", pp.OneHotEncoder(drop="first", handle_unknown="ignore")
    yield "ordinal", "iris-coarse", pp.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    for norm in ("l1", "l2", "max"):
        yield "normalizer-" + norm, "iris", pp.Normalizer(norm)
    yield "binarizer", "wine", pp.Binarizer(threshold=2.0)
    yield "polynomial", "iris", pp.PolynomialFeatures(3)
    yield "polynomial-interaction", "iris", pp.PolynomialFeatures(2, interaction_only=True, include_bias=False)
    yield "function-none", "iris", pp.FunctionTransformer()
    yield "function-log1p", "digits-positive", pp.FunctionTransformer(np.log1p)
    yield "variance-threshold", "digits", VarianceThreshold(1.0)
    yield "select-k-best", "wine", SelectKBest(k=5)
    yield "union", "wine", FeatureUnion([("pca", PCA(2)), ("scale", pp.StandardScaler())], transformer_weights={"pca": 2.0})
    yield "columns", "iris-coarse", ColumnTransformer(
        [("scale", pp.StandardScaler(), [0, 1]), ("hot", pp.OneHotEncoder(handle_unknown="ignore"), [2]), ("keep", "passthrough", slice(3, 4))])
    yield "columns-rest", "wine", make_pipeline(
        ColumnTransformer([("scale", pp.StandardScaler(), [0, 3, 5]), ("gone", "drop", [1])], remainder=pp.MinMaxScaler()), LogisticRegression())
    yield "columns-mask", "iris", ColumnTransformer([("scale", pp.StandardScaler(), [True, False, True, False])], remainder="passthrough")


def meta_cases():
    import sklearn.ensemble as en
    import sklearn.linear_model as lm
    import sklearn.model_selection as ms
    import sklearn.preprocessing as pp
    from sklearn.naive_bayes import GaussianNB
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import SVC, LinearSVC
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
    three = [("lr", lm.LogisticRegression(max_iter=500)), ("tree", DecisionTreeClassifier(max_depth=2)), ("nb", GaussianNB())]
    yield "voting-hard", "iris-text", en.VotingClassifier(three)
    yield "voting-soft", "iris-text", en.VotingClassifier(three, voting="soft", weights=[1, 2, 1])
    yield "voting-drop", "iris", en.VotingClassifier(three + [("gone", "drop")], voting="soft", weights=[2, 1, 1, 9])
    yield "voting-regressor", "diabetes", en.VotingRegressor([("a", lm.Ridge()), ("b", DecisionTreeRegressor(max_depth=3))], weights=[1, 3])
    yield "bagging", "iris", en.BaggingClassifier(n_estimators=5, random_state=0)
    yield "bagging-columns", "wine-text", en.BaggingClassifier(KNeighborsClassifier(), n_estimators=5, max_features=0.5, random_state=0)
    yield "bagging-svc", "iris", en.BaggingClassifier(LinearSVC(), n_estimators=4, random_state=0)
    yield "bagging-regressor", "diabetes", en.BaggingRegressor(n_estimators=5, max_features=0.6, random_state=0)
    yield "grid", "iris", ms.GridSearchCV(make_pipeline(pp.StandardScaler(), SVC()), {"svc__C": [0.1, 1]}, cv=3)
    yield "grid-scoring", "breast_cancer", ms.GridSearchCV(DecisionTreeClassifier(random_state=0), {"max_depth": [2, 3]}, scoring="f1",
                                                           cv=ms.StratifiedKFold(3))
    from scipy.stats import uniform
    yield "random-search", "diabetes", ms.RandomizedSearchCV(lm.Ridge(), {"alpha": uniform(0.1, 1)}, n_iter=3, random_state=0)


def variant(name):
    """A data set whose labels or rows are changed: iris-text, diabetes-2 (two outputs), iris-missing …"""
    base, _, kind = name.partition("-")
    x, y, asked = data(base)
    if kind == "text":
        y = np.array(["setosa", "versicolor", "virginica é"])[y]
    elif kind == "positive":
        asked = np.abs(asked)
    elif kind == "coarse":
        x, asked = np.round(x), np.round(asked)
    elif kind == "object":
        y = np.array(["a", "bb", "ccc"], dtype=object)[y]
    elif kind == "bool":
        y = y.astype(bool)
    elif kind == "float":
        y = y.astype(float)
    elif kind == "int8":
        y = y.astype(np.int8)
    elif kind == "2":
        y = np.column_stack([y, x[:, 2] * 100 + y / 2])
    elif kind == "apart":
        rng = np.random.RandomState(5)
        x = x + rng.normal(size=x.shape) * x.std(axis=0) * 0.1
        asked = asked + rng.normal(size=asked.shape) * x.std(axis=0) * 0.1
    elif kind == "missing":
        x, asked = x.copy(), asked.copy()
        rng = np.random.RandomState(3)
        x[rng.uniform(size=x.shape) < 0.1] = np.nan
        asked[rng.uniform(size=asked.shape) < 0.1] = np.nan
    return x, y, asked


def small(folder):
    """The files kept in the repository: every compression and protocol once, a few classes."""
    import sklearn.linear_model as lm
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    x, y, asked = variant("iris")
    asked = asked[:40]
    tag = "sk%d%d-" % VERSION
    logistic = lm.LogisticRegression(max_iter=500).fit(x, y)
    for protocol in (0, 1, 2, 3, 4, 5):
        write(folder, tag + "logistic-p%d" % protocol, logistic, asked, protocol=protocol)
    write(folder, tag + "pipeline", make_pipeline(StandardScaler(), lm.LogisticRegression()).fit(x, y), asked)
    names = variant("iris-object")[1]
    forest = RandomForestClassifier(5, max_depth=3, random_state=0).fit(x, names)
    write(folder, tag + "forest", forest, asked, compress=("gzip", 9))
    formats = ["zlib", "bz2", "xz", "lzma"]
    try:
        import lz4.frame  # noqa: F401
        formats.append("lz4")
    except ImportError:
        pass
    for form in formats:
        write(folder, tag + "forest-" + form, forest, asked, compress=(form, 9) if form != "lz4" else ("lz4", 3))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--small", action="store_true")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    if args.small:
        return small(args.out)
    for name, data_set, model in cases():
        if args.only and name not in args.only:
            continue
        x, y, asked = variant(data_set)
        write(args.out, name, model.fit(x, y), asked)
    print("scikit-learn", sklearn.__version__, "wrote", len(list(args.out.glob("*.json"))), "models to", args.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
