#include "objects/quota/usage.h"

#include <algorithm>

namespace slipway::quota {
namespace {

const Quantity kOne(1'000'000'000, Quantity::Format::DecimalSI);

bool ended(const Json& pod) {
  const std::string phase = textAt(at(pod, "status"), "phase");
  return phase == "Succeeded" || phase == "Failed";
}

Usage largerOf(Usage a, const Usage& b) {
  for (const auto& [name, amount] : b) {
    auto [it, fresh] = a.emplace(name, amount);
    if (!fresh && it->second < amount) it->second = amount;
  }
  return a;
}

bool isSidecar(const Json& container) { return textAt(container, "restartPolicy") == "Always"; }

// `kind`: requests or limits.
Usage podResources(const Json& pod, const char* kind) {
  Usage running;
  Usage sidecars;
  Usage initPeak;
  const Json& spec = at(pod, "spec");
  for (const Json& c : at(spec, "containers")) running = add(std::move(running), amounts(at(c, "resources", kind)));
  for (const Json& c : at(spec, "initContainers")) {
    const Usage mine = amounts(at(c, "resources", kind));
    if (isSidecar(c))
      sidecars = add(std::move(sidecars), mine);
    else
      initPeak = largerOf(std::move(initPeak), add(mine, sidecars));
  }
  return add(largerOf(add(std::move(running), sidecars), initPeak), amounts(at(spec, "overhead")));
}

Usage podUsage(const Json& pod) {
  Usage out{{"pods", kOne}};
  for (const auto& [name, amount] : podResources(pod, "requests")) {
    out["requests." + name] = amount;
    if (name == "cpu" || name == "memory" || name == "ephemeral-storage") out[name] = amount;
  }
  for (const auto& [name, amount] : podResources(pod, "limits")) out["limits." + name] = amount;
  return out;
}

Usage claimUsage(const Json& claim) {
  Usage out{{"persistentvolumeclaims", kOne}};
  const std::string storageClass = textAt(at(claim, "spec"), "storageClassName");
  const std::string prefix = storageClass + ".storageclass.storage.k8s.io/";
  if (!storageClass.empty()) out[prefix + "persistentvolumeclaims"] = kOne;
  auto storage = quantityOf(at(claim, "spec", "resources", "requests", "storage"));
  if (!storage) return out;
  out["requests.storage"] = *storage;
  if (!storageClass.empty()) out[prefix + "requests.storage"] = *storage;
  return out;
}

Usage serviceUsage(const Json& service) {
  Usage out{{"services", kOne}};
  const std::string type = textAt(at(service, "spec"), "type");
  const auto ports = static_cast<__int128>(at(service, "spec", "ports").size()) * 1'000'000'000;
  if (type == "LoadBalancer") out["services.loadbalancers"] = kOne;
  if (type == "LoadBalancer" || type == "NodePort") out["services.nodeports"] = Quantity(ports, Quantity::Format::DecimalSI);
  return out;
}

bool bestEffort(const Json& pod) {
  for (const char* list : {"containers", "initContainers"}) {
    for (const Json& c : at(pod, "spec", list)) {
      for (const char* kind : {"requests", "limits"}) {
        for (const auto& [name, amount] : amounts(at(c, "resources", kind))) {
          if ((name == "cpu" || name == "memory") && amount > Quantity()) return false;
        }
      }
    }
  }
  return true;
}

bool scopeHolds(const std::string& scope, const Json& pod) {
  const bool terminating = at(pod, "spec", "activeDeadlineSeconds").is_number();
  if (scope == "Terminating") return terminating;
  if (scope == "NotTerminating") return !terminating;
  if (scope == "BestEffort") return bestEffort(pod);
  if (scope == "NotBestEffort") return !bestEffort(pod);
  if (scope == "PriorityClass") return !textAt(at(pod, "spec"), "priorityClassName").empty();
  return false;
}

bool expressionHolds(const Json& expression, const Json& pod) {
  const std::string op = textAt(expression, "operator");
  const std::string scope = textAt(expression, "scopeName");
  if (scope != "PriorityClass" || op == "Exists") return scopeHolds(scope, pod);
  const std::string name = textAt(at(pod, "spec"), "priorityClassName");
  const Json& values = at(expression, "values");
  const bool listed = std::find(values.begin(), values.end(), Json(name)) != values.end();
  if (op == "In") return listed;
  if (op == "NotIn") return !listed;
  return op == "DoesNotExist" && name.empty();
}

}  // namespace

Usage amounts(const Json& quantities) {
  Usage out;
  if (!quantities.is_object()) return out;
  for (const auto& [name, value] : quantities.items()) {
    if (auto q = quantityOf(value)) out[name] = *q;
  }
  return out;
}

Json toJson(const Usage& usage) {
  Json out = Json::object();
  for (const auto& [name, amount] : usage) out[name] = amount.canonical();
  return out;
}

Usage add(Usage a, const Usage& b) {
  for (const auto& [name, amount] : b) a[name] = a[name] + amount;
  return a;
}

Usage subtract(Usage a, const Usage& b) {
  for (const auto& [name, amount] : b) a[name] = a[name] - amount;
  return a;
}

Usage boundedBy(const Usage& usage, const Usage& hard) {
  Usage out;
  for (const auto& [name, amount] : usage) {
    if (hard.contains(name)) out[name] = amount;
  }
  return out;
}

Usage usageOf(const Resource& resource, const Json& object) {
  Usage out;
  if (resource.group.empty()) {
    if (resource.plural == "pods" && !ended(object)) out = podUsage(object);
    if (resource.plural == "persistentvolumeclaims") out = claimUsage(object);
    if (resource.plural == "services") out = serviceUsage(object);
    for (const char* plural : {"configmaps", "secrets", "resourcequotas"}) {
      if (resource.plural == plural) out[plural] = kOne;
    }
  }
  out["count/" + resource.qualified()] = kOne;
  return out;
}

bool counts(const Json& quota, const Resource& resource, const Json& object) {
  const Json& scopes = at(quota, "spec", "scopes");
  const Json& expressions = at(quota, "spec", "scopeSelector", "matchExpressions");
  if (scopes.empty() && expressions.empty()) return true;
  if (!resource.group.empty() || resource.plural != "pods") return false;
  for (const Json& scope : scopes) {
    if (!scope.is_string() || !scopeHolds(scope.get<std::string>(), object)) return false;
  }
  return std::all_of(expressions.begin(), expressions.end(), [&](const Json& e) { return expressionHolds(e, object); });
}

std::vector<std::string> overLimit(const Usage& hard, const Usage& used, const Usage& more) {
  std::vector<std::string> out;
  for (const auto& [name, amount] : more) {
    auto limit = hard.find(name);
    if (limit == hard.end() || amount <= Quantity()) continue;
    auto present = used.find(name);
    if ((present == used.end() ? amount : present->second + amount) > limit->second) out.push_back(name);
  }
  return out;
}

std::string unspecified(const Usage& hard, const Json& pod) {
  std::map<std::string, std::string> missing;
  for (const auto& [key, limit] : hard) {
    const bool limits = key.starts_with("limits.");
    const std::string name = key.starts_with("requests.") ? key.substr(9) : limits ? key.substr(7) : key;
    if (name != "cpu" && name != "memory") continue;
    for (const char* list : {"containers", "initContainers"}) {
      for (const Json& c : at(pod, "spec", list)) {
        if (!at(c, "resources", limits ? "limits" : "requests", name.c_str()).is_null()) continue;
        std::string& names = missing[key];
        names += (names.empty() ? "" : ",") + textAt(c, "name");
      }
    }
  }
  std::string out;
  for (const auto& [key, names] : missing) out += (out.empty() ? "" : "; ") + key + " for: " + names;
  return out;
}

}  // namespace slipway::quota
