"""Trains the quickstart model with scikit-learn: python3 train.py FOLDER writes FOLDER/model.joblib."""
import pathlib
import sys

import joblib
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
folder.mkdir(parents=True, exist_ok=True)
features, labels = load_iris(return_X_y=True)
model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200)).fit(features, labels)
joblib.dump(model, folder / "model.joblib")
print(f"{folder / 'model.joblib'}: accuracy {model.score(features, labels):.3f} on {len(labels)} flowers")
