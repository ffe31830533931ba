"""Copies of the store while the platform runs, going back to one, and Secrets that are encrypted in it."""
import base64
import os
import subprocess

import pytest
from conftest import BIN


def slipway(*args, ok=True):
    done = subprocess.run([BIN, *map(str, args)], capture_output=True, text=True, timeout=60)
    assert (done.returncode == 0) == ok, done.stdout + done.stderr
    return done.stdout if ok else done.stderr


def keys(folder, *names):
    file = folder / ("keys-" + "-".join(names))
    file.write_text("".join(base64.b64encode(name.encode().ljust(32, b".")).decode() + "\n" for name in names))
    file.chmod(0o600)
    return str(file)


def test_a_backup_of_a_running_platform_brings_back_what_was(start_platform, tmp_path):
    platform = start_platform("--no-node")
    platform.kubectl("create", "configmap", "kept", "--from-literal=a=1")
    copy = tmp_path / "copy.db"
    assert "objects at revision" in slipway("backup", copy, "--data-dir", platform.data_dir)
    assert copy.stat().st_mode & 0o777 == 0o600
    assert [f.name for f in platform.data_dir.glob("*.backup-*")] == []
    platform.kubectl("delete", "configmap", "kept")
    platform.kubectl("create", "configmap", "late", "--from-literal=a=1")
    assert "already runs on" in slipway("restore", copy, "--data-dir", platform.data_dir, "--force", ok=False)
    platform.stop()
    assert "replace it with --force" in slipway("restore", copy, "--data-dir", platform.data_dir, ok=False)
    assert "restored" in slipway("restore", copy, "--data-dir", platform.data_dir, "--force")
    platform.start()
    names = [m["metadata"]["name"] for m in platform.get("configmaps")["items"]]
    assert "kept" in names and "late" not in names
    platform.kubectl("create", "configmap", "after", "--from-literal=a=1")
    platform.stop()
    assert "objects at revision" in slipway("backup", copy, "--data-dir", platform.data_dir)  # nothing runs now


@pytest.mark.parametrize("args, says", [
    (["backup", "{tmp}/x", "--data-dir", "{tmp}/none"], "no store in"),
    (["restore", "{tmp}/none", "--data-dir", "{tmp}/d"], "no such file"),
    (["restore", "{tmp}/text", "--data-dir", "{tmp}/d"], "file is not a database"),
])
def test_bad_copies_and_folders_are_named_in_one_line(tmp_path, args, says):
    (tmp_path / "text").write_text("no database at all, whatever its name may promise\n" * 20)
    said = slipway(*[a.format(tmp=tmp_path) for a in args], ok=False)
    assert says in said and len(said.splitlines()) == 1, said


def test_secrets_are_encrypted_in_the_file_and_keys_rotate(start_platform, tmp_path):
    value = "VALUE-THAT-NOBODY-READS"
    encoded = base64.b64encode(value.encode()).decode()
    platform = start_platform("--no-node")
    platform.kubectl("create", "secret", "generic", "s", f"--from-literal=k={value}")

    def stored():
        return b"".join(f.read_bytes() for f in platform.data_dir.glob("state.db*"))

    def restart(*flags):
        platform.stop()
        platform.args = ("--no-node", *flags)
        platform.start()
        return platform.get("secret", "s")["data"]["k"]
    assert encoded.encode() in stored()
    assert restart("--encryption-key-file", keys(tmp_path, "one")) == encoded
    assert encoded.encode() not in stored()
    assert restart("--encryption-key-file", keys(tmp_path, "two", "one")) == encoded
    assert restart("--encryption-key-file", keys(tmp_path, "two")) == encoded
    platform.stop()
    for flags, says in ((["--encryption-key-file", keys(tmp_path, "one")], "is encrypted with key"), ([], "--encryption-key-file")):
        done = subprocess.run([BIN, "up", "--data-dir", str(platform.data_dir), "--api-port", "0", "--gateway-port", "0", "--no-node", *flags],
                              capture_output=True, text=True, timeout=30)
        assert done.returncode == 1
        assert says in done.stderr.strip().splitlines()[-1]
    os.chmod(keys(tmp_path, "two"), 0o644)
    done = subprocess.run([BIN, "up", "--data-dir", str(platform.data_dir), "--api-port", "0", "--gateway-port", "0",
                           "--encryption-key-file", str(tmp_path / "keys-two")], capture_output=True, text=True, timeout=30)
    assert "can be read by others (mode 0644): chmod 600" in done.stderr
