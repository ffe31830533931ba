// The InferenceService controller: carries out plans (plan.h) and writes statuses (status.h). All decisions are in those
// pure files; this one reads the cache and writes through the client. Lives on the control half's executor.
//
//   auto controller = startServing({client, cache, clock, scope}, {.gateway = {8080}});
//
// It watches InferenceServices, their Deployments, Services, HPAs and pods, the runtimes of both scopes and the ConfigMap,
// so an edit of a runtime or of the configuration reaches every service that it concerns at once (unless the service says
// serving.kserve.io/disable-auto-update). No finalizer is set: children go by owner reference, so a delete always finishes.
#pragma once
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/scope.h"
#include "controllers/serving/plan.h"
#include "kube/controller.h"

namespace slipway::isvc {

struct ServingDeps {
  kube::Client& client;
  kube::Cache& cache;
  Clock& clock;
  TaskScope& scope;  // all of its tasks run here; cancel it to stop
};

struct ServingOptions {
  GatewayAddress gateway;
  BuildOptions build;
  std::string systemNamespace = "kserve";  // where the ConfigMap inferenceservice-config is
  std::size_t concurrency = 4;             // services worked on at once
};

// Starts once the informers have synced. The controller is also owned by its own tasks; the result is for metrics and tests.
std::shared_ptr<kube::Controller> startServing(ServingDeps deps, ServingOptions options);

}  // namespace slipway::isvc
