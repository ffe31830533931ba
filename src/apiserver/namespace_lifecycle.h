// NamespaceLifecycle: gives every namespace its `default` ServiceAccount (and the ConfigMap with the cluster's CA), and
// empties a namespace that is being deleted before it goes. Event driven; lives on the control executor.
#pragma once
#include "apiserver/registry.h"
#include "apiserver/work_set.h"
#include "base/scope.h"

namespace slipway::apiserver {

class NamespaceLifecycle {
 public:
  // caPem: put into ConfigMap kube-root-ca.crt of each namespace; empty: no ConfigMap.
  // retry: the pause before another attempt at what failed.
  NamespaceLifecycle(Registry& registry, Executor executor, std::string caPem,
                     std::chrono::milliseconds retry = std::chrono::seconds(1));
  Task<void> run();
  bool idle() const { return work_.idle(); }

 private:
  void onBatch(const Store::Batch& batch);
  Task<void> process(std::string name);
  Task<void> furnish(std::string name);
  Task<void> empty(std::string name);
  Task<void> finalize(std::string name);
  void retryLater(const std::string& name, const std::string& what, const Error& error);
  WriteContext context(const Resource* resource, const std::string& ns, const std::string& name) const;

  Registry& registry_;
  WorkSet<std::string> work_;
  std::string caPem_;
  std::chrono::milliseconds retry_;
  std::vector<const Resource*> namespaced_;
};

}  // namespace slipway::apiserver
