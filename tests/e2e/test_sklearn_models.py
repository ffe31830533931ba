"""Every supported scikit-learn class, trained by scikit-learn itself (Debian's 1.2 and the newest), answers the same from our
reader: labels exactly, numbers to 1e-9. The comparison is SklearnFixtures in serving_test."""
import hashlib
import os
import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "slipway"
SCRIPT = ROOT / "tests/e2e/sklearn_fixtures.py"
PINS = ROOT / "deps/requirements/sklearn-newest.txt"
DEBIAN = "/usr/bin/python3"


def newest():
    """A Python with the pinned newest scikit-learn, installed once outside the clone; skips when that cannot be."""
    key = hashlib.sha256(PINS.read_bytes()).hexdigest()[:12]
    venv = CACHE / f"venv-sklearn-{key}"
    python = venv / "bin/python"
    if not (venv / "ready").exists():
        shutil.rmtree(venv, ignore_errors=True)
        steps = [[DEBIAN, "-m", "venv", str(venv)],
                 [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--require-hashes", "-r", str(PINS)]]
        for step in steps:
            done = subprocess.run(step, capture_output=True, text=True, timeout=600)
            if done.returncode != 0:
                last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no message"]
                pytest.skip(f"the newest scikit-learn cannot be installed here: {last[0]}")
        (venv / "ready").touch()
    return str(python)


def debian():
    if subprocess.run([DEBIAN, "-c", "import sklearn"], capture_output=True).returncode != 0:
        pytest.skip("Debian's python3-sklearn is not installed")
    return DEBIAN


def fixtures(python):
    """The folder of models and answers that this interpreter makes; kept until the script or the version changes."""
    version = subprocess.run([python, "-c", "import sklearn; print(sklearn.__version__)"], capture_output=True, text=True, check=True)
    key = hashlib.sha256(SCRIPT.read_bytes()).hexdigest()[:12]
    folder = CACHE / "sklearn-fixtures" / f"{version.stdout.strip()}-{key}"
    if not folder.exists():
        making = folder.with_name(f"{folder.name}.{os.getpid()}")
        subprocess.run([python, str(SCRIPT), str(making)], check=True, timeout=300)
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


@pytest.mark.parametrize("interpreter", [debian, newest], ids=["debian", "newest"])
def test_every_class_answers_as_scikit_learn_does(interpreter, serving_test):
    folder = fixtures(interpreter())
    env = dict(os.environ, SLIPWAY_SKLEARN_FIXTURES=str(folder), SLIPWAY_SOURCE_DIR=str(ROOT))
    done = subprocess.run([serving_test, "--gtest_filter=SklearnFixtures.*"], env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-6000:]
    compared = re.search(r"(\d+) models compared, worst difference (\S+)", done.stdout)
    assert compared and int(compared.group(1)) >= 200, done.stdout[-2000:]
    print(f"{folder.name}: {compared.group(0)}")
