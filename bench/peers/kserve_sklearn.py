"""The peer of the model-server benchmark: KServe's Python server with a scikit-learn model, as its sklearnserver does it.

    kserve_sklearn.py MODEL.joblib PORT GRPC_PORT
"""
import sys

import joblib
import kserve
from kserve.utils.utils import get_predict_input, get_predict_response


class Sklearn(kserve.Model):
    def __init__(self, name, path):
        super().__init__(name)
        self.model = joblib.load(path)
        self.ready = True

    def predict(self, payload, headers=None):
        return get_predict_response(payload, self.model.predict(get_predict_input(payload)), self.name)


if __name__ == "__main__":
    path, port, grpc_port = sys.argv[1:4]
    sys.argv = [sys.argv[0], "--http_port", port, "--grpc_port", grpc_port, "--workers", "1"]
    kserve.ModelServer(http_port=int(port), grpc_port=int(grpc_port), workers=1).start([Sklearn("iris", path)])
