#!/usr/bin/env python3
"""Trains models with the xgboost, lightgbm or catboost of the interpreter that runs this and writes them with its answers.

    tree_fixtures.py OUT [--only NAME...] [--format xgboost|lightgbm|catboost] [--small]

For each case OUT/NAME.<ext> and OUT/NAME.json with the rows and what Booster.predict (catboost: predict) answered.
src/serving/engines/tree_fixtures_test.cc compares our engines with them. --small writes the few files kept in testdata.
"""
import argparse
import json
import pathlib
import warnings

import numpy as np

warnings.filterwarnings("ignore")


def plain(values):
    """JSON form: NaN as null, exact doubles otherwise."""
    return [None if isinstance(v, float) and v != v else v for v in np.asarray(values).ravel().tolist()]


def table(rows=300, features=6, missing=0.0, seed=3):
    rng = np.random.RandomState(seed)
    x = rng.normal(size=(rows, features)) * np.array([1, 10, 0.1, 1000, 1, 5])[:features]
    x[:, 0] = np.round(x[:, 0], 1)  # values that meet thresholds exactly
    x[rng.rand(rows, features) < missing] = np.nan
    signal = np.nansum(x[:, :3] / np.array([1, 10, 0.1])[:3], axis=1) + rng.normal(size=rows) * 0.3
    return x, signal, rng


def asked(x, rng):
    """Rows to ask about: the training rows, rows between them, far ones."""
    picked = x[rng.permutation(len(x))[:80]]
    return np.vstack([x[:80], (picked[:-1] + picked[1:]) / 2, picked * 3])


