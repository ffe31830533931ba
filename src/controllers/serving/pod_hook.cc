#include "controllers/serving/pod_hook.h"

#include "objects/serving/view.h"

namespace slipway::isvc {

Task<Result<Json>> admitPod(kube::Client* client, Json pod, ServingConfig config, BuildOptions options) {
  if (!isServingPod(pod)) co_return pod;
  CredentialFacts facts;
  std::string ns = namespaceOf(pod);
  std::string account = textAt(at(pod, "spec"), "serviceAccountName", "default");
  Result<Json> found = co_await client->get(kinds::kServiceAccount, {ns, account});
  if (found) {
    facts.serviceAccount = std::move(*found);
  } else if (found.error().code != Code::NotFound) {
    co_return fail(found.error());
  }
  for (std::string name : credentialSecrets(pod, facts.serviceAccount, config)) {
    Result<Json> secret = co_await client->get(kinds::kSecret, {ns, name});
    if (secret) {
      facts.secrets[name] = std::move(*secret);
    } else if (secret.error().code != Code::NotFound) {
      co_return fail(secret.error());
    }
  }
  Status admitted = admitServingPod(pod, facts, config, options);
  if (!admitted) co_return fail(admitted.error());
  co_return pod;
}

}  // namespace slipway::isvc
