"""Who may do what, seen from outside: files, tokens, client certificates, roles, the audit log."""
import base64
import json
import re
import ssl
import subprocess
import urllib.error
import urllib.request

import pytest
from conftest import wait_for


def api(platform, path, token=None, context=None):
    """GET of an API path without the administrator's credential: (status, body)."""
    config = (platform.data_dir / "kubeconfig").read_text()
    if context is None:
        data = re.search(r"certificate-authority-data: (\S+)", config).group(1)
        context = ssl.create_default_context(cadata=base64.b64decode(data).decode())
    request = urllib.request.Request(platform.api_url + path, headers={"Authorization": f"Bearer {token}"} if token else {})
    try:
        with urllib.request.urlopen(request, context=context, timeout=20) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_files_that_hold_secrets_are_for_their_owner_only(platform):
    assert (platform.data_dir / "pki").stat().st_mode & 0o777 == 0o700
    for file in [platform.data_dir / "kubeconfig", platform.data_dir / "state.db", *(platform.data_dir / "pki").iterdir()]:
        assert file.stat().st_mode & 0o077 == 0, file


def test_nobody_gets_in_but_to_the_health_paths(platform):
    for path in ("/healthz", "/livez", "/readyz"):
        assert api(platform, path) == (200, "ok")
    for path in ("/version", "/api", "/openapi/v2", "/api/v1/namespaces/default/secrets", "/nope"):
        status, body = api(platform, path)
        assert (status, json.loads(body)["message"]) == (401, "Unauthorized"), path


def test_a_service_account_does_what_its_roles_say(platform):
    platform.kubectl("create", "namespace", "who")
    platform.kubectl("create", "serviceaccount", "reader", "-n", "who")
    platform.kubectl("create", "rolebinding", "reader", "--clusterrole=view", "--serviceaccount=who:reader", "-n", "who")
    token = platform.kubectl("create", "token", "reader", "-n", "who").stdout.strip()
    assert api(platform, "/api/v1/namespaces/who/configmaps", token)[0] == 200
    status, body = api(platform, "/api/v1/namespaces/who/secrets", token)
    assert status == 403
    assert json.loads(body)["message"] == ('secrets is forbidden: User "system:serviceaccount:who:reader" cannot list resource '
                                           '"secrets" in API group "" in the namespace "who"')
    vault = platform.kubectl("create", "token", "reader", "-n", "who", "--audience=vault").stdout.strip()
    assert api(platform, "/api", vault)[0] == 401
    denied = platform.kubectl("create", "role", "all", "--verb=*", "--resource=secrets", "-n", "who", "--as=x",
                              "--as-group=system:serviceaccounts", check=False)
    assert denied.returncode == 1 and 'User "x" cannot' in denied.stderr


def test_a_client_certificate_names_user_and_groups(platform, tmp_path):
    pki = platform.data_dir / "pki"
    for command in (["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-keyout", "carol.key", "-out", "carol.csr", "-subj", "/O=dev/O=ops/CN=carol"],
                    ["openssl", "x509", "-req", "-in", "carol.csr", "-CA", str(pki / "ca.crt"), "-CAkey", str(pki / "ca.key"), "-CAcreateserial",
                     "-CAserial", "serial", "-out", "carol.crt", "-days", "1"]):
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    context = ssl.create_default_context(cafile=pki / "ca.crt")
    context.load_cert_chain(tmp_path / "carol.crt", tmp_path / "carol.key")
    status, body = api(platform, "/api/v1/namespaces/default/pods", context=context)
    assert (status, json.loads(body)["message"]) == (
        403, 'pods is forbidden: User "carol" cannot list resource "pods" in API group "" in the namespace "default"')
    platform.kubectl("create", "clusterrolebinding", "ops-view", "--clusterrole=view", "--group=ops")
    assert api(platform, "/api/v1/namespaces/default/pods", context=context)[0] == 200
    platform.kubectl("delete", "clusterrolebinding", "ops-view")


