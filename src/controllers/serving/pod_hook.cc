#include "controllers/serving/pod_hook.h"

#include "objects/serving/view.h"

namespace slipway::isvc {

Status admitPod(Json& pod, const FindObject& find, const BuildOptions& options) {
  if (!isServingPod(pod)) return {};
  ServingConfig config = findServingConfig(find);
  CredentialFacts facts;
  std::string ns = namespaceOf(pod);
  facts.serviceAccount = find("v1", "ServiceAccount", ns, textAt(at(pod, "spec"), "serviceAccountName", "default"));
  for (const std::string& name : credentialSecrets(pod, facts.serviceAccount, config)) {
    Json secret = find("v1", "Secret", ns, name);
    if (secret.is_object()) facts.secrets[name] = std::move(secret);
  }
  return admitServingPod(pod, facts, config, options);
}

}  // namespace slipway::isvc
