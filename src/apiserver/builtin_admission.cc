#include "apiserver/builtin_admission.h"

#include "apiserver/api_status.h"
#include "apiserver/rbac.h"
#include "base/ids.h"

namespace slipway::apiserver {
namespace {

constexpr const char* kTokenFolder = "/var/run/secrets/kubernetes.io/serviceaccount";
constexpr const char* kTokenVolume = "kube-api-access-";
constexpr int kTokenSeconds = 3607;  // upstream's number, by which its API server knows such tokens

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

Json tokenVolume(const std::string& name) {
  const Json token{{"serviceAccountToken", {{"expirationSeconds", kTokenSeconds}, {"path", "token"}}}};
  const Json authority{
      {"configMap", {{"name", "kube-root-ca.crt"}, {"items", Json::array({{{"key", "ca.crt"}, {"path", "ca.crt"}}})}}}};
  const Json field{{"path", "namespace"}, {"fieldRef", {{"apiVersion", "v1"}, {"fieldPath", "metadata.namespace"}}}};
  const Json own{{"downwardAPI", {{"items", Json::array({field})}}}};
  return {{"name", name}, {"projected", {{"defaultMode", 0644}, {"sources", Json::array({token, authority, own})}}}};
}

bool wantsToken(const AdmissionRequest& request, const Json& spec) {
  if (const Json& own = at(spec, "automountServiceAccountToken"); own.is_boolean()) return own.get<bool>();
  const Json account = request.find("v1", "ServiceAccount", request.ns, textAt(spec, "serviceAccountName", "default"));
  return boolAt(account, "automountServiceAccountToken", true);
}

// Mounts `volume` in every container that has nothing at the place yet; whether any had not.
bool mountToken(Json& containers, const std::string& volume) {
  bool mounted = false;
  for (Json& container : containers) {
    Json& mounts = container["volumeMounts"];
    if (!mounts.is_array()) mounts = Json::array();
    if (std::any_of(mounts.begin(), mounts.end(), [](const Json& m) { return textAt(m, "mountPath") == kTokenFolder; }))
      continue;
    mounts.push_back({{"name", volume}, {"readOnly", true}, {"mountPath", kTokenFolder}});
    mounted = true;
  }
  return mounted;
}

Status mountAccount(const AdmissionRequest& request, Json& pod) {
  if (request.operation != Operation::Create || !request.subresource.empty()) return {};
  if (!at(pod, "spec").is_object() || !wantsToken(request, pod["spec"])) return {};
  Json& spec = pod["spec"];
  std::string known;
  for (const Json& volume : at(spec, "volumes")) {
    if (textAt(volume, "name").starts_with(kTokenVolume)) known = textAt(volume, "name");
  }
  const std::string name = known.empty() ? kTokenVolume + randomSuffix(5) : known;
  bool mounted = false;
  for (const char* list : {"initContainers", "containers"}) {
    if (at(spec, list).is_array()) mounted = mountToken(spec[list], name) || mounted;
  }
  if (mounted && known.empty()) spec["volumes"].push_back(tokenVolume(name));
  return {};
}

}  // namespace

Admission accountVolumes() {
  Admission pods{.group = "", .kind = "Pod"};
  pods.mutate = mountAccount;
  return pods;
}

std::vector<Admission> builtinAdmissions() {
  Admission pods{.group = "", .kind = "Pod"};
  pods.mutate = useAccount;
  return {std::move(pods), rbac::escalationCheck()};
}

}  // namespace slipway::apiserver
