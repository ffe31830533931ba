#include "controllers/serving/agent_sidecar.h"

#include "controllers/serving/pod_parts.h"
#include "objects/serving/keys.h"

namespace slipway::isvc {

namespace {

void mount(Json& container, const std::string& volume, const std::string& path) {
  addMount(container, {{"name", volume}, {"mountPath", path}});
}

void addModelVolumes(Json& pod) {
  addVolume(pod["spec"], "model-dir", emptyDir());
  Json config = Json::object();
  config["configMap"] = {{"name", annotation(pod, kAgentConfigVolume)}};
  addVolume(pod["spec"], "model-config", std::move(config));
}

Json arguments(const Json& pod, const std::string& port) {
  Json args = Json::array();
  auto add = [&](const char* flag, const std::string& value) {
    if (value.empty()) return;
    args.push_back(flag);
    args.push_back(value);
  };
  if (annotation(pod, kAgent) == "true") {
    args.push_back("--enable-puller");
    add("--config-dir", annotation(pod, kAgentConfigPath));
    add("--model-dir", annotation(pod, kAgentModelDir));
  }
  if (annotation(pod, kBatcher) == "true") {
    args.push_back("--enable-batcher");
    add("--max-batchsize", annotation(pod, kBatcherMaxSize));
    add("--max-latency", annotation(pod, kBatcherMaxLatency));
  }
  if (annotation(pod, kLogger) == "true") {
    add("--log-url", annotation(pod, kLoggerUrl));
    add("--log-mode", annotation(pod, kLoggerMode));
    add("--source-uri", nameOf(pod));
    add("--inference-service", textAt(at(pod, "metadata", "labels"), kServiceLabel));
    add("--namespace", namespaceOf(pod));
    add("--endpoint", textAt(at(pod, "metadata", "labels"), "endpoint"));
    add("--component", textAt(at(pod, "metadata", "labels"), kComponentLabel));
  }
  add("--component-port", port);
  return args;
}

// The agent is ready when the server behind it is: it is told the server's own probe.
Json agentProbe() {
  Json header = {{"name", "K-Network-Probe"}, {"value", "queue"}};
  Json get = {{"path", "/"}, {"port", 9081}, {"scheme", "HTTP"}};
  get["httpHeaders"] = Json::array();
  get["httpHeaders"].push_back(std::move(header));
  Json probe = {{"timeoutSeconds", 1}, {"periodSeconds", 10}, {"successThreshold", 1}, {"failureThreshold", 3}};
  probe["httpGet"] = std::move(get);
  return probe;
}

std::string serverPort(const Json& server) {
  const Json& ports = at(server, "ports");
  if (ports.is_array() && !ports.empty()) return std::to_string(intAt(ports[0], "containerPort", 8080));
  return "8080";
}

Json agentContainer(const Json& pod, const Json& server, const ServingConfig& config) {
  Json out = Json::object();
  out["name"] = "agent";
  out["image"] = config.agentImage;
  out["args"] = arguments(pod, serverPort(server));
  out["ports"] = Json::array();
  out["ports"].push_back({{"name", "agent-port"}, {"containerPort", 9081}, {"protocol", "TCP"}});
  out["resources"] = config.agent.toJson();
  out["readinessProbe"] = agentProbe();
  if (at(server, "readinessProbe").is_object()) {
    out["env"] = Json::array();
    out["env"].push_back({{"name", "SERVING_READINESS_PROBE"}, {"value", dumpJson(at(server, "readinessProbe"))}});
  }
  if (at(server, "securityContext").is_object()) out["securityContext"] = at(server, "securityContext");
  return out;
}

Json modelcarResources(const ServingConfig& config) {
  return ResourceConfig{config.modelcarCpu, config.modelcarCpu, config.modelcarMemory, config.modelcarMemory}.toJson();
}

Json modelcarContainer(const char* name, const std::string& image, const std::string& script, const ServingConfig& config) {
  Json out = Json::object();
  out["name"] = name;
  out["image"] = image;
  out["args"] = Json::array({"sh", "-c", script});
  out["resources"] = modelcarResources(config);
  out["terminationMessagePolicy"] = "FallbackToLogsOnError";
  return out;
}

}  // namespace

void injectAgent(Json& pod, const ServingConfig& config, const BuildOptions& options) {
  bool pulls = annotation(pod, kAgent) == "true";
  bool proxies = annotation(pod, kBatcher) == "true" || annotation(pod, kLogger) == "true";
  Json* server = findNamed(listOf(pod["spec"], "containers"), kServingContainer);
  if (!server || (!pulls && !proxies)) return;
  if (pulls) {
    addModelVolumes(pod);
    mount(*server, "model-dir", annotation(pod, kAgentModelDir));
    // Without an agent the server itself follows the list of models.
    if (!options.agent) mount(*server, "model-config", annotation(pod, kAgentConfigPath));
  }
  if (!options.agent || findNamed(pod["spec"]["containers"], "agent")) return;
  Json agent = agentContainer(pod, *server, config);
  if (pulls) {
    mount(agent, "model-dir", annotation(pod, kAgentModelDir));
    mount(agent, "model-config", annotation(pod, kAgentConfigPath));
  }
  pod["spec"]["containers"].push_back(std::move(agent));
}

Status injectModelcar(Json& pod, const std::string& uri, const ServingConfig& config) {
  if (!config.modelcar) {
    return fail(Code::Forbidden,
                "storageUri " + uri + ": models in container images are switched off (storageInitializer.enableModelcar)");
  }
  if (uri.starts_with("oci+native://") || uri.starts_with("oci+fetch://")) {
    return fail(Code::Forbidden, "storageUri " + uri + ": this version reads models in container images as oci:// only");
  }
  Json& spec = pod["spec"];
  Json* server = findNamed(listOf(spec, "containers"), kServingContainer);
  if (!server) return fail(Code::Forbidden, "storageUri " + uri + ": the pod has no container named kserve-container");
  if (findNamed(spec["containers"], "modelcar")) return {};
  std::string image = uri.substr(uri.find("://") + 3);
  addVolume(spec, "kserve-provision-location", emptyDir());
  mount(*server, "kserve-provision-location", "/mnt");
  setEnvIfAbsent(*server, "MODEL_INIT_MODE", "async");
  // Only processes of one user may read each other's /proc/<pid>/root.
  (*server)["securityContext"]["runAsUser"] = config.modelcarUid;
  spec["shareProcessNamespace"] = true;
  std::string check = "if [ -d /models ] && [ -n \"$$(ls -A /models)\" ]; then echo '" + image +
                      ": /models is there'; else echo '" + image + ": the image has no /models, or it is empty'; exit 1; fi";
  listOf(spec, "initContainers").push_back(modelcarContainer("modelcar-init", image, check, config));
  Json car = modelcarContainer("modelcar", image, "ln -sf /proc/$$$$/root/models /mnt/models && sleep infinity", config);
  car["securityContext"] = {{"runAsUser", config.modelcarUid}};
  mount(car, "kserve-provision-location", "/mnt");
  spec["containers"].push_back(std::move(car));
  return {};
}

}  // namespace slipway::isvc
