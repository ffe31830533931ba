"""`slipway up` and the command line: what a user sees before any model."""
import os
import signal
import socket
import stat
import subprocess

from conftest import BIN, Platform, wait_for


def run(*args, **kw):
    return subprocess.run([BIN, *args], capture_output=True, text=True, timeout=60, **kw)


def test_up_prints_one_ready_line_and_writes_a_private_kubeconfig(platform):
    assert platform.api_url.startswith("https://127.0.0.1:")
    assert stat.S_IMODE(os.stat(platform.kubeconfig).st_mode) == 0o600
    assert platform.kubectl("get", "--raw", "/readyz").stdout == "ok"


def test_up_refuses_a_second_instance_on_the_same_folder(platform):
    second = run("up", "--data-dir", str(platform.data_dir), "--api-port", "0", "--gateway-port", "0")
    assert second.returncode == 1
    assert len(second.stderr.strip().splitlines()) == 1
    assert str(platform.data_dir) in second.stderr and "already" in second.stderr


def test_up_names_the_port_that_is_in_use_and_the_fix(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = run("up", "--data-dir", str(tmp_path / "d"), "--api-port", str(port), "--gateway-port", "0")
    assert result.returncode == 1
    assert str(port) in result.stderr and "--api-port" in result.stderr


def test_up_refuses_a_gateway_port_that_another_platform_serves(platform, tmp_path):
    result = run("up", "--data-dir", str(tmp_path / "d"), "--api-port", "0", "--gateway-port", str(platform.gateway_port))
    assert result.returncode == 1
    assert str(platform.gateway_port) in result.stderr and "--gateway-port" in result.stderr


def test_up_says_when_its_folder_cannot_be_written(tmp_path):
    blocker = tmp_path / "file"
    blocker.write_text("not a folder")
    result = run("up", "--data-dir", str(blocker / "d"), "--api-port", "0", "--gateway-port", "0")
    assert result.returncode == 1
    assert str(blocker) in result.stderr


def test_sigterm_stops_the_platform_and_exits_0(tmp_path):
    running = Platform(tmp_path / "data")
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(20) == 0


def test_restart_keeps_objects(tmp_path):
    running = Platform(tmp_path / "data")
    running.kubectl("create", "configmap", "kept", "--from-literal=a=b")
    running.stop()
    running.start()
    try:
        assert running.get("configmap", "kept")["data"] == {"a": "b"}
    finally:
        running.stop()


def test_help_names_every_subcommand_and_wrong_usage_exits_2():
    text = run("--help").stdout
    for name in ("up", "model-server", "storage-init", "gateway", "apiserver", "completion", "version"):
        assert f"  {name}" in text
        sub = run(name, "--help")
        assert sub.returncode == 0 and "Usage:" in sub.stdout
    wrong = run("frobnicate")
    assert wrong.returncode == 2 and "frobnicate" in wrong.stderr
    assert run("up", "--api-port", "many").returncode == 2
    assert run("version").stdout.startswith("slipway ")


def test_completion_scripts_load_in_their_shell():
    script = run("completion", "bash").stdout
    check = subprocess.run(["bash", "-c", script + "\nCOMP_WORDS=(slipway mod); COMP_CWORD=1; _slipway; echo ${COMPREPLY[@]}"],
                           capture_output=True, text=True)
    assert check.stdout.split() == ["model-server"]
    assert "complete -c slipway" in run("completion", "fish").stdout
    assert run("completion", "zsh").stdout.startswith("#compdef slipway")
