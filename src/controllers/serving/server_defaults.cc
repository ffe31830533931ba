#include "controllers/serving/server_defaults.h"

#include "objects/serving/keys.h"

namespace slipway::isvc {

namespace {

std::string mlserverClass(const std::string& format) {
  if (format == "xgboost") return "mlserver_xgboost.XGBoostModel";
  if (format == "lightgbm") return "mlserver_lightgbm.LightGBMModel";
  if (format == "mlflow") return "mlserver_mlflow.MLflowRuntime";
  return "mlserver_sklearn.SKLearnModel";
}

}  // namespace

void ServerDefaults::applyTo(Json& container) const {
  for (const auto& [name, value] : env) {
    Json& list = container["env"];
    if (!list.is_array()) list = Json::array();
    bool there = std::any_of(list.begin(), list.end(), [&](const Json& entry) { return textAt(entry, "name") == name; });
    if (!there) list.push_back({{"name", name}, {"value", value}});
  }
  for (const std::string& arg : args) {
    Json& list = container["args"];
    if (!list.is_array()) list = Json::array();
    if (std::find(list.begin(), list.end(), Json(arg)) == list.end()) list.push_back(arg);
  }
}

ServerDefaults serverDefaults(const Json& isvc, const std::string& serverType) {
  const Json& predictor = componentSpec(isvc, Component::Predictor);
  const Json& model = at(predictor, "model");
  std::string protocol = textAt(model, "protocolVersion");
  bool hasStorage = at(model, "storageUri").is_string() || at(model, "storage").is_object();
  ServerDefaults out;
  if (serverType == "mlserver") {
    if (hasStorage) {
      out.env = {{"MLSERVER_MODEL_NAME", nameOf(isvc)}, {"MLSERVER_MODEL_URI", std::string(kModelDir)}};
    } else {
      out.env = {{"MLSERVER_LOAD_MODELS_AT_STARTUP", "false"}};
    }
    out.labels["modelClass"] = mlserverClass(textAt(at(model, "modelFormat"), "name"));
  } else if (serverType == "torchserve") {
    if (protocol.empty()) protocol = "v1";
    out.env = {{"PROTOCOL_VERSION", protocol}};
    out.labels["serviceEnvelope"] = protocol == "v1" ? "kserve" : "kservev2";
  } else if (serverType == "tritonserver" && !hasStorage) {
    out.args = {"--model-control-mode=explicit"};
  }
  for (auto it = out.labels.begin(); it != out.labels.end();) {
    bool set = at(isvc, "metadata", "labels").is_object() && at(isvc, "metadata", "labels").contains(it->first);
    it = set ? out.labels.erase(it) : std::next(it);
  }
  return out;
}

}  // namespace slipway::isvc
