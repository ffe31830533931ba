#include "apiserver/builtin_admission.h"

#include "apiserver/api_status.h"
#include "apiserver/rbac.h"

namespace slipway::apiserver {
namespace {

// A new pod runs as a ServiceAccount that exists, and takes over its pull secrets. The account `default` is made by the
// server a moment after the namespace: a pod that comes in between is not refused for it.
Status useAccount(const AdmissionRequest& request, Json& pod) {
  if (request.operation != Operation::Create || !request.subresource.empty()) return {};
  const std::string name = textAt(at(pod, "spec"), "serviceAccountName", "default");
  const Json account = request.find("v1", "ServiceAccount", request.ns, name);
  if (account.is_null() && name == "default") return {};
  if (account.is_null()) {
    return forbidden(
        request.resource, textAt(at(pod, "metadata"), "name"),
        fmt::format("error looking up service account {}/{}: serviceaccount \"{}\" not found", request.ns, name, name));
  }
  const Json& secrets = at(account, "imagePullSecrets");
  if (!secrets.empty() && at(pod, "spec", "imagePullSecrets").empty()) pod["spec"]["imagePullSecrets"] = secrets;
  return {};
}

}  // namespace

std::vector<Admission> builtinAdmissions() {
  Admission pods{.group = "", .kind = "Pod"};
  pods.mutate = useAccount;
  return {std::move(pods), rbac::escalationCheck()};
}

}  // namespace slipway::apiserver
