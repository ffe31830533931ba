#include "controllers/workloads/endpoints.h"

namespace slipway::workloads {
namespace {

constexpr std::size_t kSliceSize = 100;
const char* const kSliceManager = "endpointslice-controller.k8s.io";

// The number of a target port on this pod; nullopt when no container has a port of that name.
std::optional<int> portOn(const Json& pod, const Json& servicePort) {
  const Json& target = at(servicePort, "targetPort");
  if (target.is_number_integer() && target.get<int>() != 0) return target.get<int>();
  if (!target.is_string()) return static_cast<int>(intAt(servicePort, "port"));
  const std::string name = target.get<std::string>();
  if (!name.empty() && name.find_first_not_of("0123456789") == std::string::npos) return std::atoi(name.c_str());
  const std::string protocol = textAt(servicePort, "protocol", "TCP");
  for (const char* list : {"containers", "initContainers"}) {
    for (const auto& container : at(pod, "spec", list)) {
      if (std::string(list) == "initContainers" && textAt(container, "restartPolicy") != "Always") continue;
      for (const auto& port : at(container, "ports")) {
        if (textAt(port, "name") == name && textAt(port, "protocol", "TCP") == protocol)
          return static_cast<int>(intAt(port, "containerPort"));
      }
    }
  }
  return std::nullopt;
}

Json portsOn(const Json& service, const Json& pod) {
  Json ports = Json::array();
  for (const auto& p : at(service, "spec", "ports")) {
    const auto number = portOn(pod, p);
    if (!number) continue;
    Json out{{"name", textAt(p, "name")}, {"port", *number}, {"protocol", textAt(p, "protocol", "TCP")}};
    if (const auto app = textAt(p, "appProtocol"); !app.empty()) out["appProtocol"] = app;
    ports.push_back(std::move(out));
  }
  return ports;
}

struct Member {
  Object pod;
  std::string ip;
  bool ready, terminating;
};
using Groups = std::map<std::string, std::pair<Json, std::vector<Member>>>;  // by the text of the port list

Groups groupsOf(const Json& service, const std::vector<Object>& pods) {
  Groups groups;
  const Json& selector = at(service, "spec", "selector");
  const std::string ns = textAt(at(service, "metadata"), "namespace");
  for (const auto& pod : pods) {
    const std::string ip = textAt(at(*pod, "status"), "podIP");
    if (ip.empty() || isTerminal(*pod) || textAt(at(*pod, "metadata"), "namespace") != ns || !selectsByMap(selector, *pod))
      continue;
    const bool publish = boolAt(at(service, "spec"), "publishNotReadyAddresses");
    Json ports = portsOn(service, *pod);
    auto& group = groups[dumpJson(ports)];
    group.first = std::move(ports);
    group.second.push_back({pod, ip, publish || isReady(*pod), at(*pod, "metadata", "deletionTimestamp").is_string()});
  }
  for (auto& [key, group] : groups) {
    std::sort(group.second.begin(), group.second.end(), [](const Member& a, const Member& b) { return a.ip < b.ip; });
  }
  return groups;
}

Json targetRef(const Json& pod) {
  const Json& meta = at(pod, "metadata");
  return {{"kind", "Pod"},
          {"name", textAt(meta, "name")},
          {"namespace", textAt(meta, "namespace")},
          {"uid", textAt(meta, "uid")}};
}

Json ownLabels(const Json& service) {
  Json labels = at(service, "metadata", "labels");
  if (!labels.is_object()) labels = Json::object();
  if (textAt(at(service, "spec"), "clusterIP") == "None") labels["service.kubernetes.io/headless"] = "";
  return labels;
}

std::string shortHash(const std::string& text) {
  std::uint64_t hash = 1469598103934665603ull;  // FNV-1a
  for (unsigned char c : text) hash = (hash ^ c) * 1099511628211ull;
  static constexpr std::string_view kAlphabet = "bcdfghjklmnpqrstvwxz2456789";
  std::string out;
  for (int i = 0; i < 5; ++i, hash /= kAlphabet.size()) out += kAlphabet[hash % kAlphabet.size()];
  return out;
}

// The name that DNS gives a pod of a headless Service: its host name, when it says that it belongs to this Service.
std::string hostnameIn(const Json& service, const Json& pod) {
  const Json& spec = at(pod, "spec");
  const bool member =
      !textAt(spec, "hostname").empty() && textAt(spec, "subdomain") == textAt(at(service, "metadata"), "name");
  return member ? textAt(spec, "hostname") : "";
}

Json sliceEndpoint(const Json& service, const Member& m) {
  Json endpoint{{"addresses", {m.ip}},
                {"conditions", {{"ready", m.ready && !m.terminating}, {"serving", m.ready}, {"terminating", m.terminating}}},
                {"targetRef", targetRef(*m.pod)}};
  if (const auto node = textAt(at(*m.pod, "spec"), "nodeName"); !node.empty()) endpoint["nodeName"] = node;
  if (const auto name = hostnameIn(service, *m.pod); !name.empty()) endpoint["hostname"] = name;
  return endpoint;
}

Json makeSlice(const Json& service, const std::string& portsKey, const Json& ports, std::size_t number) {
  const Json& meta = at(service, "metadata");
  const std::string name = textAt(meta, "name");
  Json labels = ownLabels(service);
  labels["endpointslice.kubernetes.io/managed-by"] = kSliceManager;
  labels["kubernetes.io/service-name"] = name;
  const std::string suffix = shortHash(fmt::format("{}/{}/{}", textAt(meta, "uid"), portsKey, number));
  return {{"apiVersion", "discovery.k8s.io/v1"},
          {"kind", "EndpointSlice"},
          {"metadata", {{"name", name + "-" + suffix}, {"generateName", name + "-"}, {"labels", std::move(labels)}}},
          {"addressType", "IPv4"},
          {"endpoints", Json::array()},
          {"ports", ports}};
}

}  // namespace

bool hasEndpoints(const Json& service) {
  return !at(service, "spec", "selector").empty() && textAt(at(service, "spec"), "type") != "ExternalName";
}

Json endpointsOf(const Json& service, const std::vector<Object>& pods) {
  Json labels = ownLabels(service);
  labels["endpoints.kubernetes.io/managed-by"] = "endpoint-controller";
  Json subsets = Json::array();
  for (auto& [key, group] : groupsOf(service, pods)) {
    Json subset = Json::object();
    for (const auto& m : group.second) {
      if (m.terminating && !boolAt(at(service, "spec"), "publishNotReadyAddresses")) continue;
      Json address{{"ip", m.ip}, {"targetRef", targetRef(*m.pod)}};
      if (const auto node = textAt(at(*m.pod, "spec"), "nodeName"); !node.empty()) address["nodeName"] = node;
      if (const auto name = hostnameIn(service, *m.pod); !name.empty()) address["hostname"] = name;
      subset[m.ready ? "addresses" : "notReadyAddresses"].push_back(std::move(address));
    }
    if (subset.empty()) continue;
    for (Json port : group.first) {
      if (textAt(port, "name").empty()) port.erase("name");
      subset["ports"].push_back(std::move(port));
    }
    subsets.push_back(std::move(subset));
  }
  return {{"apiVersion", "v1"},
          {"kind", "Endpoints"},
          {"metadata", {{"name", textAt(at(service, "metadata"), "name")}, {"labels", std::move(labels)}}},
          {"subsets", std::move(subsets)}};
}

std::vector<Json> endpointSlicesOf(const Json& service, const std::vector<Object>& pods) {
  std::vector<Json> slices;
  for (auto& [key, group] : groupsOf(service, pods)) {
    std::size_t number = 0;
    for (const auto& m : group.second) {
      if (slices.empty() || number == 0 || slices.back()["endpoints"].size() == kSliceSize)
        slices.push_back(makeSlice(service, key, group.first, number++));
      slices.back()["endpoints"].push_back(sliceEndpoint(service, m));
    }
  }
  if (slices.empty()) slices.push_back(makeSlice(service, "", Json::array(), 0));
  return slices;
}

EndpointsReconciler::EndpointsReconciler(kube::Client& client, kube::Cache& cache)
    : services_(cache.of(kinds::kService)),
      pods_(cache.of(kinds::kPod)),
      inventory_(client, cache, "endpoint-controller", {kinds::kEndpoints, kinds::kEndpointSlice}) {}

Task<Result<kube::Outcome>> EndpointsReconciler::reconcile(kube::Key key) {
  const Object service = services_.get(key);
  // A Service that is gone takes its endpoints along by their owner reference; without a selector a user keeps them.
  if (!service || !hasEndpoints(*service) || at(*service, "metadata", "deletionTimestamp").is_string())
    co_return kube::Outcome{};
  const auto pods = pods_.inNamespace(key.ns);
  std::vector<Json> desired = endpointSlicesOf(*service, pods);
  desired.push_back(endpointsOf(*service, pods));
  auto applied = co_await kube::applyChildren(inventory_, *service, std::move(desired));
  if (!applied) co_return fail(applied.error());
  co_return kube::Outcome{};
}

}  // namespace slipway::workloads
