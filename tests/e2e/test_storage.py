"""The storage initializer against a real S3 server (moto's): styles of address, credentials, large objects, hostile archives."""
import io
import os
import signal
import socket
import subprocess
import sys
import tarfile
import time
import urllib.request

import boto3
import pytest

from conftest import ROOT, wait_for

BIN = os.environ.get("SLIPWAY_BIN", str(ROOT / "build/release/slipway"))


@pytest.fixture(scope="module")
def s3(tmp_path_factory):
    """moto's S3 server; yields its URL and a client."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    log = open(tmp_path_factory.mktemp("moto") / "log", "w")
    server = subprocess.Popen([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"

    def up():
        try:
            return urllib.request.urlopen(f"{url}/moto-api/", timeout=1).status == 200
        except OSError:
            return False
    try:
        wait_for(up, "moto's server", 60)
        client = boto3.client("s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id="k", aws_secret_access_key="s")
        client.create_bucket(Bucket="models")
        yield url, client
    finally:
        server.terminate()
        server.wait()


def environment(url, **extra):
    base = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "k",
            "AWS_SECRET_ACCESS_KEY": "s", "S3_MAX_ATTEMPTS": "2"}
    return {k: v for k, v in {**base, **extra}.items() if v is not None}


def init(url, *arguments, **extra):
    return subprocess.run([BIN, "storage-init", *map(str, arguments)], env=environment(url, **extra), capture_output=True, text=True, timeout=120)


def files(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if not p.is_dir())


def test_a_prefix_is_fetched_whole_with_paging(s3, tmp_path):
    url, client = s3
    for i in range(1203):
        client.put_object(Bucket="models", Key=f"many/{i:04}.txt", Body=str(i).encode())
    client.put_object(Bucket="models", Key="many/with space+plus/ü.txt", Body=b"odd name")
    client.put_object(Bucket="models", Key="many2/other", Body=b"not this")
    done = init(url, "s3://models/many", tmp_path / "m", S3_MAX_FILE_CONCURRENCY="8")
    assert done.returncode == 0, done.stderr
    assert len(files(tmp_path / "m")) == 1204
    assert (tmp_path / "m/with space+plus/ü.txt").read_bytes() == b"odd name"
    assert (tmp_path / "m/1202.txt").read_text() == "1202"


def test_one_object_and_several_pairs(s3, tmp_path):
    url, client = s3
    client.put_object(Bucket="models", Key="one/model.joblib", Body=b"model")
    done = init(url, "s3://models/one/model.joblib", tmp_path / "a", "s3://models/one", tmp_path / "b")
    assert done.returncode == 0, done.stderr
    assert files(tmp_path) == ["a/model.joblib", "b/model.joblib"]


def test_virtual_hosted_style(s3, tmp_path):
    url, client = s3
    client.put_object(Bucket="models", Key="v/model.joblib", Body=b"model")
    named = url.replace("127.0.0.1", "s3.localhost")
    done = init(named, "s3://models/v", tmp_path / "m", S3_USER_VIRTUAL_BUCKET="true")
    assert done.returncode == 0, done.stderr
    assert files(tmp_path / "m") == ["model.joblib"]


def test_anonymous_and_session_token(s3, tmp_path):
    url, client = s3
    client.put_object(Bucket="models", Key="p/model.joblib", Body=b"model", ACL="public-read")
    assert init(url, "s3://models/p", tmp_path / "m", awsAnonymousCredential="true", AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None).returncode == 0
    assert init(url, "s3://models/p", tmp_path / "n", AWS_SESSION_TOKEN="token").returncode == 0


def test_missing_bucket_and_unreachable_endpoint_are_named_in_the_last_line(s3, tmp_path):
    url, _ = s3
    done = init(url, "s3://no-such-bucket/x", tmp_path / "m")
    last = done.stderr.strip().split("\n")[-1]
    assert done.returncode == 1
    assert "s3://no-such-bucket/x" in last and url in last and "NoSuchBucket" in last and "404" in last and "AWS_ENDPOINT_URL" in last
    done = init("http://127.0.0.1:9", "s3://models/x", tmp_path / "m")
    assert done.returncode == 1
    assert "s3://models/x at http://127.0.0.1:9" in done.stderr and "cannot connect" in done.stderr
    done = init(url, "s3://models/nothing-here", tmp_path / "m")
    assert "No model found in s3://models/nothing-here" in done.stderr


def test_denied_access_is_named_with_the_code_and_the_fix(s3, tmp_path):
    url, client = s3
    client.put_object(Bucket="models", Key="d/model.joblib", Body=b"model")
    # From the second request on, moto checks signatures and policies: the key is unknown to it.
    urllib.request.urlopen(urllib.request.Request(f"{url}/moto-api/reset-auth", data=b"0", headers={"Content-Type": "text/plain"}, method="POST"))
    try:
        done = init(url, "s3://models/d", tmp_path / "m", AWS_ACCESS_KEY_ID="AKIAUNKNOWN")
    finally:
        urllib.request.urlopen(urllib.request.Request(f"{url}/moto-api/reset-auth", data=b"inf", headers={"Content-Type": "text/plain"}, method="POST"))
    assert done.returncode == 1
    assert "403" in done.stderr and "s3://models/d" in done.stderr and "AWS_ACCESS_KEY_ID" in done.stderr


def test_a_large_object_is_fetched_in_parts_and_resumed_after_kill(s3, tmp_path):
    url, client = s3
    body = os.urandom(1 << 20) * 96
    client.put_object(Bucket="models", Key="big/weights.bin", Body=body)
    env = environment(url, STORAGE_CHUNK_BYTES=str(1 << 20), S3_MAX_FILE_CONCURRENCY="2")
    target = tmp_path / "m"
    first = subprocess.Popen([BIN, "storage-init", "s3://models/big", str(target)], env=env, stdout=subprocess.DEVNULL)
    notes = lambda: list((target / ".slipway-parts").glob("*.done")) if target.exists() else []
    wait_for(lambda: first.poll() is not None or (notes() and len(notes()[0].read_text().splitlines()) > 10), "ten parts", 60)
    first.send_signal(signal.SIGKILL)
    first.wait()
    kept = len(notes()[0].read_text().splitlines()) - 1 if notes() else 0
    assert 0 < kept < 96, "the kill came too late to test a resume"
    done = init(url, "s3://models/big", target, STORAGE_CHUNK_BYTES=str(1 << 20))
    assert done.returncode == 0, done.stderr
    assert (target / "weights.bin").read_bytes() == body
    assert files(target) == ["weights.bin"]


def test_ten_replicas_download_once(s3, tmp_path):
    url, client = s3
    client.put_object(Bucket="models", Key="r/weights.bin", Body=os.urandom(8 << 20))
    env = environment(url, SLIPWAY_STORAGE_CACHE=str(tmp_path / "cache"))
    replicas = [subprocess.Popen([BIN, "storage-init", "s3://models/r", str(tmp_path / f"m{i}")], env=env, stdout=subprocess.PIPE, text=True)
                for i in range(10)]
    outputs = [p.communicate(timeout=120)[0] for p in replicas]
    assert all(p.returncode == 0 for p in replicas)
    assert sum("from the node's cache" not in o for o in outputs) == 1
    inodes = {(tmp_path / f"m{i}/weights.bin").stat().st_ino for i in range(10)}
    assert all((tmp_path / f"m{i}/weights.bin").stat().st_size == 8 << 20 for i in range(10))
    assert len(inodes) in (1, 10)  # hard links, or reflinks


def archive(*members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, kind, value in members:
            info = tarfile.TarInfo(name)
            info.type = kind
            if kind == tarfile.REGTYPE:
                info.size = len(value)
                tar.addfile(info, io.BytesIO(value))
            else:
                info.linkname = value
                tar.addfile(info)
    return buffer.getvalue()


def test_an_archive_is_unpacked_and_removed(s3, tmp_path):
    url, client = s3
    client.put_object(Bucket="models", Key="a/model.tar.gz", Body=archive(("m/model.joblib", tarfile.REGTYPE, b"x")))
    assert init(url, "s3://models/a/model.tar.gz", tmp_path / "m").returncode == 0
    assert files(tmp_path / "m") == ["m/model.joblib"]


@pytest.mark.parametrize("members,says", [
    ([("../evil", tarfile.REGTYPE, b"x")], "../evil"),
    ([("/tmp/slipway-evil", tarfile.REGTYPE, b"x")], "absolute"),
    ([("l", tarfile.SYMTYPE, "/etc"), ("l/evil", tarfile.REGTYPE, b"x")], "leads out"),
    ([("p", tarfile.FIFOTYPE, "")], "device"),
    ([("bomb", tarfile.REGTYPE, b"\0" * (128 << 20))], "STORAGE_MAX_UNPACK_RATIO")])
def test_hostile_archives_are_refused_by_name(s3, tmp_path, members, says):
    url, client = s3
    client.put_object(Bucket="models", Key="h/model.tar.gz", Body=archive(*members))
    done = init(url, "s3://models/h/model.tar.gz", tmp_path / "in/m")
    assert done.returncode == 1
    assert "model.tar.gz" in done.stderr and says in done.stderr
    assert "evil" not in " ".join(files(tmp_path))
    assert not os.path.exists("/tmp/slipway-evil")


def test_a_full_disk_is_named_with_needed_and_free_bytes(s3, tmp_path):
    url, client = s3
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("mounting a small file system needs root")
    try:
        client.put_object(Bucket="models", Key="f/weights.bin", Body=os.urandom(4 << 20))
        done = init(url, "s3://models/f", folder / "m")
        assert done.returncode == 1
        assert "not enough space" in done.stderr and "4194304 bytes" in done.stderr and "free" in done.stderr
    finally:
        subprocess.run(["umount", str(folder)], check=True)
