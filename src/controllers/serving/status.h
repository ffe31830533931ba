// The status of an InferenceService from what is seen of it: conditions and their transitions, model state, URLs. Pure: the
// same inputs give the same text, except times, which change only with what they date.
#pragma once
#include <string>
#include <vector>

#include "controllers/serving/plan.h"

namespace slipway::isvc {

// What the API shows of a service's children.
struct Observation {
  std::map<std::string, Json> deployments;  // by name; absent: not created yet
  std::vector<Json> predictorPods;          // any order; those being deleted too
};

// Each starts from the status that `isvc` carries. `now`: RFC 3339.
Json servingStatus(const Json& isvc, const Plan& plan, const Observation& seen, const std::string& now);
// `seen`: the children of an earlier, valid spec, which go on serving; empty when there are none.
Json invalidSpecStatus(const Json& isvc, const SpecFault& fault, const Observation& seen, const std::string& now);
// A child could not be written; `message` is the API server's.
Json reconcileFailedStatus(const Json& isvc, const Plan& plan, const std::string& message, const std::string& now);
Json stoppedStatus(const Json& isvc, const std::string& now);

// Whether every component's Deployment is available.
bool componentsReady(const Plan& plan, const Observation& seen);

struct EventText {
  std::string type, reason, message;  // type: Normal or Warning
};
// InferenceServiceReady and InferenceServiceNotReady, when readiness changed between two statuses.
std::vector<EventText> readinessEvents(const Json& isvc, const Json& before, const Json& after);

// status.conditions[type], or null.
const Json& conditionOf(const Json& status, std::string_view type);
bool isReady(const Json& status);

}  // namespace slipway::isvc
