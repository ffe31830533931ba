"""Row for row what kubectl prints: output, errors and exit codes of 94 commands (kubectl_rows.yaml), with the oldest and the newest
kubectl. How they compare with a real kube-apiserver: tests/golden/kubectl.py."""
import pathlib

import pytest
import yaml

ROWS = yaml.safe_load(pathlib.Path(__file__).with_name("kubectl_rows.yaml").read_text())


@pytest.fixture
def namespace(platform, request):
    name = "rows-" + request.node.callspec.id.replace("kubectl-", "")
    platform.kubectl("create", "namespace", name)
    yield name
    platform.kubectl("delete", "namespace", name, "--wait=false")


def expected(row, age):
    row = {**row, **row.get(age, {})}
    return row["rc"], row.get("out", ""), row.get("err", "")


def test_every_row_prints_what_it_should(platform, any_kubectl, namespace, request):
    age = request.node.callspec.id.replace("kubectl-", "")
    wrong = []
    for row in ROWS:
        args = row["run"].split(" ")
        if "-n" not in args:
            args = ["-n", namespace, *args]
        result = platform.kubectl(*args, stdin=row.get("stdin"), binary=any_kubectl, check=False)
        got = (result.returncode, *(text.replace(namespace, "NS") for text in (result.stdout, result.stderr)))
        if got != expected(row, age):
            wrong.append(f"{row['run']}\n  expected {expected(row, age)}\n  got      {got}")
    assert not wrong, "\n".join(wrong)
