#include "controllers/serving/pod_admission.h"

#include "controllers/serving/agent_sidecar.h"
#include "controllers/serving/pod_parts.h"
#include "objects/serving/keys.h"
#include "objects/serving/view.h"

namespace slipway::isvc {

namespace {

constexpr const char* kProvisionVolume = "kserve-provision-location";
constexpr const char* kClaimVolume = "kserve-pvc-source";

// The containers that read the model.
std::vector<Json*> readers(Json& podSpec) {
  std::vector<Json*> out;
  for (std::string_view name : {kServingContainer, kTransformerContainer, kWorkerContainer}) {
    if (Json* container = findNamed(listOf(podSpec, "containers"), name)) out.push_back(container);
  }
  return out;
}

void setHubVariables(Json& container) {
  setEnvIfAbsent(container, "HF_HUB_ENABLE_HF_TRANSFER", "1");
  setEnvIfAbsent(container, "HF_XET_HIGH_PERFORMANCE", "1");
  setEnvIfAbsent(container, "HF_XET_NUM_CONCURRENT_RANGE_GETS", "8");
}

Json initializer(const std::vector<Download>& downloads, const TextMap& annotations, const ServingConfig& config) {
  Json out = Json::object();
  out["name"] = kInitializerContainer;
  out["image"] = config.initializerImage;
  out["imagePullPolicy"] = "IfNotPresent";
  out["args"] = Json::array();
  for (const Download& download : downloads) {
    out["args"].push_back(download.uri);
    out["args"].push_back(download.path);
  }
  out["resources"] = config.initializer.toJson();
  out["terminationMessagePath"] = "/dev/termination-log";
  // The last lines of its log become the pod's and the service's failure message.
  out["terminationMessagePolicy"] = "FallbackToLogsOnError";
  auto text = [&](std::string_view key) {
    auto it = annotations.find(std::string(key));
    return it == annotations.end() ? std::string() : it->second;
  };
  if (std::string uid = text(kInitializerUid);
      !uid.empty() && uid.find_first_not_of("0123456789") == std::string::npos && uid.size() < 10) {
    out["securityContext"] = {{"runAsUser", std::stoll(uid)}};
  }
  if (auto ms = parseDurationMs(text(kInitializerTimeout)); ms && *ms > 0) {
    setEnvIfAbsent(out, "STORAGE_INITIALIZER_TIMEOUT", std::to_string((*ms + 999) / 1000));
  }
  return out;
}

bool isReadOnly(const TextMap& annotations) {
  auto it = annotations.find(std::string(kStorageReadOnly));
  return it == annotations.end() || it->second != "false";
}

// pvc://claim/sub/path: mounted, not copied.
void mountClaim(Json& podSpec, const Download& from, const std::string& volume, bool readOnly) {
  std::string rest = from.uri.substr(6);
  std::size_t slash = rest.find('/');
  std::string claim = rest.substr(0, slash), path = slash == std::string::npos ? "" : rest.substr(slash + 1);
  Json source = Json::object();
  source["persistentVolumeClaim"] = {{"claimName", claim}, {"readOnly", readOnly}};
  addVolume(podSpec, volume, std::move(source));
  for (Json* container : readers(podSpec)) {
    Json mount = {{"name", volume}, {"mountPath", from.path}, {"readOnly", readOnly}};
    if (!path.empty()) mount["subPath"] = path;
    addMount(*container, std::move(mount));
  }
}

// A custom container learns the place instead of the source.
void pointAtModel(Json& podSpec) {
  for (Json* container : readers(podSpec)) {
    if (!at(*container, "env").is_array()) continue;
    if (Json* variable = findNamed((*container)["env"], "STORAGE_URI")) (*variable)["value"] = kModelDir;
  }
}

Status download(Json& pod, const std::string& uri, const CredentialFacts& facts, const ServingConfig& config) {
  Json container = initializer({{uri, std::string(kModelDir)}}, annotationsOf(pod), config);
  addVolume(pod["spec"], kProvisionVolume, emptyDir());
  SLIP_CHECK(applyCredentials(pod, container, facts, config));
  setHubVariables(container);
  Json mounts = Json::array();
  mounts.push_back({{"name", kProvisionVolume}, {"mountPath", kModelDir}});
  for (Json& mount : listOf(container, "volumeMounts")) mounts.push_back(mount);
  container["volumeMounts"] = std::move(mounts);
  for (Json* reader : readers(pod["spec"])) {
    Json mount = {{"name", kProvisionVolume}, {"mountPath", kModelDir}};
    if (isReadOnly(annotationsOf(pod))) mount["readOnly"] = true;
    addMount(*reader, std::move(mount));
  }
  listOf(pod["spec"], "initContainers").push_back(std::move(container));
  return {};
}

Status injectStorage(Json& pod, const CredentialFacts& facts, const ServingConfig& config) {
  Json& spec = pod["spec"];
  std::string uri = annotation(pod, kSourceUri);
  if (Json* there = findNamed(listOf(spec, "initContainers"), kInitializerContainer)) {
    // Written into the Deployment (storageUris): only the credentials are still to come.
    return uri.empty() ? applyCredentials(pod, *there, facts, config) : Status{};
  }
  if (spec["initContainers"].empty()) spec.erase("initContainers");
  if (uri.empty() || at(pod, "metadata", "annotations").contains(kAgent)) return {};
  if (uri.starts_with("oci")) return injectModelcar(pod, uri, config);
  if (uri.starts_with("pvc://")) {
    mountClaim(spec, {uri, std::string(kModelDir)}, kClaimVolume, isReadOnly(annotationsOf(pod)));
  } else {
    SLIP_CHECK(download(pod, uri, facts, config));
  }
  pointAtModel(spec);
  return {};
}

// Prometheus' own annotations, for those who scrape by them.
void annotateMetrics(Json& pod, const ServingConfig& config) {
  Json& annotations = pod["metadata"]["annotations"];
  if (!annotations.is_object()) annotations = Json::object();
  if (!annotations.contains(kMetricAggregation)) annotations[std::string(kMetricAggregation)] = config.metricAggregation;
  if (!annotations.contains(kPrometheusScraping)) annotations[std::string(kPrometheusScraping)] = config.prometheusScraping;
  if (annotations[std::string(kPrometheusScraping)] != "true") return;
  annotations["prometheus.io/port"] = textAt(annotations, "prometheus.kserve.io/port", "8080");
  annotations["prometheus.io/path"] = textAt(annotations, "prometheus.kserve.io/path", "/metrics");
}

// The folder that all of these paths share: "/mnt/models" of "/mnt/models/a" and "/mnt/models/b". Empty when there is none,
// which validation refuses but an object stored without it may hold.
std::string commonParent(const std::vector<Download>& downloads) {
  std::string common = downloads[0].path;
  while (common.size() > 1 && common.back() == '/') common.pop_back();
  for (const Download& download : downloads) {
    while (!common.empty() && download.path != common && !download.path.starts_with(common + "/")) {
      std::size_t slash = common.rfind('/');
      common = slash == std::string::npos ? "" : common.substr(0, slash);
    }
  }
  return common;
}

// "/mnt/models" -> "mnt-models": a volume's name has lower case letters, digits and dashes only.
std::string volumeName(const std::string& path) {
  std::string name;
  for (char c : path) {
    bool plain = std::isalnum(static_cast<unsigned char>(c));
    if (plain) name += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (!plain && !name.empty() && name.back() != '-') name += '-';
  }
  while (!name.empty() && name.back() == '-') name.pop_back();
  return name.empty() ? "models" : name.substr(0, 63);
}

}  // namespace

bool isServingPod(const Json& pod) { return !textAt(at(pod, "metadata", "labels"), kServiceLabel).empty(); }

Status admitServingPod(Json& pod, const CredentialFacts& facts, const ServingConfig& config, const BuildOptions& options) {
  if (!at(pod, "spec").is_object()) return {};
  Status ok = injectStorage(pod, facts, config);
  if (!ok) {
    return fail(ok.error().code,
                "admission webhook \"inferenceservice.kserve-webhook-server.pod-mutator\" denied the request: " +
                    ok.error().message);
  }
  injectAgent(pod, config, options);
  annotateMetrics(pod, config);
  return {};
}

void injectDownloads(Json& podSpec, const std::vector<Download>& all, const TextMap& annotations,
                     const ServingConfig& config) {
  std::vector<Download> downloads;
  bool readOnly = isReadOnly(annotations);
  for (const Download& entry : all) {
    if (!entry.uri.starts_with("pvc://")) {
      downloads.push_back(entry);
      continue;
    }
    mountClaim(podSpec, entry, kClaimVolume + std::string("-") + std::to_string(&entry - all.data()), readOnly);
  }
  if (downloads.empty()) return;
  std::string parent = commonParent(downloads);
  if (parent.empty() || parent == "/") parent = kModelDir;
  std::string volume = volumeName(parent);
  addVolume(podSpec, volume, emptyDir());
  Json container = initializer(downloads, annotations, config);
  setHubVariables(container);
  addMount(container, {{"name", volume}, {"mountPath", parent}});
  listOf(podSpec, "initContainers").push_back(std::move(container));
  for (Json* reader : readers(podSpec)) {
    Json mount = {{"name", volume}, {"mountPath", parent}};
    if (readOnly) mount["readOnly"] = true;
    addMount(*reader, std::move(mount));
  }
}

}  // namespace slipway::isvc
