// Which runtime serves a model: KServe's rules exactly, with messages that say what was considered. Pure.
//
//   tl::expected<RuntimeChoice, SpecFault> choice = selectRuntime(isvc, catalog);
#pragma once
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "data/json.h"

namespace slipway::isvc {

// The runtimes that a service can use.
struct RuntimeCatalog {
  std::vector<Json> namespaced;  // ServingRuntimes of the service's namespace
  std::vector<Json> cluster;     // ClusterServingRuntimes
};

struct RuntimeChoice {
  Json runtime;
  bool cluster = false;
};

// Why a spec cannot be served; becomes modelStatus.lastFailureInfo and an event.
struct SpecFault {
  std::string reason;        // NoSupportingRuntime, RuntimeNotRecognized, RuntimeDisabled, InvalidPredictorSpec
  std::string message;       // for lastFailureInfo: KServe's sentence, then the details
  std::string event;         // for the event
  std::string runtime = {};  // chosen before the fault was found; empty if none
  bool clusterRuntime = false;
};

// The runtime that model.runtime names, else the best automatic match. `isvc` has spec.predictor.model.
tl::expected<RuntimeChoice, SpecFault> selectRuntime(const Json& isvc, const RuntimeCatalog& catalog);

// mlserver, tritonserver, torchserve …: the annotation server-type, else read off the runtime's name.
std::string serverType(const Json& runtime);

}  // namespace slipway::isvc
