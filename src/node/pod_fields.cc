#include "node/pod_fields.h"

#include <map>

#include "objects/schema/catalog.h"
#include "objects/schema/node_table.h"

namespace slipway::node {
namespace {

using enum FieldColumn;
constexpr std::string_view kDisk = "use persistentVolumeClaim, emptyDir or hostPath";
constexpr std::string_view kLinux = "it is for Windows nodes; remove it";

// By definition, in the order of the alphabet.
const std::vector<FieldRule> kRules = {
    {"Affinity", "nodeAffinity podAffinity podAntiAffinity", Works, "", ""},
    {"AppArmorProfile", "localhostProfile", Refused, "", "AppArmor profiles are not loaded; remove it"},
    {"AppArmorProfile", "type", SomeValues, "RuntimeDefault Unconfined", "AppArmor profiles are not loaded; remove it"},
    {"Capabilities", "add drop", Works, "", ""},
    {"ConfigMapEnvSource", "name optional", Works, "", ""},
    {"ConfigMapKeySelector", "key name optional", Works, "", ""},
    {"ConfigMapProjection", "items name optional", Works, "", ""},
    {"ConfigMapVolumeSource", "defaultMode items name optional", Works, "", ""},
    {"Container",
     "args command env envFrom image imagePullPolicy lifecycle livenessProbe name ports readinessProbe resources "
     "securityContext startupProbe stdin stdinOnce terminationMessagePath terminationMessagePolicy tty volumeMounts "
     "workingDir",
     Works, "", ""},
    {"Container", "resizePolicy", Works, "", ""},  // says how a resize would go; resizes themselves are refused by the API
    {"Container", "restartPolicy", SomeValues, "Always",
     "only sidecars (initContainers with restartPolicy: Always) have their own; set the pod's restartPolicy"},
    {"Container", "restartPolicyRules", Refused, "", "restart rules by exit code do not exist here; use restartPolicy"},
    {"Container", "volumeDevices", Refused, "", "there are no block devices here; use volumeMounts"},
    {"ContainerPort", "containerPort hostIP hostPort name", Works, "", ""},
    {"ContainerPort", "protocol", Works, "", ""},
    {"ContainerResizePolicy", "resourceName restartPolicy", Works, "", ""},
    {"DownwardAPIProjection", "items", Works, "", ""},
    {"DownwardAPIVolumeFile", "fieldRef mode path resourceFieldRef", Works, "", ""},
    {"DownwardAPIVolumeSource", "defaultMode items", Works, "", ""},
    {"EmptyDirVolumeSource", "medium", SomeValues, "Memory", "huge pages are not handed out; use medium: Memory"},
    {"EmptyDirVolumeSource", "sizeLimit", Works, "", ""},
    {"EnvFromSource", "configMapRef prefix secretRef", Works, "", ""},
    {"EnvVar", "name value valueFrom", Works, "", ""},
    {"EnvVarSource", "configMapKeyRef fieldRef resourceFieldRef secretKeyRef", Works, "", ""},
    {"EnvVarSource", "fileKeyRef", Refused, "", "environment from files of a volume is not read; use secretKeyRef"},
    {"ExecAction", "command", Works, "", ""},
    {"GRPCAction", "port service", Works, "", ""},
    {"HTTPGetAction", "host httpHeaders path port scheme", Works, "", ""},
    {"HTTPHeader", "name value", Works, "", ""},
    {"HostAlias", "hostnames ip", Works, "", ""},
    {"HostPathVolumeSource", "path", Works, "", ""},
    {"HostPathVolumeSource", "type", Works, "", ""},
    {"KeyToPath", "key mode path", Works, "", ""},
    {"LabelSelector", "matchExpressions matchLabels", Works, "", ""},
    {"LabelSelectorRequirement", "key operator values", Works, "", ""},
    {"Lifecycle", "postStart preStop stopSignal", Works, "", ""},
    {"LifecycleHandler", "exec httpGet sleep", Works, "", ""},
    {"LifecycleHandler", "tcpSocket", Refused, "", "Kubernetes does not run it either; use exec, httpGet or sleep"},
    {"LocalObjectReference", "name", Works, "", ""},
    {"NodeAffinity", "preferredDuringSchedulingIgnoredDuringExecution requiredDuringSchedulingIgnoredDuringExecution", Works,
     "", ""},
    {"NodeSelector", "nodeSelectorTerms", Works, "", ""},
    {"NodeSelectorRequirement", "key operator values", Works, "", ""},
    {"NodeSelectorTerm", "matchExpressions matchFields", Works, "", ""},
    {"ObjectFieldSelector", "apiVersion fieldPath", Works, "", ""},
    {"PersistentVolumeClaimVolumeSource", "claimName readOnly", Works, "", ""},
    {"PodAffinity", "preferredDuringSchedulingIgnoredDuringExecution requiredDuringSchedulingIgnoredDuringExecution", Works,
     "", ""},
    {"PodAffinityTerm", "labelSelector matchLabelKeys mismatchLabelKeys namespaceSelector namespaces topologyKey", Works, "",
     ""},
    {"PodAntiAffinity", "preferredDuringSchedulingIgnoredDuringExecution requiredDuringSchedulingIgnoredDuringExecution",
     Works, "", ""},
    {"PodDNSConfig", "nameservers options searches", Works, "", ""},
    {"PodDNSConfigOption", "name value", Works, "", ""},
    {"PodOS", "name", SomeValues, "linux", "this node runs Linux programs"},
    {"PodReadinessGate", "conditionType", Works, "", ""},
    {"PodSchedulingGate", "name", Works, "", ""},
    {"PodSecurityContext",
     "appArmorProfile fsGroup fsGroupChangePolicy runAsGroup runAsNonRoot runAsUser seccompProfile supplementalGroups "
     "supplementalGroupsPolicy",
     Works, "", ""},
    {"PodSecurityContext", "seLinuxChangePolicy seLinuxOptions", Refused, "", "SELinux labels are not set; remove it"},
    {"PodSecurityContext", "sysctls", Refused, "", "pods share this machine's kernel settings; set them on the machine"},
    {"PodSecurityContext", "windowsOptions", Refused, "", kLinux},
    {"PodSpec",
     "activeDeadlineSeconds affinity automountServiceAccountToken containers dnsConfig dnsPolicy enableServiceLinks "
     "hostAliases hostIPC hostNetwork hostPID hostname hostnameOverride imagePullSecrets initContainers nodeName "
     "nodeSelector os overhead preemptionPolicy priority priorityClassName readinessGates restartPolicy schedulerName "
     "schedulingGates securityContext serviceAccount serviceAccountName setHostnameAsFQDN shareProcessNamespace subdomain "
     "terminationGracePeriodSeconds tolerations topologySpreadConstraints volumes",
     Works, "", ""},
    {"PodSpec", "ephemeralContainers", Refused, "", "containers cannot be added to a running pod; use kubectl exec"},
    {"PodSpec", "hostUsers", SomeValues, "true", "pods share this machine's users; remove it"},
    {"PodSpec", "resourceClaims", Refused, "", "devices are not claimed here; use resources.limits"},
    {"PodSpec", "resources", Refused, "", "limits are held per container; set them in containers[].resources"},
    {"PodSpec", "runtimeClassName", Refused, "", "there are no runtime classes; remove it"},
    {"PreferredSchedulingTerm", "preference weight", Works, "", ""},
    {"Probe",
     "exec failureThreshold grpc httpGet initialDelaySeconds periodSeconds successThreshold tcpSocket "
     "terminationGracePeriodSeconds timeoutSeconds",
     Works, "", ""},
    {"ProjectedVolumeSource", "defaultMode sources", Works, "", ""},
    {"ResourceFieldSelector", "containerName divisor resource", Works, "", ""},
    {"ResourceRequirements", "claims", Refused, "", "devices are not claimed here; use limits"},
    {"ResourceRequirements", "limits requests", Works, "", ""},
    {"SeccompProfile", "localhostProfile", Refused, "", "seccomp profiles are not loaded; remove it"},
    {"SeccompProfile", "type", SomeValues, "RuntimeDefault Unconfined", "seccomp profiles are not loaded; remove it"},
    {"SecretEnvSource", "name optional", Works, "", ""},
    {"SecretKeySelector", "key name optional", Works, "", ""},
    {"SecretProjection", "items name optional", Works, "", ""},
    {"SecretVolumeSource", "defaultMode items optional secretName", Works, "", ""},
    {"SecurityContext",
     "allowPrivilegeEscalation appArmorProfile capabilities readOnlyRootFilesystem runAsGroup runAsNonRoot runAsUser "
     "seccompProfile",
     Works, "", ""},
    {"SecurityContext", "privileged", SomeValues, "false",
     "containers are processes of this machine and get no more rights than others; remove it"},
    {"SecurityContext", "procMount", SomeValues, "Default", "/proc is this machine's; remove it"},
    {"SecurityContext", "seLinuxOptions", Refused, "", "SELinux labels are not set; remove it"},
    {"SecurityContext", "windowsOptions", Refused, "", kLinux},
    {"ServiceAccountTokenProjection", "audience expirationSeconds path", Works, "", ""},
    {"SleepAction", "seconds", Works, "", ""},
    {"TCPSocketAction", "host port", Works, "", ""},
    {"Toleration", "effect key operator tolerationSeconds value", Works, "", ""},
    // There is one node: a spread over several is always as even as it can be.
    {"TopologySpreadConstraint",
     "labelSelector matchLabelKeys maxSkew minDomains nodeAffinityPolicy nodeTaintsPolicy topologyKey whenUnsatisfiable",
     Works, "", ""},
    {"Volume", "configMap downwardAPI emptyDir hostPath name persistentVolumeClaim projected secret", Works, "", ""},
    {"Volume",
     "awsElasticBlockStore azureDisk azureFile cephfs cinder csi fc flexVolume flocker gcePersistentDisk glusterfs iscsi "
     "nfs "
     "photonPersistentDisk portworxVolume quobyte rbd scaleIO storageos vsphereVolume",
     Refused, "", kDisk},
    {"Volume", "ephemeral", Refused, "", "claims are not made per pod; use a persistentVolumeClaim or emptyDir"},
    {"Volume", "gitRepo", Refused, "", "use an init container that clones into an emptyDir"},
    {"Volume", "image", Refused, "", "images are not mounted; use storageUri, a persistentVolumeClaim or hostPath"},
    {"VolumeMount", "mountPath name readOnly subPath subPathExpr", Works, "", ""},
    {"VolumeMount", "mountPropagation", SomeValues, "None", "mounts made later do not show in containers; remove it"},
    {"VolumeMount", "recursiveReadOnly", SomeValues, "Disabled IfPossible",
     "only the mount itself is made read-only; use IfPossible"},
    {"VolumeProjection", "configMap downwardAPI secret serviceAccountToken", Works, "", ""},
    {"VolumeProjection", "clusterTrustBundle", Refused, "", "there are no trust bundles; use a configMap"},
    {"VolumeProjection", "podCertificate", Refused, "", "certificates are not issued to pods; use a secret"},
    {"WeightedPodAffinityTerm", "podAffinityTerm weight", Works, "", ""},
};

using Index = std::map<std::pair<std::string_view, std::string_view>, const FieldRule*>;

std::vector<std::string_view> words(std::string_view list) {
  std::vector<std::string_view> out;
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(' '), list.size());
    if (end > 0) out.push_back(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return out;
}

Index makeIndex() {
  Index index;
  for (const FieldRule& rule : kRules)
    for (const std::string_view field : words(rule.fields)) index[{rule.type, field}] = &rule;
  return index;
}

// Absent in all but form: a client may send false or an empty list for a field that it does not use.
bool isEmpty(const Json& value) {
  return value.is_null() || (value.is_string() && value.get_ref<const std::string&>().empty()) ||
         (value.is_structured() && value.empty());
}

std::string shown(const Json& value) { return value.is_string() ? value.get<std::string>() : dumpJson(value); }

class Walk {
 public:
  Walk(const schema::NodeTable& table, std::vector<std::string>& lines) : table_(table), lines_(lines) {}

