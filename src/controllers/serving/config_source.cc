#include "controllers/serving/config_source.h"

#include "base/log.h"
#include "objects/serving/keys.h"

namespace slipway::isvc {

ConfigSource::ConfigSource(kube::Cache& cache, std::string systemNamespace)
    : configMaps_(cache.of(kinds::kConfigMap)), namespace_(std::move(systemNamespace)) {}

const ServingConfig& ConfigSource::current() {
  kube::Object object = configMaps_.get({namespace_, std::string(kConfigMapName)});
  if (object == seen_) return config_;
  seen_ = object;
  if (!object) {
    config_ = ServingConfig();
    return config_;
  }
  Result<ServingConfig> parsed = parseServingConfig(*object);
  if (parsed) {
    config_ = std::move(*parsed);
  } else {
    logError("{}; the configuration before this edit stays in force", parsed.error().message);
  }
  return config_;
}

}  // namespace slipway::isvc
