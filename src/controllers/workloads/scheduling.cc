#include "controllers/workloads/scheduling.h"

#include "data/quantity.h"

namespace slipway::workloads {
namespace {

std::int64_t milli(const Json& value) {
  auto q = quantityOf(value);
  return q ? q->milliValue() : 0;
}

Resources requestsOfContainer(const Json& container) {
  Resources out;
  const Json& requests = at(container, "resources", "requests");
  if (requests.is_object()) {
    for (const auto& [name, value] : requests.items()) out[name] = milli(value);
  }
  const Json& limits = at(container, "resources", "limits");
  if (limits.is_object()) {
    for (const auto& [name, value] : limits.items())
      out.try_emplace(name, milli(value));  // a limit alone is also the request
  }
  return out;
}

void addTo(Resources& sum, const Resources& more) {
  for (const auto& [name, n] : more) sum[name] += n;
}
void raiseTo(Resources& sum, const Resources& more) {
  for (const auto& [name, n] : more) sum[name] = std::max(sum[name], n);
}

bool expressionMatches(const Json& e, const Json& labels) {
  const std::string op = textAt(e, "operator");
  const Json& label = at(labels, textAt(e, "key"));
  const bool present = label.is_string();
  const Json& values = at(e, "values");
  const bool listed = present && std::find(values.begin(), values.end(), label) != values.end();
  if (op == "In") return listed;
  if (op == "NotIn") return !listed;
  if (op == "Exists") return present;
  if (op == "DoesNotExist") return !present;
  if ((op == "Gt" || op == "Lt") && present && values.size() == 1 && values[0].is_string()) {
    const auto have = std::atoll(label.get<std::string>().c_str());
    const auto want = std::atoll(values[0].get<std::string>().c_str());
    return op == "Gt" ? have > want : have < want;
  }
  return false;
}

bool termMatches(const Json& term, const Json& node) {
  const Json& labels = at(node, "metadata", "labels");
  const Json& expressions = at(term, "matchExpressions");
  const Json& fields = at(term, "matchFields");
  if (expressions.empty() && fields.empty()) return false;
  const Json names{{"metadata.name", textAt(at(node, "metadata"), "name")}};
  return std::all_of(expressions.begin(), expressions.end(), [&](const Json& e) { return expressionMatches(e, labels); }) &&
         std::all_of(fields.begin(), fields.end(), [&](const Json& e) { return expressionMatches(e, names); });
}

std::set<std::pair<std::string, std::int64_t>> hostPorts(const Json& pod) {
  std::set<std::pair<std::string, std::int64_t>> out;
  for (const auto& c : at(pod, "spec", "containers")) {
    for (const auto& p : at(c, "ports")) {
      if (const auto port = intAt(p, "hostPort"); port > 0) out.insert({textAt(p, "protocol", "TCP"), port});
    }
  }
  return out;
}

// Everything that does not fit, and whether it would not fit on an empty node either.
void checkResources(const Json& node, const Json& pod, const std::vector<Object>& others, NodeFit& fit) {
  const Json& allocatable = at(node, "status", "allocatable");
  const auto most = at(allocatable, "pods").is_null() ? std::int64_t{110} : milli(at(allocatable, "pods")) / 1000;
  if (static_cast<std::int64_t>(others.size()) + 1 > most) fit.reasons.push_back("Too many pods");
  Resources used;
  for (const auto& other : others) addTo(used, requestsOf(*other));
  for (const auto& [name, need] : requestsOf(pod)) {
    const std::int64_t have = milli(at(allocatable, name));
    if (need <= 0 || used[name] + need <= have) continue;
    fit.reasons.push_back("Insufficient " + name);
    if (need > have) fit.helpless = true;
  }
}

double requestedShare(const Json& node, const std::vector<Object>& others) {
  Resources used;
  for (const auto& other : others) addTo(used, requestsOf(*other));
  double share = 0;
  for (const char* name : {"cpu", "memory"}) {
    const auto have = milli(at(node, "status", "allocatable", name));
    if (have > 0) share += static_cast<double>(used[name]) / static_cast<double>(have);
  }
  return share;
}

std::string countText(const std::map<std::string, int>& counts) {
  std::vector<std::string> parts;
  for (const auto& [reason, n] : counts) parts.push_back(fmt::format("{} {}", n, reason));
  std::sort(parts.begin(), parts.end());
  std::string out;
  for (const auto& p : parts) out += (out.empty() ? "" : ", ") + p;
  return out;
}

}  // namespace

Resources requestsOf(const Json& pod) {
  Resources sum, peak, sidecars;
  for (const auto& c : at(pod, "spec", "containers")) addTo(sum, requestsOfContainer(c));
  for (const auto& c : at(pod, "spec", "initContainers")) {
    Resources one = requestsOfContainer(c);
    if (textAt(c, "restartPolicy") == "Always") {  // a sidecar runs beside everything after it
      addTo(sum, one);
      addTo(sidecars, one);
      raiseTo(peak, sidecars);
    } else {
      addTo(one, sidecars);
      raiseTo(peak, one);
    }
  }
  raiseTo(sum, peak);
  const Json& overhead = at(pod, "spec", "overhead");
  if (overhead.is_object()) {
    for (const auto& [name, value] : overhead.items()) sum[name] += milli(value);
  }
  return sum;
}

bool tolerates(const Json& pod, const Json& taint) {
  for (const auto& t : at(pod, "spec", "tolerations")) {
    const std::string effect = textAt(t, "effect");
    const std::string key = textAt(t, "key");
    const bool exists = textAt(t, "operator", "Equal") == "Exists";
    if (!effect.empty() && effect != textAt(taint, "effect")) continue;
    if (!key.empty() && key != textAt(taint, "key")) continue;
    if (key.empty() && !exists) continue;
    if (exists || textAt(t, "value") == textAt(taint, "value")) return true;
  }
  return false;
}

bool nodeAffinityMatches(const Json& pod, const Json& node) {
  const Json& selector = at(pod, "spec", "nodeSelector");
  if (selector.is_object()) {
    for (const auto& [key, value] : selector.items()) {
      if (at(node, "metadata", "labels", key) != value) return false;
    }
  }
  const Json& required = at(pod, "spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution");
  if (required.is_null()) return true;
  const Json& terms = at(required, "nodeSelectorTerms");
  return std::any_of(terms.begin(), terms.end(), [&](const Json& t) { return termMatches(t, node); });
}

bool awaitsScheduling(const Json& pod) {
  const Json& spec = at(pod, "spec");
  return textAt(spec, "nodeName").empty() && textAt(spec, "schedulerName", "default-scheduler") == "default-scheduler" &&
         isActive(pod) && at(spec, "schedulingGates").empty();
}

namespace {

// The pods of `others` that an affinity term means.
std::vector<Object> matchesOf(const Json& term, const Json& pod, const std::vector<Object>& others) {
  std::vector<Object> out;
  const Json& namespaces = at(term, "namespaces");
  for (const auto& other : others) {
    const std::string ns = textAt(at(*other, "metadata"), "namespace");
    const bool listed = std::find(namespaces.begin(), namespaces.end(), Json(ns)) != namespaces.end();
    const bool own =
        namespaces.empty() && at(term, "namespaceSelector").is_null() && ns == textAt(at(pod, "metadata"), "namespace");
    // Labels of namespaces are not looked at: an empty selector means all, another one none.
    const Json& selector = at(term, "namespaceSelector");
    const bool all = selector.is_object() && selector.empty();
    if ((listed || own || all) && selects(at(term, "labelSelector"), *other)) out.push_back(other);
  }
  return out;
}

// Everything here is one topology domain: the node's.
std::string podAffinityRefusal(const Json& node, const Json& pod, const std::vector<Object>& others) {
  const char* const kRequired = "requiredDuringSchedulingIgnoredDuringExecution";
  const Json& affinity = at(pod, "spec", "affinity");
  for (const auto& term : at(affinity, "podAffinity", kRequired)) {
    const bool labelled = at(node, "metadata", "labels", textAt(term, "topologyKey")).is_string();
    // The first of a group that wants to be together matches only itself.
    const bool itself = selects(at(term, "labelSelector"), pod);
    if (!labelled || (matchesOf(term, pod, others).empty() && !itself)) return "node(s) didn't match pod affinity rules";
  }
  for (const auto& term : at(affinity, "podAntiAffinity", kRequired)) {
    const bool labelled = at(node, "metadata", "labels", textAt(term, "topologyKey")).is_string();
    if (labelled && !matchesOf(term, pod, others).empty()) return "node(s) didn't match pod anti-affinity rules";
  }
  for (const auto& other : others) {
    for (const auto& term : at(*other, "spec", "affinity", "podAntiAffinity", kRequired)) {
      const bool labelled = at(node, "metadata", "labels", textAt(term, "topologyKey")).is_string();
      if (labelled && !matchesOf(term, *other, {std::make_shared<const Json>(pod)}).empty())
        return "node(s) didn't satisfy existing pods anti-affinity rules";
    }
  }
  return "";
}

bool underMemoryPressure(const Json& node) {
  for (const auto& c : at(node, "status", "conditions"))
    if (textAt(c, "type") == "MemoryPressure") return textAt(c, "status") == "True";
  return false;
}

}  // namespace

NodeFit fitOn(const Json& node, const Json& pod, const std::vector<Object>& others) {
  static const Json kUnschedulable{{"key", "node.kubernetes.io/unschedulable"}, {"effect", "NoSchedule"}};
  if (boolAt(at(node, "spec"), "unschedulable") && !tolerates(pod, kUnschedulable))
    return {{"node(s) were unschedulable"}, true};
  for (const auto& taint : at(node, "spec", "taints")) {
    const std::string effect = textAt(taint, "effect");
    if ((effect == "NoSchedule" || effect == "NoExecute") && !tolerates(pod, taint))
      return {{"node(s) had untolerated taint(s)"}, true};
  }
  // As the taint that a node under pressure gets on a cluster: pods that reserve no memory wait.
  if (underMemoryPressure(node) && !requestsOf(pod).contains("memory")) return {{"node(s) had untolerated taint(s)"}, true};
  if (!nodeAffinityMatches(pod, node)) return {{"node(s) didn't match Pod's node affinity/selector"}, true};
  const auto wanted = hostPorts(pod);
  for (const auto& other : others) {
    for (const auto& port : hostPorts(*other)) {
      if (wanted.contains(port)) return {{"node(s) didn't have free ports for the requested pod ports"}, false};
    }
  }
  if (const std::string why = podAffinityRefusal(node, pod, others); !why.empty()) return {{why}, false};
  NodeFit fit;
  checkResources(node, pod, others, fit);
  return fit;
}

Placement place(const Json& pod, const std::vector<Object>& nodes, const std::vector<Object>& pods) {
  if (nodes.empty()) return {"", "no nodes available to schedule pods"};
  std::map<std::string, int> reasons, preemption;
  Placement best;
  double bestShare = 0;
  for (const auto& node : nodes) {
    const std::string name = textAt(at(*node, "metadata"), "name");
    std::vector<Object> others;
    for (const auto& other : pods) {
      if (textAt(at(*other, "spec"), "nodeName") == name && !isTerminal(*other)) others.push_back(other);
    }
    const NodeFit fit = fitOn(*node, pod, others);
    for (const auto& reason : fit.reasons) ++reasons[reason];
    if (!fit.reasons.empty()) {
      ++preemption[fit.helpless ? "Preemption is not helpful for scheduling."
                                : "No preemption victims found for incoming pod."];
      continue;
    }
    const double share = requestedShare(*node, others);
    if (!best.node.empty() && share >= bestShare) continue;
    best.node = name;
    bestShare = share;
  }
  if (!best.node.empty()) return best;
  // "no new claims to deallocate" is how 1.34's DynamicResources plugin ends up in front of the preemption half.
  std::string second = countText(preemption);
  for (std::size_t dot; (dot = second.find(".,")) != std::string::npos;) second.erase(dot, 1);
  return {"", fmt::format("0/{0} nodes are available: {1}. no new claims to deallocate, preemption: {2}", nodes.size(),
                          countText(reasons),
                          textAt(at(pod, "spec"), "preemptionPolicy") == "Never"
                              ? "not eligible due to preemptionPolicy=Never."
                              : fmt::format("0/{} nodes are available: {}", nodes.size(), second))};
}

}  // namespace slipway::workloads
