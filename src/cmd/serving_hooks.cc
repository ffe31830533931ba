#include "cmd/serving_hooks.h"

#include "base/log.h"
#include "controllers/serving/pod_admission.h"
#include "objects/serving/admission.h"
#include "objects/serving/keys.h"

namespace slipway::cmd {
namespace {

using apiserver::Admission;
using apiserver::AdmissionRequest;
using apiserver::Operation;

constexpr const char* kGroup = "serving.kserve.io";

// The configuration as the write's own transaction sees it, parsed again only when the ConfigMap has changed. A broken edit
// keeps the last good one. Used on the store's writer thread only.
class ConfigReader {
 public:
  isvc::ServingConfig read(const AdmissionRequest& request) {
    const Json map = request.find("v1", "ConfigMap", std::string(isvc::kSystemNamespace), std::string(isvc::kConfigMapName));
    const std::string version = textAt(at(map, "metadata"), "resourceVersion");
    if (version != version_) {
      version_ = version;
      auto parsed = isvc::parseServingConfig(map);
      if (parsed)
        config_ = std::move(*parsed);
      else
        logWarn("{}; the last good configuration stays in force", parsed.error().message);
    }
    return config_;
  }

 private:
  std::string version_ = "none yet";
  isvc::ServingConfig config_;
};

Kind kindOf(const Resource& r) { return Kind{r.group, r.version, r.kind, r.plural, r.namespaced}; }

isvc::CredentialFacts factsFor(const AdmissionRequest& request, const Json& pod, const isvc::ServingConfig& config) {
  isvc::CredentialFacts facts;
  const std::string account = textAt(at(pod, "spec"), "serviceAccountName", "default");
  facts.serviceAccount = request.find("v1", "ServiceAccount", request.ns, account);
  for (const std::string& name : isvc::credentialSecrets(pod, facts.serviceAccount, config)) {
    Json secret = request.find("v1", "Secret", request.ns, name);
    if (!secret.is_null()) facts.secrets[name] = std::move(secret);
  }
  return facts;
}

}  // namespace

std::vector<Admission> servingHooks(isvc::BuildOptions build) {
  auto config = std::make_shared<ConfigReader>();
  Admission kinds{.group = kGroup, .kind = "*"};
  kinds.mutate = [config](const AdmissionRequest& request, Json& object) -> Status {
    if (request.subresource.empty()) isvc::defaultServingObject(kindOf(request.resource), object, config->read(request));
    return {};
  };
  kinds.validate = [config](const AdmissionRequest& request, const Json& object) -> Status {
    if (request.operation == Operation::Delete || !request.subresource.empty()) return {};
    std::vector<Json> siblings;
    if (request.list) siblings = request.list(request.resource.apiVersion(), request.resource.kind, request.ns);
    return isvc::validateServingObject(kindOf(request.resource), object, request.old, siblings, config->read(request));
  };
  Admission pods{.group = "", .kind = "Pod"};
  pods.mutate = [config, build](const AdmissionRequest& request, Json& pod) -> Status {
    if (request.operation != Operation::Create || !isvc::isServingPod(pod)) return {};
    const isvc::ServingConfig current = config->read(request);
    return isvc::admitServingPod(pod, factsFor(request, pod, current), current, build);
  };
  return {std::move(kinds), std::move(pods)};
}

}  // namespace slipway::cmd
