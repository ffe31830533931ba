// Objects for tests of the serving controller: the smallest that mean something.
#pragma once
#include "controllers/serving/select.h"
#include "data/json.h"

namespace slipway::isvc::testing {

inline Json parsed(const char* text) { return Json::parse(text); }

// An InferenceService `iris` in `models`, format sklearn, defaulted as the API server would.
inline Json sampleService() {
  return parsed(R"({
    "apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService",
    "metadata": {"name": "iris", "namespace": "models", "uid": "u-iris", "generation": 1,
                 "annotations": {"serving.kserve.io/deploymentMode": "Standard", "modelFormat": "sklearn"}},
    "spec": {"predictor": {"model": {"modelFormat": {"name": "sklearn"}, "name": "", "resources": {},
                                     "storageUri": "s3://models/iris"}}}})");
}

inline Json sampleRuntime(const char* name, const char* format, const char* version, const char* protocol, int priority) {
  Json runtime = parsed(R"({
    "apiVersion": "serving.kserve.io/v1alpha1", "kind": "ClusterServingRuntime",
    "spec": {"containers": [{"name": "kserve-container", "image": "kserve/server:latest",
                             "args": ["--model_name={{.Name}}", "--model_dir=/mnt/models"]}]}})");
  runtime["metadata"] = {{"name", name}};
  Json entry = {{"name", format}, {"version", version}, {"autoSelect", true}, {"priority", priority}};
  runtime["spec"]["supportedModelFormats"] = Json::array();
  runtime["spec"]["supportedModelFormats"].push_back(entry);
  runtime["spec"]["protocolVersions"] = Json::array();
  runtime["spec"]["protocolVersions"].push_back(protocol);
  return runtime;
}

// kserve-sklearnserver (sklearn 1, v1, priority 1) and kserve-mlserver (sklearn 1, v2, priority 2), both cluster-wide.
inline RuntimeCatalog sampleCatalog() {
  RuntimeCatalog catalog;
  catalog.cluster.push_back(sampleRuntime("kserve-sklearnserver", "sklearn", "1", "v1", 1));
  catalog.cluster.push_back(sampleRuntime("kserve-mlserver", "sklearn", "1", "v2", 2));
  return catalog;
}

}  // namespace slipway::isvc::testing
