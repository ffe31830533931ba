#!/usr/bin/env python3
"""Trains models with the scikit-learn of the interpreter that runs this and writes them with the answers it gives.

    sklearn_fixtures.py OUT [--only NAME...] [--small]

For each case OUT/NAME.joblib (or .pkl) and OUT/NAME.json with the input rows and what predict, predict_proba,
decision_function and transform answered. src/serving/engines/sklearn/fixtures_test.cc compares our reader with them.
Only data sets that come inside scikit-learn are used. --small writes the few files kept in the repository's testdata.
"""
import argparse
import json
import pathlib
import pickle
import sys
import warnings

import joblib
import numpy as np
import sklearn
from sklearn import datasets
from sklearn.base import is_classifier

warnings.filterwarnings("ignore")
VERSION = tuple(int(p) for p in sklearn.__version__.split(".")[:2])
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
            "classifier": bool(is_classifier(model)), "rows": len(rows), "x": plain(rows), "answers": answers(model, rows)}
    (folder / (name + ".json")).write_text(json.dumps(text))


def cases():
    """(name, data set, model) for every supported class and the options that change how it predicts."""
    yield from linear_cases()
    yield from tree_cases()
    yield from pipeline_cases()


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


def variant(name):
    """A data set whose labels or rows are changed: iris-text, diabetes-2 (two outputs), iris-missing …"""
    base, _, kind = name.partition("-")
    x, y, asked = data(base)
    if kind == "text":
        y = np.array(["setosa", "versicolor", "virginica é"])[y]
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