def record(folder, name, path, rows, answer, framework, **more):
    answer = np.asarray(answer)
    text = {"file": path.name, "framework": framework, "rows": len(rows), "x": plain(rows) if not more.get("texts") else more["texts"],
            "columns": int(answer.size // len(rows)), "dtype": str(answer.dtype), "values": plain(answer), **{k: v for k, v in more.items() if k != "texts"}}
    (folder / f"{name}.json").write_text(json.dumps(text))


# ---------------------------------------------------------------- xgboost

def xgb_labels(objective, signal, rng):
    order = np.argsort(np.argsort(signal))
    if objective.startswith("multi:"):
        return (order * 3 // len(signal)).astype(float)
    if objective.startswith("binary:") or objective == "reg:logistic":
        return (signal > 0).astype(float)
    if objective == "rank:map":
        return (signal > 0).astype(float)
    if objective.startswith("rank:"):
        return (order * 4 // len(signal)).astype(float)
    if objective in ("count:poisson", "reg:gamma", "reg:tweedie", "survival:cox", "survival:aft", "reg:squaredlogerror"):
        return np.exp(signal / 2) + 0.1
    return signal


def xgb_cases():
    for objective in ("reg:squarederror", "reg:squaredlogerror", "reg:pseudohubererror", "reg:absoluteerror", "reg:quantileerror", "reg:logistic",
                      "binary:logistic", "binary:logitraw", "binary:hinge", "multi:softprob", "multi:softmax", "count:poisson", "reg:gamma",
                      "reg:tweedie", "survival:cox", "survival:aft", "rank:pairwise", "rank:ndcg", "rank:map"):
        yield objective.replace(":", "-"), {"objective": objective, **({"quantile_alpha": 0.5} if "quantile" in objective else {})}, {}
    yield "missing", {"objective": "binary:logistic"}, {"missing": 0.2}
    yield "deep", {"objective": "reg:squarederror", "max_depth": 12, "min_child_weight": 0}, {"rounds": 60}
    yield "dart", {"objective": "binary:logistic", "booster": "dart", "rate_drop": 0.4}, {"missing": 0.1}
    yield "dart-multi", {"objective": "multi:softprob", "booster": "dart", "rate_drop": 0.4}, {}
    yield "linear", {"objective": "reg:squarederror", "booster": "gblinear"}, {}
    yield "linear-missing", {"objective": "binary:logistic", "booster": "gblinear"}, {"missing": 0.2}
    yield "linear-multi", {"objective": "multi:softprob", "booster": "gblinear"}, {}
    yield "forest", {"objective": "reg:squarederror", "num_parallel_tree": 5, "subsample": 0.7, "colsample_bynode": 0.7, "seed": 4}, {"rounds": 3}
    yield "base-score", {"objective": "binary:logistic", "base_score": 0.2}, {}
    yield "lossguide", {"objective": "reg:squarederror", "grow_policy": "lossguide", "max_leaves": 20, "max_depth": 0, "tree_method": "hist"}, {}
    yield "targets", {"objective": "reg:squarederror"}, {"targets": 3}
    yield "quantiles", {"objective": "reg:quantileerror", "quantile_alpha": [0.1, 0.5, 0.9]}, {"newer": True}
    yield "categorical-onehot", {"objective": "binary:logistic", "max_cat_to_onehot": 50, "tree_method": "hist"}, {"categories": 8, "missing": 0.1}
    yield "categorical-partition", {"objective": "reg:squarederror", "max_cat_to_onehot": 1, "tree_method": "hist"}, {"categories": 60, "missing": 0.1}
    yield "names", {"objective": "reg:squarederror"}, {"names": True}
    yield "early-stop", {"objective": "reg:squarederror"}, {"early": True}


SMALL_XGB = ("binary-logistic", "multi-softprob", "dart", "linear", "categorical-partition", "missing")


def train_xgb(params, options):
    import xgboost as xgb
    x, signal, rng = table(missing=options.get("missing", 0))
    types = None
    if options.get("categories"):
        x[:, 1] = rng.randint(0, options["categories"], len(x))
        x[:, 4] = rng.randint(0, 5, len(x))
        signal = signal + (x[:, 1] % 3) - (x[:, 4] == 2)
        signal = np.nan_to_num(signal)
        types = ["q", "c", "q", "q", "c", "q"]
    y = xgb_labels(params["objective"], signal, rng)
    if options.get("targets"):
        y = np.stack([y * (k + 1) + k for k in range(options["targets"])], axis=1)
    if params["objective"].startswith("multi:"):
        params = {**params, "num_class": 3}
    data = xgb.DMatrix(x, y, feature_types=types, enable_categorical=types is not None, feature_names=list("abcdef") if options.get("names") else None)
    if params["objective"].startswith("rank:"):
        data.set_group([20] * (len(x) // 20))
    if params["objective"] == "survival:aft":
        data.set_float_info("label_lower_bound", y)
        data.set_float_info("label_upper_bound", y * 1.5)
    more = {"evals": [(data, "train")], "early_stopping_rounds": 2, "verbose_eval": False} if options.get("early") else {}
    booster = xgb.train({"max_depth": 5, "nthread": 1, "verbosity": 0, **params}, data, num_boost_round=options.get("rounds", 20), **more)
    rows = asked(x, rng)
    if types:
        for c in (1, 4):
            rows[:, c] = np.round(np.abs(rows[:, c]))
        rows[5, 1], rows[6, 1], rows[7, 4] = 63, 500, 99  # categories that training never saw
    answer = booster.predict(xgb.DMatrix(rows, feature_names=list("abcdef") if options.get("names") else None,
                                         feature_types=types, enable_categorical=types is not None))
    return booster, rows, answer


def write_xgb(folder, only, small):
    import xgboost as xgb
    version = tuple(int(p) for p in xgb.__version__.split(".")[:2])
    legacy = version < (2, 1)
    extensions = ([".bst"] if small else [".bst", ".json", ".ubj"]) if legacy else [".json", ".ubj"]
    for case, params, options in xgb_cases():
        name = f"xgb{version[0]}{version[1]}-{case}"
        if (only and name not in only) or (small and case not in SMALL_XGB):
            continue
        if legacy and (options.get("categories") or options.get("newer") or params["objective"] in ("reg:absoluteerror", "reg:quantileerror", "rank:map", "rank:ndcg")):
            continue
        booster, rows, answer = train_xgb(params, {**options, "rounds": 5} if small else options)
        if small and case == "missing":
            booster = booster[0:5]
            answer = booster.predict(xgb.DMatrix(rows))
        for extension in extensions:
            if small and not legacy and extension == (".ubj" if case in ("dart", "linear", "categorical-partition") else ".json"):
                continue
            path = folder / (name + extension)
            if extension == ".bst":
                path.write_bytes(bytes(booster.save_raw(raw_format="deprecated")))
            else:
                booster.save_model(path)
            kept = slice(0, 12 if small else None)
            record(folder, name + extension, path, rows[kept], answer[kept], f"xgboost {xgb.__version__}", case=f"{case} {extension}")


# ---------------------------------------------------------------- lightgbm

def lgb_cases():
    for objective in ("regression", "regression_l1", "huber", "fair", "poisson", "quantile", "mape", "gamma", "tweedie", "binary", "multiclass",
                      "multiclassova", "cross_entropy", "cross_entropy_lambda", "lambdarank", "rank_xendcg"):
        yield objective, {"objective": objective}, {}
    yield "sqrt", {"objective": "regression", "reg_sqrt": True}, {}
    yield "sigmoid", {"objective": "binary", "sigmoid": 1.7}, {}
    yield "missing-nan", {"objective": "binary"}, {"missing": 0.2}
    yield "missing-zero", {"objective": "binary", "zero_as_missing": True}, {"missing": 0.1, "zeros": 0.3}
    yield "missing-none", {"objective": "binary", "use_missing": False}, {"missing": 0.1, "zeros": 0.3}
    yield "random-forest", {"objective": "binary", "boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.6, "feature_fraction": 0.8}, {}
    yield "dart", {"objective": "regression", "boosting": "dart"}, {}
    yield "goss", {"objective": "regression", "data_sample_strategy": "goss"}, {}
    yield "categorical", {"objective": "binary"}, {"categories": 40}
    yield "categorical-onehot", {"objective": "regression", "max_cat_to_onehot": 10}, {"categories": 5}
    yield "linear-tree", {"objective": "regression", "linear_tree": True}, {"missing": 0.05}
    yield "custom", {"objective": "custom"}, {}
    yield "stump", {"objective": "regression", "min_data_in_leaf": 10000}, {}


SMALL_LGB = ("binary", "multiclass", "missing-zero", "categorical", "linear-tree", "random-forest")


def lgb_labels(objective, signal):
    order = np.argsort(np.argsort(signal))
    if objective in ("multiclass", "multiclassova"):
        return order * 3 // len(signal)
    if objective == "binary":
        return (signal > 0).astype(int)
    if objective.startswith("cross_entropy"):
        return 1 / (1 + np.exp(-signal))
    if objective in ("lambdarank", "rank_xendcg"):
        return order * 4 // len(signal)
    if objective in ("poisson", "gamma", "tweedie", "mape"):
        return np.exp(signal / 2) + 0.1
    return signal


def train_lgb(params, options):
    import lightgbm as lgb
    x, signal, rng = table(missing=options.get("missing", 0))
    if options.get("zeros"):
        x[rng.rand(*x.shape) < options["zeros"]] = 0
    categorical = []
    if options.get("categories"):
        x[:, 1] = rng.randint(0, options["categories"], len(x))
        signal = signal + (x[:, 1] % 3) * 2
        categorical = [1]
    y = lgb_labels(params["objective"], np.nan_to_num(signal))
    params = dict(params)
    if params["objective"] in ("multiclass", "multiclassova"):
        params["num_class"] = 3
    if params["objective"] == "custom":
        params["objective"] = lambda preds, data: (preds - data.get_label(), np.ones_like(preds))
    group = [20] * (len(x) // 20) if params["objective"] in ("lambdarank", "rank_xendcg") else None
    data = lgb.Dataset(x, y, group=group, categorical_feature=categorical or "auto", params={"verbosity": -1}, free_raw_data=False)
    booster = lgb.train({"verbosity": -1, "num_threads": 1, "num_leaves": 15, "min_data_in_leaf": 5, "min_data_per_group": 3, "cat_smooth": 1, "seed": 1, **params},
                        data, num_boost_round=options.get("rounds", 20))
    rows = asked(x, rng)
    rows[3, 2], rows[4, 2], rows[5, 0] = 1e-36, -0.0, 0
    if categorical:
        rows[:, 1] = np.where(np.arange(len(rows)) % 3 == 0, rows[:, 1], np.round(rows[:, 1]))
        rows[6, 1], rows[7, 1], rows[8, 1], rows[9, 1] = 1000, -0.5, -3, np.nan
    return booster, rows, booster.predict(rows)


def write_lgb(folder, only, small):
    import lightgbm as lgb
    tag = "".join(lgb.__version__.split(".")[:2])
    for case, params, options in lgb_cases():
        name = f"lgb{tag}-{case}"
        if (only and name not in only) or (small and case not in SMALL_LGB):
            continue
        booster, rows, answer = train_lgb(params, {**options, "rounds": 4} if small else options)
        path = folder / (name + (".bst" if case == "binary" else ".txt"))
        booster.save_model(path)
        kept = slice(0, 12 if small else None)
        record(folder, name + path.suffix, path, rows[kept], answer[kept], f"lightgbm {lgb.__version__}", case=case)


# ---------------------------------------------------------------- catboost

def cat_cases():
    for loss in ("RMSE", "MAE", "Quantile", "Poisson", "Tweedie:variance_power=1.5", "Huber:delta=1", "MultiRMSE"):
        yield loss.split(":")[0], "regressor", {"loss_function": loss}, {}
    yield "Logloss", "classifier", {"loss_function": "Logloss"}, {}
    yield "CrossEntropy", "classifier", {"loss_function": "CrossEntropy"}, {}
    yield "MultiClass", "classifier", {"loss_function": "MultiClass"}, {"classes": 3}
    yield "MultiClassOneVsAll", "classifier", {"loss_function": "MultiClassOneVsAll"}, {"classes": 3}
    yield "labels-text", "classifier", {}, {"classes": 3, "names": ["no", "maybe", "yes"]}
    yield "Depthwise", "regressor", {"grow_policy": "Depthwise"}, {}
    yield "Lossguide", "classifier", {"grow_policy": "Lossguide", "max_leaves": 20}, {"classes": 3}
    yield "missing", "regressor", {}, {"missing": 0.2}
    yield "missing-max", "regressor", {"nan_mode": "Max"}, {"missing": 0.2}
    yield "one-hot", "classifier", {"one_hot_max_size": 50}, {"categories": True}
    for ctr in ("Borders", "Buckets", "BinarizedTargetMeanValue", "Counter"):
        yield "ctr-" + ctr, "regressor", {"one_hot_max_size": 2, "simple_ctr": [ctr], "combinations_ctr": [ctr], "max_ctr_complexity": 3}, {"categories": True}
    yield "ctr-FloatTargetMeanValue", "skip", {}, {}
    yield "ctr-default", "classifier", {}, {"categories": True}
    yield "ctr-mixed", "classifier", {"one_hot_max_size": 4, "max_ctr_complexity": 4}, {"categories": True, "classes": 3}
    yield "ctr-Depthwise", "regressor", {"grow_policy": "Depthwise"}, {"categories": True}


SMALL_CAT = ("RMSE", "labels-text", "Depthwise", "one-hot", "ctr-mixed", "missing")


def write_cat(folder, only, small):
    import catboost
    tag = "".join(catboost.__version__.split(".")[:2])
    for case, kind, params, options in cat_cases():
        name = f"cat{tag}-{case}"
        if kind == "skip" or (only and name not in only) or (small and case not in SMALL_CAT):
            continue
        x, signal, rng = table(missing=options.get("missing", 0))
        rows = asked(x, rng)
        texts = None
        columns, asking = x, rows
        categorical = []
        if options.get("categories"):
            words = np.array(["red", "green", "blue", "a colour with a longer name", "x" * 70, "", "ocker", "lila", "türkis", "a name of forty letters, more or less, eh"])
            pick, pick2, ask, ask2 = (rng.randint(0, n, m) for n, m in ((10, len(x)), (4, len(x)), (10, len(rows)), (4, len(rows))))
            signal = signal + (pick % 3) * 2 + pick2
            as_list = lambda t, a, b: [[float(v) for v in t[i, :4]] + [str(words[a[i]]), str(b[i])] for i in range(len(t))]
            columns, asking = as_list(x, pick, pick2), as_list(rows, ask, ask2)
            asking[3][4], asking[4][5] = "never seen", "77"
            texts = [repr(v) if isinstance(v, float) else v for row in asking for v in row]
            categorical = [4, 5]
        order = np.argsort(np.argsort(signal))
        y = np.nan_to_num(signal)
        if kind == "classifier":
            classes = options.get("classes", 2)
            y = order * classes // len(signal)
            if options.get("names"):
                y = np.array(options["names"])[y]
        elif case in ("Poisson", "Tweedie"):
            y = np.exp(signal / 3)
        elif case == "MultiRMSE":
            y = np.stack([signal, -signal * 2], axis=1)
        make = catboost.CatBoostClassifier if kind == "classifier" else catboost.CatBoostRegressor
        model = make(iterations=6 if small else 30, depth=4, verbose=False, random_seed=1, thread_count=1, allow_writing_files=False, **params)
        model.fit(columns, y, cat_features=categorical)
        answer = model.predict(asking)
        path = folder / f"{name}.cbm"
        model.save_model(str(path))
        kept = slice(0, 12 if small else None)
        record(folder, path.name, path, rows[kept], np.asarray(answer)[kept], f"catboost {catboost.__version__}", case=case,
               **({"texts": texts[: 6 * len(rows[kept])]} if texts else {}))


WRITERS = {"xgboost": write_xgb, "lightgbm": write_lgb, "catboost": write_cat}

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--format", nargs="*", default=list(WRITERS))
    parser.add_argument("--small", action="store_true")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for chosen in args.format:
        WRITERS[chosen](args.out, args.only, args.small)
