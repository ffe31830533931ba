#!/usr/bin/env python3
"""Runs the commands of the recorded kubectl sessions against `slipway up --no-node` and compares what kubectl prints.

    SLIPWAY_SHARED=/path/to/shared tests/golden/kubectl.py [k20 k32 k34] [-v] [--keep DIR]

The recordings ($SLIPWAY_SHARED/golden/kubectl) were made with a real kube-apiserver. A row is equal when exit code, standard
output and standard error are. Rows that differ on purpose stand in kubectl_differences.yaml with the reason; any other
difference fails, and so does a number of equal rows below the one recorded there.

KUBECTLS="k20=/path,k34=/path" names the clients; otherwise Debian's 1.20 comes from deps/fetch.sh, 1.32 from the path, and
1.34 is built once with Go where Go is installed. A version that cannot be had is skipped in one line.
"""
import argparse
import difflib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "slipway"
BIN = os.environ.get("SLIPWAY_BIN", str(ROOT / "build/release/slipway"))
DIFFERENCES = pathlib.Path(__file__).with_name("kubectl_differences.yaml")
VERSIONS = {"k20": "1.20", "k32": "1.32", "k34": "1.34"}
# What differs between two machines and two moments: widths, ages, addresses of Services, where the API and the gateway listen.
NORMALISE = [
    (r"127\.96\.\d+\.\d+", "<ip>"),
    (r"https://127\.0\.0\.1:\d+", "https://<api>"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? [+-]\d{4}", "<time>"),
    (r"(?m)(?<![\w.:-])(\d+[dhms]){1,2}(?=[ )]|$)", "<age>"),
    (r"Resource Version: \d+", "Resource Version: <rv>"),
    (r"(\.example\.com):\d+", r"\1"),
    (r"/tmp/(LIVE|MERGED)-<rs>", r"<tmp>/\1"),  # a folder whose random number reads like a template's hash
    (r"[ \t]+", " "),
]


def normal(text):
    for pattern, to in NORMALISE:
        text = re.sub(pattern, to, text)
    return text


def has_version(path, wanted):
    try:
        out = subprocess.run([path, "version", "--client"], capture_output=True, text=True, timeout=20).stdout
    except OSError:
        return False
    return re.search(rf"v{re.escape(wanted)}\.", out) is not None


def built_with_go(version):
    """kubectl of the Go module k8s.io/kubernetes; None where Go or the module proxy is missing."""
    out = CACHE / f"kubectl-{version}"
    if out.exists():
        return str(out)
    go = shutil.which("go") or "/usr/local/go/bin/go"
    if not os.path.exists(go):
        return None
    with tempfile.TemporaryDirectory() as folder:
        env = dict(os.environ, CGO_ENABLED="0", GOFLAGS="-mod=mod")
        run = lambda *args: subprocess.run([go, *args], cwd=folder, env=env, capture_output=True, text=True)
        module = f"k8s.io/kubernetes@v{version}"
        pathlib.Path(folder, "go.mod").write_text(f"module kubectl\n\ngo 1.23.0\n\nrequire k8s.io/kubernetes v{version}\n")
        if run("mod", "download", module).returncode != 0:
            return None
        cached = pathlib.Path(run("env", "GOMODCACHE").stdout.strip(), module)
        staged = re.findall(r"(?m)^\s+(k8s\.io/[a-z0-9-]+) => \./staging", (cached / "go.mod").read_text())
        with open(pathlib.Path(folder, "go.mod"), "a") as f:
            f.writelines(f"replace {name} => {name} v0.{version[2:]}\n" for name in staged)
        shutil.copy(cached / "go.sum", folder)
        pathlib.Path(folder, "tools.go").write_text('package kubectl\n\nimport _ "k8s.io/kubernetes/cmd/kubectl"\n')
        run("mod", "tidy")
        flags = f"-s -w -X k8s.io/component-base/version.gitVersion=v{version}"
        if run("build", "-ldflags", flags, "-o", str(out), "k8s.io/kubernetes/cmd/kubectl").returncode != 0:
            return None
    return str(out)


def client(name):
    given = dict(pair.split("=", 1) for pair in os.environ.get("KUBECTLS", "").split(",") if pair)
    if name in given:
        return given[name]
    if name == "k20":
        path = CACHE / "deps/kubectl-old/usr/bin/kubectl"
        if not path.exists():
            subprocess.run([str(ROOT / "deps/fetch.sh"), "kubectl-old"], capture_output=True)
        return str(path) if path.exists() else None
    if name == "k34":
        return built_with_go("1.34.4")
    path = shutil.which("kubectl")
    return path if path and has_version(path, VERSIONS[name]) else None


class Platform:
    """`slipway up --no-node` with the URLs that the recorded cluster had."""

    def __init__(self, folder):
        self.folder = folder
        self.log = open(folder / "log", "w+")
        self.process = subprocess.Popen(
            [BIN, "up", "--no-node", "--data-dir", str(folder / "data"), "--api-port", "0", "--gateway-port", "0"],
            stdout=subprocess.PIPE, stderr=self.log, text=True)
        if not self.process.stdout.readline().startswith("slipway is ready"):
            sys.exit("slipway up --no-node did not start:\n" + (folder / "log").read_text())
        self.env = dict(os.environ, KUBECONFIG=str(folder / "data/kubeconfig"), HOME=str(folder / "home"))
        (folder / "home").mkdir()

    def use_recorded_domain(self, kubectl):
        config = json.loads(subprocess.run([kubectl, "-n", "kserve", "get", "cm", "inferenceservice-config", "-o", "json"],
                                           env=self.env, capture_output=True, text=True, check=True).stdout)
        ingress = json.loads(config["data"]["ingress"])
        ingress.update(ingressDomain="example.com", domainTemplate="{{ .Name }}-{{ .Namespace }}.{{ .IngressDomain }}")
        patch = json.dumps({"data": {"ingress": json.dumps(ingress)}})
        subprocess.run([kubectl, "-n", "kserve", "patch", "cm", "inferenceservice-config", "--type=merge", "-p", patch],
                       env=self.env, capture_output=True, check=True)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        self.log.close()


def record(golden, name, path, folder):
    """Runs both sets of rows, each on a fresh platform; returns the folder with what kubectl printed."""
    out = folder / "kubectl"
    for rows in ("builtin", "isvc"):
        work = folder / f"{name}-{rows}"
        work.mkdir()
        platform = Platform(work)
        try:
            platform.use_recorded_domain(path)
            env = dict(platform.env, KUBECTLS=f"{name}={path}")
            done = subprocess.run([sys.executable, str(golden / "tools/kubectl_rows.py"), str(out), rows], env=env,
                                  capture_output=True, text=True)
            if done.returncode != 0:
                sys.exit(f"{name} {rows}: the recording tool failed\n{done.stdout}{done.stderr}")
        finally:
            platform.stop()
    return out / name


def read(path):
    return normal(path.read_text(errors="replace")) if path.exists() else "(missing)\n"


def differences(golden, ours):
    """Row name to its diff, for the rows that are not equal; and the number of rows."""
    rows = sorted(p.stem for p in ours.glob("*.rc"))
    found = {}
    for row in rows:
        text = ""
        for part in ("rc", "out", "err"):
            want, got = read(golden / f"{row}.{part}"), read(ours / f"{row}.{part}")
            if want != got:
                text += "".join(difflib.unified_diff(want.splitlines(True), got.splitlines(True), f"recorded {part}", "ours", n=1))
        if text:
            found[row] = text
    return found, len(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("versions", nargs="*", default=list(VERSIONS))
    parser.add_argument("-v", action="store_true", help="show the differences that have a reason, too")
    parser.add_argument("--keep", metavar="DIR", help="leave what was recorded in DIR")
    args = parser.parse_args()
    shared = os.environ.get("SLIPWAY_SHARED", "")
    golden = pathlib.Path(shared, "golden")
    if not shared or not (golden / "kubectl").is_dir():
        print("golden kubectl rows: skipped, SLIPWAY_SHARED does not name the folder of recordings")
        return 0
    table = yaml.safe_load(DIFFERENCES.read_text())
    explained = {row: reason for reason, group in table["reasons"].items() for row in group}
    failed = False
    for name in args.versions:
        path = client(name)
        if path is None:
            print(f"{name}: skipped, no kubectl {VERSIONS[name]} here")
            continue
        with tempfile.TemporaryDirectory() as temporary:
            folder = pathlib.Path(args.keep or temporary, name)
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            found, total = differences(golden / "kubectl" / name, record(golden, name, path, folder))
        equal = total - len(found)
        print(f"{name}: {equal} of {total} rows equal, {len(found)} differ for a known reason (at least {table['equal'][name]} are equal)")
        for row, text in found.items():
            if row not in explained:
                failed = True
                print(f"--- {name} {row}: differs and has no reason in {DIFFERENCES.name}\n{text}")
            elif args.v:
                print(f"--- {name} {row}: {explained[row]}\n{text}")
        if equal < table["equal"][name]:
            failed = True
            print(f"{name}: fewer rows are equal than the {table['equal'][name]} of before")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
