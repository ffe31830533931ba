// startWorkloads: what kube-controller-manager and kube-scheduler do on a cluster, for the standalone platform: Deployments,
// ReplicaSets, endpoints, volume claims, scheduling and pod clean-up. On a cluster none of this runs.
// ServiceAccounts, namespaces, cluster IPs and owner garbage collection are the embedded API server's.
//
//   Workloads w = startWorkloads({client, cache, clock, scope, pool, dataDir / "volumes"});
#pragma once
#include <filesystem>

#include "base/offload.h"
#include "kube/controller.h"

namespace slipway::workloads {

struct WorkloadDeps {
  kube::Client& client;
  kube::Cache& cache;  // shared with the other controllers of the process
  Clock& clock;
  TaskScope& scope;               // everything runs here, on its executor, until it is cancelled
  BlockingPool& pool;             // for making and deleting volume folders
  std::filesystem::path volumes;  // where local volumes live: <volumes>/<namespace>/<claim>
};

struct WorkloadOptions {
  std::size_t concurrency = 5;  // keys of one controller worked on at once
  std::size_t keepFinishedPods = 1000;
};

struct Workloads {
  std::vector<std::shared_ptr<kube::Controller>> controllers;
  // True when no controller has anything to do now: tests wait for this.
  bool idle() const;
};

// All deps must outlive the scope's tasks.
Workloads startWorkloads(WorkloadDeps deps, WorkloadOptions options = {});

}  // namespace slipway::workloads