def test_a_pod_of_a_missing_account_is_refused_and_a_deployment_tells_it(platform):
    platform.kubectl("create", "namespace", "lost")
    refused = platform.kubectl("run", "p", "--image=local", "-n", "lost", "--overrides", '{"spec":{"serviceAccountName":"nobody"}}', check=False)
    assert 'pods "p" is forbidden: error looking up service account lost/nobody: serviceaccount "nobody" not found' in refused.stderr
    platform.apply({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "namespace": "lost"},
                    "spec": {"selector": {"matchLabels": {"a": "d"}}, "template": {
                        "metadata": {"labels": {"a": "d"}},
                        "spec": {"serviceAccountName": "nobody", "containers": [{"name": "c", "image": "local"}]}}}})
    wait_for(lambda: any(e["reason"] == "FailedCreate" and "error looking up service account" in e["message"]
                         for e in platform.get("events", "-n", "lost")["items"]), "FailedCreate event")


def test_the_audit_log_tells_who_did_what(start_platform, tmp_path):
    log = tmp_path / "audit.log"
    platform = start_platform("--no-node", "--audit-log", str(log), "--token-file", str(tokens(tmp_path)))
    platform.kubectl("create", "secret", "generic", "s", "--from-literal=k=TOP-SECRET-VALUE")
    assert api(platform, "/api/v1/namespaces/default/secrets/s", "dave-token")[0] == 403
    text = log.read_text()
    events = [json.loads(line) for line in text.splitlines()]
    assert any(e["verb"] == "create" and e["objectRef"].get("resource") == "secrets" and e["user"]["username"] == "kubernetes-admin"
               and e["responseStatus"]["code"] == 201 for e in events)
    assert any(e["user"].get("username") == "dave" and e["user"]["groups"] == ["dev", "system:authenticated"]
               and e["annotations"]["authorization.k8s.io/decision"] == "forbid" for e in events)
    assert "TOP-SECRET-VALUE" not in text and "dave-token" not in text
    assert log.stat().st_mode & 0o777 == 0o600


def test_an_audit_policy_says_how_much_of_which_request_is_told(start_platform, tmp_path):
    log, policy = tmp_path / "audit.log", tmp_path / "policy.yaml"
    policy.write_text("""
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: Metadata, resources: [{group: "", resources: [secrets]}]}
- {level: RequestResponse, omitManagedFields: true, verbs: [create], resources: [{group: "", resources: [configmaps]}]}
- {level: None}
""")
    platform = start_platform("--no-node", "--audit-log", str(log), "--audit-policy-file", str(policy))
    platform.kubectl("create", "secret", "generic", "s", "--from-literal=k=TOP-SECRET-VALUE")
    platform.kubectl("create", "configmap", "c", "--from-literal=k=v")
    platform.kubectl("get", "pods")
    events = [json.loads(line) for line in log.read_text().splitlines()]
    assert {(e["level"], e["objectRef"]["resource"]) for e in events} == {("Metadata", "secrets"), ("RequestResponse", "configmaps")}
    told = next(e for e in events if e["objectRef"]["resource"] == "configmaps")
    assert told["requestObject"]["data"] == told["responseObject"]["data"] == {"k": "v"}
    assert "managedFields" not in told["responseObject"]["metadata"] and "TOP-SECRET-VALUE" not in log.read_text()


def tokens(folder):
    file = folder / "tokens.csv"
    file.write_text('dave-token,dave,42,"dev"\n')
    return file


@pytest.mark.parametrize("flags, said", [
    (["--token-file", "/nonexistent"], "slipway up: --token-file: cannot read /nonexistent: No such file or directory"),
    (["--audit-policy-file", "/nonexistent"],
     "slipway up: --audit-policy-file needs --audit-log FILE: there is no other place for the events"),
    (["--service-account-signing-key-file", "/dev/null"],
     "slipway up: --service-account-signing-key-file /dev/null: no PEM of an unencrypted RSA or P-256 key"),
    (["--audit-log", "/nonexistent/a"], "slipway up: audit log /nonexistent/a: No such file or directory; choose another file with --audit-log"),
])
def test_bad_flags_say_so_in_one_line(tmp_path, flags, said):
    from conftest import BIN
    done = subprocess.run([BIN, "up", "--data-dir", str(tmp_path / "d"), "--api-port", "0", "--gateway-port", "0", *flags],
                          capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1] == said
