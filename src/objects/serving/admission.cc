#include "objects/serving/admission.h"

#include "objects/serving/defaults.h"
#include "objects/serving/validate.h"
#include "objects/serving/view.h"

namespace slipway::isvc {

namespace {

std::string_view webhookName(const Kind& kind) {
  if (kind == kinds::kInferenceService) return "inferenceservice.kserve-webhook-server.validator";
  if (kind == kinds::kServingRuntime) return "servingruntime.kserve-webhook-server.validator";
  if (kind == kinds::kClusterServingRuntime) return "clusterservingruntime.kserve-webhook-server.validator";
  if (kind == kinds::kTrainedModel) return "trainedmodel.kserve-webhook-server.validator";
  if (kind == kinds::kInferenceGraph) return "inferencegraph.kserve-webhook-server.validator";
  return "";
}

Status validate(const Kind& kind, const Json& object, const Json* old, const std::vector<Json>& siblings,
                const ServingConfig& config) {
  if (kind == kinds::kInferenceService) return validateInferenceService(object, old, config);
  if (kind == kinds::kTrainedModel) return validateTrainedModel(object, old);
  if (kind == kinds::kInferenceGraph) return validateInferenceGraph(object);
  return validateRuntime(object, old, siblings);
}

}  // namespace

bool hasServingAdmission(const Kind& kind) { return !webhookName(kind).empty(); }

void defaultServingObject(const Kind& kind, Json& object, const ServingConfig& config) {
  if (kind == kinds::kInferenceService) defaultInferenceService(object, config);
}

Status validateServingObject(const Kind& kind, const Json& object, const Json* old, const std::vector<Json>& siblings,
                             const ServingConfig& config) {
  if (!hasServingAdmission(kind)) return {};
  // An object on its way out must not be held back by a rule that is newer than itself.
  if (at(object, "metadata", "deletionTimestamp").is_string()) return {};
  Status ok = validate(kind, object, old, siblings, config);
  if (ok) return ok;
  Error error = ok.error();
  if (error.code == Code::Forbidden) {
    error.message = "admission webhook \"" + std::string(webhookName(kind)) + "\" denied the request: " + error.message;
  } else {
    error.message =
        std::string(kind.kind) + "." + std::string(kind.group) + " \"" + nameOf(object) + "\" is invalid: " + error.message;
  }
  return fail(std::move(error));
}

}  // namespace slipway::isvc