  void visit(const Json& value, const schema::Node& node, const std::string& path) {
    if (value.is_array()) {
      const schema::Node* items = table_.items(node);
      for (std::size_t i = 0; items != nullptr && i < value.size(); ++i)
        visit(value[i], *items, fmt::format("{}[{}]", path, i));
      return;
    }
    if (!value.is_object()) return;
    const std::string_view name = table_.text(node.name);
    const std::string_view type = name.substr(name.rfind('.') + 1);
    for (const auto& [field, child] : value.items()) {
      const schema::Property* property = table_.property(node, field);
      if (property == nullptr || isEmpty(child)) continue;
      const std::string here = path + "." + field;
      if (judge(podFieldRule(type, field), child, here)) visit(child, table_.node(property->node), here);
    }
  }

 private:
  // True when what lies below may be looked at too.
  bool judge(const FieldRule* rule, const Json& value, const std::string& path) {
    if (rule == nullptr || rule->column == Works) return true;
    if (rule->column == SomeValues) {
      const std::vector<std::string_view> allowed = words(rule->values);
      if (std::find(allowed.begin(), allowed.end(), shown(value)) != allowed.end()) return true;
    }
    const std::string what = value.is_structured() ? "" : fmt::format(" {}", shown(value));
    lines_.push_back(fmt::format("{}:{} is not possible on this node: {}", path, what, rule->why));
    return false;
  }

  const schema::NodeTable& table_;
  std::vector<std::string>& lines_;
};

}  // namespace

const std::vector<FieldRule>& podFieldRules() { return kRules; }

const FieldRule* podFieldRule(std::string_view type, std::string_view field) {
  static const Index index = makeIndex();
  const auto found = index.find({type, field});
  return found == index.end() ? nullptr : found->second;
}

std::vector<std::string> podRefusals(const Json& spec, const std::string& path) {
  static const std::shared_ptr<const Catalog> catalog = Catalog::builtin();
  std::vector<std::string> lines;
  const Resource* pod = catalog->findKind("v1", "Pod");
  const schema::Property* root =
      pod == nullptr ? nullptr : catalog->nodes().property(catalog->nodes().node(pod->schema), "spec");
  if (root != nullptr) Walk(catalog->nodes(), lines).visit(spec, catalog->nodes().node(root->node), path);
  return lines;
}

}  // namespace slipway::node
