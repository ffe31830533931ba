"""The API without a client library: bodies and headers as they go over the wire."""
import http.client
import json
import ssl
import urllib.parse

import yaml


class Answer:
    def __init__(self, response, body):
        self.status, self.headers, self.body = response.status, response.headers, body

    @property
    def json(self):
        return json.loads(self.body)


class RawApi:
    """Requests as the administrator of a platform's kubeconfig. Paths under `ns` are in the namespace of this object."""

    def __init__(self, platform, namespace):
        config = yaml.safe_load(open(platform.kubeconfig))
        self.url = urllib.parse.urlsplit(config["clusters"][0]["cluster"]["server"])
        self.token = config["users"][0]["user"]["token"]
        self.namespace = namespace
        self.ns = f"/api/v1/namespaces/{namespace}"

    def connection(self, timeout=30):
        context = ssl._create_unverified_context()
        return http.client.HTTPSConnection(self.url.hostname, self.url.port, context=context, timeout=timeout)

    def call(self, method, path, body=None, content_type="application/json", **headers):
        """Header names are written with underscores; content_type=None sends none."""
        if body is not None and not isinstance(body, (str, bytes)):
            body = json.dumps(body)
        sent = {"Authorization": "Bearer " + self.token, **{k.replace("_", "-"): v for k, v in headers.items()}}
        if body is not None and content_type:
            sent["Content-Type"] = content_type
        connection = self.connection()
        try:
            connection.request(method, path, body=body.encode() if isinstance(body, str) else body, headers=sent)
            response = connection.getresponse()
            return Answer(response, response.read())
        finally:
            connection.close()

    def watch(self, query, accept="application/json", path=None):
        """All events until the server ends the stream: give timeoutSeconds in `query`."""
        answer = self.call("GET", f"{path or self.ns + '/configmaps'}?watch=true&{query}", Accept=accept)
        if answer.status != 200:
            return answer
        return [json.loads(line) for line in answer.body.splitlines() if line]
