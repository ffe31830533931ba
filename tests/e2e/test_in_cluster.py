"""A program in a pod reaches the API as on a cluster: token, CA and namespace in their folder, the address in its environment."""
import base64
import json
import sys

import pytest
from conftest import wait_for

FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount"
CLIENT = """
import kubernetes
kubernetes.config.load_incluster_config()
pods = kubernetes.client.CoreV1Api().list_namespaced_pod(open("/var/run/secrets/kubernetes.io/serviceaccount/namespace").read())
print("pods:", sorted(p.metadata.name for p in pods.items))
"""


def pod(name, command, **spec):
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
                       "spec": {"terminationGracePeriodSeconds": 1, "restartPolicy": "Never", **spec,
                                "containers": [{"name": "main", "image": "local", "command": command}]}})


def log_of(platform, ns, name):
    """What the pod said, when it has ended well."""
    def ended():
        return platform.get("pod", name, "-n", ns).get("status", {}).get("phase") in ("Succeeded", "Failed")
    wait_for(ended, f"the end of pod {name}", 60)
    said = platform.kubectl("logs", name, "-n", ns).stdout
    assert platform.get("pod", name, "-n", ns)["status"]["phase"] == "Succeeded", said
    return said


def test_the_python_client_and_curl_work_inside_a_pod(platform):
    pytest.importorskip("kubernetes", reason="the Python package kubernetes is not installed (PyPI)")
    platform.kubectl("create", "namespace", "inside")
    platform.kubectl("create", "rolebinding", "read", "--clusterrole=view", "--serviceaccount=inside:default", "-n", "inside")
    platform.kubectl("create", "-n", "inside", "-f", "-", stdin=pod("py", [sys.executable, "-c", CLIENT]))
    assert "pods: ['py']" in log_of(platform, "inside", "py")
    ask = (f'curl -sS --cacert {FOLDER}/ca.crt -H "Authorization: Bearer $(cat {FOLDER}/token)" '
           f'https://$KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT/api/v1/namespaces/$(cat {FOLDER}/namespace)/pods/curl')
    platform.kubectl("create", "-n", "inside", "-f", "-", stdin=pod("curl", ["/bin/sh", "-c", ask]))
    assert json.loads(log_of(platform, "inside", "curl"))["metadata"]["name"] == "curl"


def test_a_pod_may_do_without_and_needs_an_account_that_exists(platform):
    platform.kubectl("create", "-f", "-", stdin=pod("without", ["/bin/sh", "-c", f"ls {FOLDER} 2>&1 || true"],
                                                    automountServiceAccountToken=False))
    assert "No such file or directory" in log_of(platform, "default", "without")
    assert "volumes" not in platform.get("pod", "without")["spec"]
    refused = platform.kubectl("create", "-f", "-", stdin=pod("p", ["true"], serviceAccountName="nobody"), check=False)
    assert refused.stderr.startswith('Error from server (Forbidden): error when creating "STDIN": pods "p" is forbidden: error '
                                     'looking up service account default/nobody: serviceaccount "nobody" not found')


def part(token, index):
    text = token.split(".")[index]
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def number(text):
    return int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), "big")


def verify(token, key):
    """Raises when `key`, a JSON Web Key, has not signed the token."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
    text, signature = token.rsplit(".", 1)[0].encode(), part(token, 2)
    if key["kty"] == "EC":
        public = ec.EllipticCurvePublicNumbers(number(key["x"]), number(key["y"]), ec.SECP256R1()).public_key()
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        public.verify(utils.encode_dss_signature(r, s), text, ec.ECDSA(hashes.SHA256()))
    else:
        public = rsa.RSAPublicNumbers(number(key["e"]), number(key["n"])).public_key()
        public.verify(signature, text, padding.PKCS1v15(), hashes.SHA256())


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
def test_others_verify_tokens_with_the_published_keys(start_platform, tmp_path, algorithm):
    pytest.importorskip("cryptography", reason="the Python package cryptography is not installed (PyPI)")
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    flags = []
    if algorithm == "RS256":
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        file = tmp_path / "sa.key"
        file.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL,
                                           serialization.NoEncryption()))
        flags = ["--service-account-signing-key-file", str(file)]
    platform = start_platform(*flags)
    token = platform.kubectl("create", "token", "default").stdout.strip()
    header = json.loads(part(token, 0))
    known = json.loads(platform.kubectl("get", "--raw", "/openid/v1/jwks").stdout)["keys"]
    assert header == {"alg": algorithm, "kid": known[0]["kid"]}
    verify(token, known[0])
    with pytest.raises(InvalidSignature):
        verify(token[:20] + ("A" if token[20] != "A" else "B") + token[21:], known[0])
    issuer = json.loads(platform.kubectl("get", "--raw", "/.well-known/openid-configuration").stdout)
    assert issuer["issuer"] == json.loads(part(token, 1))["iss"]
    assert issuer["jwks_uri"] == platform.api_url + "/openid/v1/jwks"
    if algorithm == "ES256":
        assert (platform.data_dir / "pki/service-account.key").stat().st_mode & 0o777 == 0o600
        platform.stop()
        platform.start()
        can = platform.kubectl("--token", token, "auth", "can-i", "--list")
        assert "selfsubjectaccessreviews" in can.stdout, "tokens outlive a restart"
