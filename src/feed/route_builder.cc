#include "feed/route_builder.h"

#include <map>
#include <set>

namespace slipway::feed {
namespace {

using proxy::Backend;
using proxy::Route;

using SlicesByService = std::map<kube::Key, std::vector<const Json*>>;
using ServicesByKey = std::map<kube::Key, const Json*>;

std::string nameOf(const Json& object) { return textAt(at(object, "metadata"), "name"); }
std::string namespaceOf(const Json& object) { return textAt(at(object, "metadata"), "namespace"); }

SlicesByService groupSlices(const std::vector<kube::Object>& slices) {
  SlicesByService out;
  for (const auto& slice : slices) {
    const auto service = textAt(at(*slice, "metadata", "labels"), "kubernetes.io/service-name");
    if (!service.empty()) out[{namespaceOf(*slice), service}].push_back(slice.get());
  }
  return out;
}

// Absent means ready (discovery/v1: "nil should be interpreted as true").
bool isReady(const Json& endpoint) { return boolAt(at(endpoint, "conditions"), "ready", true); }

// Whether a port says that it speaks HTTP/2 without TLS: by appProtocol (KEP-3726), else by its name as Knative and KServe
// have it.
bool speaksHttp2(const Json& port) {
  const auto protocol = textAt(port, "appProtocol"), name = textAt(port, "name");
  if (!protocol.empty()) return protocol == "kubernetes.io/h2c" || protocol == "h2c" || protocol == "grpc";
  for (const std::string_view prefix : {"h2c", "http2", "grpc"})
    if (name == prefix || name.starts_with(std::string(prefix) + "-")) return true;
  return false;
}

std::vector<net::Origin> readyEndpoints(const std::vector<const Json*>& slices, const Json& servicePort) {
  const std::string portName = textAt(servicePort, "name");
  const bool http2 = speaksHttp2(servicePort);
  std::vector<net::Origin> out;
  for (const Json* slice : slices) {
    std::int64_t port = 0;
    for (const auto& p : at(*slice, "ports")) {
      if (textAt(p, "name") == portName && textAt(p, "protocol", "TCP") == "TCP") port = intAt(p, "port");
    }
    if (port <= 0 || port > 65535) continue;
    for (const auto& endpoint : at(*slice, "endpoints")) {
      const Json& addresses = at(endpoint, "addresses");
      if (!isReady(endpoint) || !addresses.is_array() || addresses.empty() || !addresses[0].is_string()) continue;
      out.push_back({.host = addresses[0].get<std::string>(), .port = static_cast<std::uint16_t>(port), .http2 = http2});
    }
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

bool isTcpPort(const Json& port) { return intAt(port, "port") > 0 && textAt(port, "protocol", "TCP") == "TCP"; }

// The port that a bare host name means: the one named http…, else 80, else the first that is not named https…; nullptr
// without TCP ports.
const Json* mainPort(const Json& service) {
  const Json* best = nullptr;
  int bestRank = 0;
  for (const auto& port : at(service, "spec", "ports")) {
    if (!isTcpPort(port)) continue;
    const auto name = textAt(port, "name");
    const int rank = name.starts_with("https") ? 1 : name.starts_with("http") ? 4 : intAt(port, "port") == 80 ? 3 : 2;
    if (rank > bestRank) best = &port, bestRank = rank;
  }
  return best;
}

std::vector<std::string> internalNames(const std::string& name, const std::string& ns, const RouteOptions& options) {
  const std::string base = name + "." + ns;
  return {base + ".svc." + options.clusterDomain, base + ".svc", base};
}

void addServiceRoutes(std::vector<Route>& routes, const Json& service, const SlicesByService& slices,
                      const RouteOptions& options) {
  const kube::Key key{namespaceOf(service), nameOf(service)};
  const Json* main = mainPort(service);
  if (!main || textAt(at(service, "spec"), "type") == "ExternalName") return;
  const auto found = slices.find(key);
  for (const auto& port : at(service, "spec", "ports")) {
    if (!isTcpPort(port)) continue;
    const auto number = std::to_string(intAt(port, "port"));
    Route route;
    route.name = "service/" + key.ns + "/" + key.name + (&port == main ? "" : ":" + number);
    for (const auto& host : internalNames(key.name, key.ns, options)) {
      if (&port == main) route.hosts.push_back(host);
      route.hosts.push_back(host + ":" + number);
    }
    Backend backend{.name = key.name};
    if (found != slices.end()) backend.endpoints = readyEndpoints(found->second, port);
    route.backends.push_back(std::move(backend));
    route.reason = "no endpoint of service " + key.ns + "/" + key.name + " is ready";
    route.timeout = options.timeout;
    route.queue = options.queue;
    routes.push_back(std::move(route));
  }
}

bool clusterLocal(const Json& isvc) {
  const Json& labels = at(isvc, "metadata", "labels");
  return textAt(labels, "networking.kserve.io/visibility") == "cluster-local" ||
         textAt(labels, "networking.knative.dev/visibility") == "cluster-local";
}

// "http://iris-models.example.com:8080/x" -> "iris-models.example.com"; empty for an address or no URL.
std::string hostOfUrl(std::string_view url) {
  const auto scheme = url.find("://");
  if (scheme == std::string_view::npos) return "";
  url.remove_prefix(scheme + 3);
  const auto host = url.substr(0, url.find_first_of(":/?"));
  return host.find_first_not_of("0123456789.") == std::string_view::npos ? "" : std::string(host);
}

std::vector<std::string> hostsOf(const Json& isvc, const RouteOptions& options, const ServicesByKey& services) {
  const auto name = nameOf(isvc), ns = namespaceOf(isvc);
  std::vector<std::string> hosts;
  if (!clusterLocal(isvc)) {
    for (const auto& domain : options.domains) {
      hosts.push_back(name + "." + ns + "." + domain);
      hosts.push_back(name + "-" + ns + "." + domain);
    }
    const auto own = hostOfUrl(textAt(at(isvc, "status"), "url"));
    if (!own.empty() && std::find(hosts.begin(), hosts.end(), own) == hosts.end()) hosts.push_back(own);
  }
  if (!clusterLocal(isvc)) {  // where status.components.*.url point
    for (const char* component : {"predictor", "transformer"}) {
      const auto url = textAt(at(isvc, "status", "components", component), "url");
      const auto host = hostOfUrl(url);
      if (!host.empty() && std::find(hosts.begin(), hosts.end(), host) == hosts.end()) hosts.push_back(host);
    }
  }
  if (!services.contains({ns, name})) {  // a Service of that name keeps its own meaning
    for (auto& host : internalNames(name, ns, options)) hosts.push_back(std::move(host));
  }
  return hosts;
}

Route isvcRoute(const Json& isvc, const RouteOptions& options, const ServicesByKey& services,
                const SlicesByService& slices) {
  const auto name = nameOf(isvc), ns = namespaceOf(isvc);
  const std::string component = at(isvc, "spec", "transformer").is_object() ? "transformer" : "predictor";
  const Json& spec = at(isvc, "spec", component);
  const kube::Key key{ns, name + "-" + component};
  Route route;
  route.name = ns + "/" + name;
  route.hosts = hostsOf(isvc, options, services);
  if (!options.pathPrefix.empty() && !clusterLocal(isvc)) route.prefixes = {options.pathPrefix + "/" + ns + "/" + name};
  const auto seconds = intAt(spec, "timeout");
  constexpr std::int64_t kMost = 7 * 24 * 3600;
  route.timeout = seconds > 0 ? std::chrono::seconds(std::min(seconds, kMost)) : options.timeout;
  route.concurrency = static_cast<unsigned>(std::clamp<std::int64_t>(intAt(spec, "containerConcurrency"), 0, 1'000'000));
  route.queue = options.queue;
  Backend backend{.name = key.name};
  const auto service = services.find(key);
  const auto found = slices.find(key);
  if (service != services.end() && found != slices.end()) {
    if (const Json* port = mainPort(*service->second)) backend.endpoints = readyEndpoints(found->second, *port);
  }
  if (backend.endpoints.empty()) {
    route.reason = reasonNotReady(isvc);
    if (route.reason.empty()) route.reason = "no endpoint of service " + ns + "/" + key.name + " is ready";
  }
  route.backends.push_back(std::move(backend));
  return route;
}

// NAME-NAMESPACE means two services where one is "a" in "b-c" and the other "a-b" in "c": it then leads to neither, rather
// than to another namespace's model.
void dropSharedHosts(std::vector<Route>& routes) {
  std::map<std::string, int> claims;
  for (const auto& route : routes)
    for (const auto& host : std::set<std::string>(route.hosts.begin(), route.hosts.end())) ++claims[host];
  for (auto& route : routes) std::erase_if(route.hosts, [&](const std::string& host) { return claims[host] > 1; });
}

}  // namespace

std::string reasonNotReady(const Json& isvc) {
  const Json& conditions = at(isvc, "status", "conditions");
  if (!conditions.is_array() || conditions.empty()) return "the InferenceService controller has not looked at it yet";
  std::string text, other;
  for (const auto& condition : conditions) {
    if (textAt(condition, "status") == "True") continue;
    const auto type = textAt(condition, "type"), reason = textAt(condition, "reason"),
               message = textAt(condition, "message");
    if (reason.empty() && message.empty()) {
      if (type == "Ready" && text.empty()) text = "waiting to become ready";
      continue;
    }
    const auto line = reason.empty() ? message : message.empty() ? reason : reason + ": " + message;
    if (type == "Ready")
      text = line;
    else if (other.empty() && type != "IngressReady")
      other = type + " " + line;
  }
  // "Predictor ingress not created" only repeats that the predictor is not ready; the predictor's own condition says why.
  const bool tellsLittle = text.empty() || text == "waiting to become ready" || text.ends_with("ingress not created");
  if (tellsLittle && !other.empty()) text = other;
  // The last failure stays on record after a later load went well.
  const Json& model = at(isvc, "status", "modelStatus");
  auto failure = textAt(at(model, "lastFailureInfo"), "message");
  failure.erase(failure.find_last_not_of(" \n") + 1);
  if (textAt(at(model, "states"), "targetModelState") != "FailedToLoad") failure.clear();
  if (!failure.empty() && text.find(failure) == std::string::npos)
    text += (text.empty() ? "" : "; ") + std::string("the model failed: ") + failure;
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

std::vector<Route> buildRoutes(const RouteInputs& inputs, const RouteOptions& options) {
  const auto slices = groupSlices(inputs.endpointSlices);
  ServicesByKey services;
  for (const auto& service : inputs.services) services.emplace(kube::keyOf(*service), service.get());
  std::vector<Route> routes;
  routes.reserve(inputs.inferenceServices.size() + inputs.services.size());
  for (const auto& isvc : inputs.inferenceServices) routes.push_back(isvcRoute(*isvc, options, services, slices));
  dropSharedHosts(routes);
  for (const auto& service : inputs.services) addServiceRoutes(routes, *service, slices, options);
  return routes;
}

}  // namespace slipway::feed
