// LimitRange: defaults of a pod's containers, and the bounds of containers, pods and claims.
#include <algorithm>

#include "objects/quota/usage.h"

namespace slipway::quota {
namespace {

// What a container does not say comes from the range; a request that is still missing then is the limit.
void fillContainer(const Json& item, Json& container) {
  Json& resources = container["resources"];
  if (!resources.is_object()) resources = Json::object();
  const Json limits = at(resources, "limits");
  const auto fill = [&](const char* kind, const Json& defaults) {
    if (!defaults.is_object()) return;
    for (const auto& [name, value] : defaults.items()) {
      if (at(resources, kind, name.c_str()).is_null()) resources[kind][name] = value;
    }
  };
  fill("requests", limits);  // a limit without a request is the request, range or not
  fill("limits", at(item, "default"));
  fill("requests", at(item, "defaultRequest"));
}

struct Bounds {
  const Json& item;
  std::string what;  // Container, Pod, PersistentVolumeClaim
  std::vector<std::string>& out;

  void minimum(const std::string& name, const Quantity* request, const Quantity& least) const {
    if (request == nullptr)
      out.push_back(fmt::format("minimum {} usage per {} is {}.  No request is specified", name, what, least.canonical()));
    else if (*request < least)
      out.push_back(fmt::format("minimum {} usage per {} is {}, but request is {}", name, what, least.canonical(),
                                request->canonical()));
  }

  void maximum(const std::string& name, const Quantity* limit, const Quantity& most) const {
    if (limit == nullptr)
      out.push_back(fmt::format("maximum {} usage per {} is {}.  No limit is specified", name, what, most.canonical()));
    else if (*limit > most)
      out.push_back(
          fmt::format("maximum {} usage per {} is {}, but limit is {}", name, what, most.canonical(), limit->canonical()));
  }

  void ratio(const std::string& name, const Quantity* request, const Quantity* limit, const Quantity& most) const {
    if (request == nullptr || limit == nullptr || *request <= Quantity()) {
      out.push_back(fmt::format("{} max limit to request ratio per {} is {}, but no request or limit is specified", name,
                                what, most.canonical()));
    } else if (limit->toDouble() / request->toDouble() > most.toDouble()) {
      out.push_back(fmt::format("{} max limit to request ratio per {} is {}, but provided ratio is {:.6f}", name, what,
                                most.canonical(), limit->toDouble() / request->toDouble()));
    }
  }

  void check(const Usage& requests, const Usage& limits) const {
    const auto find = [](const Usage& usage, const std::string& name) {
      auto it = usage.find(name);
      return it == usage.end() ? nullptr : &it->second;
    };
    for (const auto& [name, least] : amounts(at(item, "min"))) minimum(name, find(requests, name), least);
    for (const auto& [name, most] : amounts(at(item, "max"))) maximum(name, find(limits, name), most);
    for (const auto& [name, most] : amounts(at(item, "maxLimitRequestRatio")))
      ratio(name, find(requests, name), find(limits, name), most);
  }
};

void checkContainers(const Json& item, const Json& pod, std::vector<std::string>& out) {
  for (const char* list : {"containers", "initContainers"}) {
    for (const Json& c : at(pod, "spec", list))
      Bounds{item, "Container", out}.check(amounts(at(c, "resources", "requests")), amounts(at(c, "resources", "limits")));
  }
}

void checkPod(const Json& item, const Resource& resource, const Json& pod, std::vector<std::string>& out) {
  Usage requests;
  Usage limits;
  for (const auto& [name, amount] : usageOf(resource, pod)) {
    if (name.starts_with("requests.")) requests[name.substr(9)] = amount;
    if (name.starts_with("limits.")) limits[name.substr(7)] = amount;
  }
  Bounds{item, "Pod", out}.check(requests, limits);
}

}  // namespace

void applyLimitDefaults(const Json& limitRange, Json& pod) {
  for (const Json& item : at(limitRange, "spec", "limits")) {
    if (textAt(item, "type") != "Container" || !at(pod, "spec").is_object()) continue;
    for (const char* list : {"containers", "initContainers"}) {
      if (!at(pod, "spec", list).is_array()) continue;
      for (Json& c : pod["spec"][list]) {
        if (c.is_object()) fillContainer(item, c);
      }
    }
  }
}

std::vector<std::string> outsideLimits(const Json& limitRange, const Resource& resource, const Json& object) {
  std::vector<std::string> out;
  const bool pod = resource.group.empty() && resource.plural == "pods";
  const bool claim = resource.group.empty() && resource.plural == "persistentvolumeclaims";
  for (const Json& item : at(limitRange, "spec", "limits")) {
    const std::string type = textAt(item, "type");
    if (pod && type == "Container") checkContainers(item, object, out);
    if (pod && type == "Pod") checkPod(item, resource, object, out);
    if (claim && type == "PersistentVolumeClaim") {
      const Usage requests = amounts(at(object, "spec", "resources", "requests"));
      Bounds{item, type, out}.check(requests, requests);
    }
  }
  return out;
}

}  // namespace slipway::quota
