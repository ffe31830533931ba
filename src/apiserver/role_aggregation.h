// RoleAggregation: keeps the rules of every ClusterRole that has an aggregationRule equal to those of the ClusterRoles that
// it selects, as kube-controller-manager does. Event driven; lives on the control executor.
#pragma once
#include "apiserver/registry.h"
#include "apiserver/work_set.h"

namespace slipway::apiserver {

class RoleAggregation {
 public:
  RoleAggregation(Registry& registry, Executor executor);
  Task<void> run();
  bool idle() const { return work_.idle(); }

 private:
  void enqueueAll();
  Task<void> process(std::string name);

  Registry& registry_;
  WorkSet<std::string> work_;
};

}  // namespace slipway::apiserver
