// ConfigSource: the ServingConfig as the ConfigMap in the cache has it now. A broken edit is logged once and the last good
// configuration stays in force. Used from the cache's executor.
#pragma once
#include <string>

#include "kube/informer.h"
#include "objects/serving/config.h"

namespace slipway::isvc {

class ConfigSource {
 public:
  // `systemNamespace`: where inferenceservice-config is; without it KServe's defaults and ours hold.
  ConfigSource(kube::Cache& cache, std::string systemNamespace);
  // Parsed again only when the object has changed.
  const ServingConfig& current();

 private:
  kube::Informer& configMaps_;
  std::string namespace_;
  kube::Object seen_;
  ServingConfig config_;
};

}  // namespace slipway::isvc
