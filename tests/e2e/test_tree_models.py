"""xgboost, LightGBM and CatBoost: freshly trained models answer the same from our engines (the comparison is TreeFixtures in
serving_test), and one of each is served through the platform."""
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from conftest import ROOT

CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "slipway"
SCRIPT = ROOT / "tests/e2e/tree_fixtures.py"
PINS = ROOT / "deps/requirements/trees.txt"
ENGINES = ROOT / "src/serving/engines"
DEBIAN = "/usr/bin/python3"


def pinned():
    """A Python with the pinned libraries, installed once outside the clone; skips when that cannot be."""
    venv = CACHE / f"venv-trees-{hashlib.sha256(PINS.read_bytes()).hexdigest()[:12]}"
    python = venv / "bin/python"
    if not (venv / "ready").exists():
        shutil.rmtree(venv, ignore_errors=True)
        steps = [[DEBIAN, "-m", "venv", str(venv)],
                 [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--require-hashes", "-r", str(PINS)]]
        for step in steps:
            done = subprocess.run(step, capture_output=True, text=True, timeout=900)
            if done.returncode != 0:
                last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no message"]
                pytest.skip(f"xgboost, lightgbm and catboost cannot be installed here: {last[0]}")
        (venv / "ready").touch()
    return str(python)


def debian():
    if subprocess.run([DEBIAN, "-c", "import xgboost"], capture_output=True).returncode != 0:
        pytest.skip("Debian's python3-xgboost, which writes the old binary files, is not installed")
    return DEBIAN


def fixtures(python, tag, *arguments):
    """The folder of models and answers that this interpreter makes; kept until the script or the pins change."""
    key = hashlib.sha256(SCRIPT.read_bytes() + PINS.read_bytes()).hexdigest()[:12]
    folder = CACHE / "tree-fixtures" / f"{tag}-{key}"
    if not folder.exists():
        making = folder.with_name(f"{folder.name}.{os.getpid()}")
        subprocess.run([python, str(SCRIPT), str(making), *arguments], check=True, timeout=600, env=dict(os.environ, OMP_NUM_THREADS="1"))
        try:
            making.rename(folder)
        except OSError:  # another run was faster
            shutil.rmtree(making)
    return folder


@pytest.fixture(scope="module")
def serving_test():
    program = os.environ.get("SLIPWAY_SERVING_TEST")
    if program is None:
        subprocess.run([str(ROOT / "scripts/build.sh"), "release", "serving_test"], check=True, cwd=ROOT)
        program = str(ROOT / "build/release/src/serving_test")
    return program


@pytest.mark.parametrize("interpreter,arguments,least", [(pinned, [], 100), (debian, ["--format", "xgboost"], 20)], ids=["pinned", "debian"])
def test_every_kind_of_model_answers_as_its_library_does(interpreter, arguments, least, serving_test):
    folder = fixtures(interpreter(), interpreter.__name__, *arguments)
    env = dict(os.environ, SLIPWAY_TREE_FIXTURES=str(folder), SLIPWAY_SOURCE_DIR=str(ROOT))
    done = subprocess.run([serving_test, "--gtest_filter=TreeFixtures.*"], env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-6000:]
    compared = re.search(r"(\d+) models compared", done.stdout)
    assert compared and int(compared.group(1)) >= least, done.stdout[-2000:]


@pytest.mark.parametrize("name,model,served_as", [
    ("xgboost", "xgboost/testdata/xgb32-multi-softprob.ubj", "model.ubj"), ("xgboost", "xgboost/testdata/xgb17-dart.bst", "model.bst"),
    ("lightgbm", "lightgbm/testdata/lgb47-binary.bst", "model.bst"), ("catboost", "catboost/testdata/cat12-RMSE.cbm", "model.cbm")],
    ids=["xgboost-ubj", "xgboost-old-binary", "lightgbm", "catboost"])
def test_the_platform_serves_it_over_both_protocols(platform, name, model, served_as, request):
    namespace = "trees-" + request.node.callspec.id
    fixture = json.loads((ENGINES / f"{model}.json").read_text())
    columns = len(fixture["x"]) // fixture["rows"]
    rows = [fixture["x"][i * columns:(i + 1) * columns] for i in range(fixture["rows"])]
    platform.kubectl("create", "namespace", namespace, check=False)
    shutil.copy(ENGINES / model, platform.model_folder(namespace, "my-models", "tree") / served_as)
    platform.apply({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "my-models", "namespace": namespace},
                    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}})
    platform.apply({"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService", "metadata": {"name": "tree", "namespace": namespace},
                    "spec": {"predictor": {"model": {"modelFormat": {"name": name}, "storageUri": "pvc://my-models/tree"}}}})
    platform.wait_isvc_ready(namespace, "tree")
    host = f"tree.{namespace}.localhost"
    v1 = platform.request("POST", "/v1/models/tree:predict", {"instances": rows}, host=host)
    assert v1.status == 200, v1.json()
    flat = [v for row in v1.json()["predictions"] for v in (row if isinstance(row, list) else [row])]
    assert flat == pytest.approx(fixture["values"], rel=1e-6)
    body = {"inputs": [{"name": "input-0", "shape": [len(rows), columns], "datatype": "FP64", "data": rows}]}
    output = platform.request("POST", "/v2/models/tree/infer", body, host=host).json()["outputs"][0]
    assert (output["name"], output["datatype"]) == ("output-0", {"float32": "FP32", "float64": "FP64"}[fixture["dtype"]])
    assert output["data"] == pytest.approx(fixture["values"], rel=1e-6)
    assert platform.request("GET", "/v2/models/tree", host=host).json()["platform"] == name
