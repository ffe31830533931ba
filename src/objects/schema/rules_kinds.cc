#include "data/selectors.h"
#include "objects/schema/names.h"
#include "objects/schema/rules.h"

namespace slipway::schema {
namespace {

constexpr std::size_t kMaxSecretBytes = 1024 * 1024;

void notNegative(const Json& spec, const char* name, Findings& findings) {
  if (intAt(spec, name) < 0)
    findings.invalid(std::string("spec.") + name, at(spec, name), "must be greater than or equal to 0");
}

void checkTemplate(const Json& spec, bool deployment, Findings& findings) {
  const Json& pod = at(spec, "template");
  const Json& labels = at(pod, "metadata", "labels");
  const Json& selector = at(spec, "selector");
  checkLabels(labels, "spec.template.metadata.labels", findings);
  if (selector.is_object()) {
    checkSelector(selector, "spec.selector", findings);
    if (selector.empty())
      findings.invalid(
          "spec.selector", selector,
          deployment ? "empty selector is invalid for deployment" : "empty selector is invalid for statefulset");
    else if (pod.is_object() && !labelSelectorMatches(selector, labels)) {
      findings.invalid("spec.template.metadata.labels", labels.is_null() ? Json::object() : labels,
                       "`selector` does not match template `labels`");
    }
  }
  if (!at(pod, "spec").is_object()) return;
  std::set<std::string> claims;
  for (const Json& claim : at(spec, "volumeClaimTemplates")) claims.insert(textAt(at(claim, "metadata"), "name"));
  checkPodSpec(at(pod, "spec"), "spec.template.spec", claims, findings);
  if (const std::string policy = textAt(at(pod, "spec"), "restartPolicy", "Always"); policy != "Always") {
    findings.notSupported("spec.template.spec.restartPolicy", policy, {"Always"});
  }
}

// A count or a percentage such as 25%.
void checkSurge(const Json& update, const char* name, Findings& findings) {
  const Json& value = at(update, name);
  const std::string field = std::string("spec.strategy.rollingUpdate.") + name;
  if (value.is_number_integer() && value.get<std::int64_t>() < 0)
    findings.invalid(field, value, "must be greater than or equal to 0");
  if (!value.is_string()) return;
  const std::string& text = value.get_ref<const std::string&>();
  const bool percent = text.size() > 1 && text.back() == '%' &&
                       std::all_of(text.begin(), text.end() - 1, [](unsigned char c) { return std::isdigit(c); });
  if (!percent)
    findings.invalid(field, value,
                     "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', "
                     "regex used for validation is '[0-9]+%')");
}

bool isZero(const Json& value) {
  return value.is_string() ? value.get_ref<const std::string&>().find_first_not_of("0%") == std::string::npos : value == 0;
}

void checkDeployment(const Json& object, Findings& findings) {
  const Json& spec = at(object, "spec");
  checkTemplate(spec, true, findings);
  for (const char* name : {"replicas", "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"})
    notNegative(spec, name, findings);
  const Json& strategy = at(spec, "strategy");
  const Json& update = at(strategy, "rollingUpdate");
  const std::string type = textAt(strategy, "type", "RollingUpdate");
  if (type == "Recreate") {
    if (!update.is_null())
      findings.forbidden("spec.strategy.rollingUpdate", "may not be specified when strategy `type` is 'Recreate'");
  } else if (type == "RollingUpdate") {
    checkSurge(update, "maxUnavailable", findings);
    checkSurge(update, "maxSurge", findings);
    if (!at(update, "maxUnavailable").is_null() && isZero(at(update, "maxUnavailable")) && isZero(at(update, "maxSurge"))) {
      findings.invalid("spec.strategy.rollingUpdate.maxUnavailable", at(update, "maxUnavailable"),
                       "may not be 0 when `maxSurge` is 0");
    }
  } else {
    findings.notSupported("spec.strategy.type", type, {"Recreate", "RollingUpdate"});
  }
}

void checkReplicas(const Json& object, Findings& findings) {
  checkTemplate(at(object, "spec"), false, findings);
  for (const char* name : {"replicas", "minReadySeconds"}) notNegative(at(object, "spec"), name, findings);
}

void checkPod(const Json& object, Findings& findings) {
  if (at(object, "spec").is_object()) checkPodSpec(at(object, "spec"), "spec", {}, findings);
}

void checkData(const Json& object, const char* kind, Findings& findings) {
  std::size_t total = 0;
  for (const char* map : {"data", "binaryData"}) {
    if (!at(object, map).is_object()) continue;
    for (const auto& [key, value] : at(object, map).items()) {
      findings.check(fmt::format("{}[{}]", map, key), key, names::configKey(key));
      total += value.is_string() ? value.get_ref<const std::string&>().size() : 0;
    }
  }
  if (total > (std::string_view(kind) == "Secret" ? kMaxSecretBytes * 4 / 3 : kMaxSecretBytes))
    findings.tooLong(std::string_view(kind) == "Secret" ? "data" : "", kMaxSecretBytes);
}

void checkSecret(const Json& object, Findings& findings) {
  checkData(object, "Secret", findings);
  const std::string type = textAt(object, "type");
  const std::pair<const char*, std::vector<const char*>> kNeeds[] = {
      {"kubernetes.io/tls", {"tls.crt", "tls.key"}},
      {"kubernetes.io/dockerconfigjson", {".dockerconfigjson"}},
      {"kubernetes.io/ssh-auth", {"ssh-privatekey"}}};
  for (const auto& [name, keys] : kNeeds) {
    if (type != name) continue;
    for (const char* key : keys) {
      if (at(object, "data", key).is_null()) findings.required(fmt::format("data[{}]", key));
    }
  }
}

void checkConfigMap(const Json& object, Findings& findings) {
  checkData(object, "ConfigMap", findings);
  if (!at(object, "data").is_object()) return;
  for (const auto& [key, value] : at(object, "data").items()) {
    if (!at(object, "binaryData", key).is_null())
      findings.invalid(fmt::format("data[{}]", key), key, "duplicate of key present in binaryData");
  }
}

void checkScaler(const Json& object, Findings& findings) {
  const Json& spec = at(object, "spec");
  const std::int64_t least = intAt(spec, "minReplicas", 1);
  const std::int64_t most = intAt(spec, "maxReplicas");
  if (least < 1) findings.invalid("spec.minReplicas", least, "must be greater than or equal to 1");
  if (most < 1) findings.invalid("spec.maxReplicas", most, "must be greater than 0");
  if (most < least) findings.invalid("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`");
  for (const char* name : {"kind", "name"}) {
    if (textAt(at(spec, "scaleTargetRef"), name).empty()) findings.required(std::string("spec.scaleTargetRef.") + name);
  }
}

void checkClaim(const Json& object, Findings& findings) {
  const Json& spec = at(object, "spec");
  const Json& modes = at(spec, "accessModes");
  if (modes.empty()) findings.required("spec.accessModes", "at least 1 access mode is required");
  const std::vector<std::string_view> kModes{"ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"};
  for (std::size_t i = 0; modes.is_array() && i < modes.size(); ++i) {
    if (std::find(kModes.begin(), kModes.end(), modes[i].is_string() ? modes[i].get<std::string>() : "") == kModes.end())
      findings.notSupported("spec.accessModes", modes[i], kModes);
  }
  if (at(spec, "resources", "requests", "storage").is_null()) findings.required("spec.resources[storage]");
}

void checkVolumeObject(const Json& object, Findings& findings) {
  const Json& spec = at(object, "spec");
  if (at(spec, "accessModes").empty()) findings.required("spec.accessModes");
  if (at(spec, "capacity", "storage").is_null()) findings.required("spec.capacity");
}

void checkBinding(const Json& object, Findings& findings) {
  const Json& role = at(object, "roleRef");
  if (const std::string kind = textAt(role, "kind"); kind != "Role" && kind != "ClusterRole")
    findings.notSupported("roleRef.kind", kind, {"Role", "ClusterRole"});
  if (textAt(role, "name").empty()) findings.required("roleRef.name");
  const Json& subjects = at(object, "subjects");
  for (std::size_t i = 0; subjects.is_array() && i < subjects.size(); ++i) {
    const std::string field = fmt::format("subjects[{}]", i);
    const std::string kind = textAt(subjects[i], "kind");
    if (textAt(subjects[i], "name").empty()) findings.required(field + ".name");
    if (kind == "ServiceAccount" && textAt(subjects[i], "namespace").empty()) findings.required(field + ".namespace");
    if (kind != "ServiceAccount" && kind != "User" && kind != "Group")
      findings.notSupported(field + ".kind", kind, {"ServiceAccount", "User", "Group"});
  }
}

void checkRole(const Json& object, Findings& findings) {
  const Json& list = at(object, "rules");
  for (std::size_t i = 0; list.is_array() && i < list.size(); ++i) {
    if (at(list[i], "verbs").empty())
      findings.required(fmt::format("rules[{}].verbs", i), "verbs must contain at least one value");
    if (!at(list[i], "nonResourceURLs").empty()) continue;
    if (at(list[i], "apiGroups").empty())
      findings.required(fmt::format("rules[{}].apiGroups", i), "resource rules must supply at least one api group");
    if (at(list[i], "resources").empty())
      findings.required(fmt::format("rules[{}].resources", i), "resource rules must supply at least one resource");
  }
}

using Rule = void (*)(const Json&, Findings&);
Rule ruleFor(const Resource& r) {
  static const std::map<std::pair<std::string_view, std::string_view>, Rule> table = {
      {{"", "Pod"}, checkPod},
      {{"", "Service"}, checkService},
      {{"", "Secret"}, checkSecret},
      {{"", "ConfigMap"}, checkConfigMap},
      {{"", "PersistentVolumeClaim"}, checkClaim},
      {{"", "PersistentVolume"}, checkVolumeObject},
      {{"apps", "Deployment"}, checkDeployment},
      {{"apps", "ReplicaSet"}, checkReplicas},
      {{"apps", "StatefulSet"}, checkReplicas},
      {{"autoscaling", "HorizontalPodAutoscaler"}, checkScaler},
      {{"rbac.authorization.k8s.io", "RoleBinding"}, checkBinding},
      {{"rbac.authorization.k8s.io", "ClusterRoleBinding"}, checkBinding},
      {{"rbac.authorization.k8s.io", "Role"}, checkRole},
      {{"rbac.authorization.k8s.io", "ClusterRole"}, checkRole},
  };
  auto it = table.find({r.group, r.kind});
  return it == table.end() ? nullptr : it->second;
}

}  // namespace

void checkKind(const Resource& resource, const Json& object, Findings& findings) {
  if (const Rule rule = ruleFor(resource)) rule(object, findings);
}

}  // namespace slipway::schema
