"""Every object of the reference guide is accepted as written, by the oldest and the newest kubectl."""
import pathlib

import pytest

from conftest import SHARED

MANIFESTS = sorted(pathlib.Path(SHARED, "manifests").glob("*.yaml")) if SHARED else []


@pytest.mark.skipif(not MANIFESTS, reason="the guide's manifests are absent (SLIPWAY_SHARED is not set)")
@pytest.mark.parametrize("path", MANIFESTS, ids=lambda p: p.name)
def test_the_guides_manifest_is_accepted(platform, any_kubectl, path):
    for namespace in ("models", "llm-models", "llm-serving", "data-science"):
        platform.kubectl("create", "namespace", namespace, check=False)
    result = platform.kubectl("apply", "--dry-run=server", "-f", str(path), binary=any_kubectl, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
