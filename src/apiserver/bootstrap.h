// The objects that every cluster has: namespaces, the `kubernetes` Service, the cluster roles admin, edit, view and
// cluster-admin. Made when absent, never changed afterwards: a user may edit them.
#pragma once
#include "apiserver/registry.h"

namespace slipway::apiserver {

struct BootstrapOptions {
  std::vector<std::string> namespaces = {"default", "kube-system", "kube-public", "kube-node-lease", "kserve"};
  std::uint16_t apiPort = 6443;  // of the `kubernetes` Service; 0: no such Service
  bool roles = true;
};

Task<Status> bootstrap(Registry& registry, BootstrapOptions options);

}  // namespace slipway::apiserver
