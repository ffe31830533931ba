// Rows of HorizontalPodAutoscalers (both versions) and of Nodes.
#include "data/quantity.h"
#include "objects/table/cells.h"

namespace slipway::table {
namespace {

constexpr std::size_t kShownMetrics = 2;

std::string valueText(const Json& source, const char* name) {
  auto q = quantityOf(at(source, name));
  return q ? q->canonical() : "";
}

// "current/target" of one metric block, such as spec.metrics[0].resource and its status.
std::string ratio(const Json& target, const Json& current) {
  if (!at(target, "averageUtilization").is_null()) {
    const Json& now = at(current, "averageUtilization");
    return fmt::format("{}/{}%", now.is_null() ? "<unknown>" : fmt::format("{}%", now.get<std::int64_t>()),
                       intAt(target, "averageUtilization"));
  }
  if (!at(target, "averageValue").is_null()) {
    const std::string now = valueText(current, "averageValue");
    return (now.empty() ? "<unknown>" : now) + "/" + valueText(target, "averageValue");
  }
  const std::string now = valueText(current, "value");
  return (now.empty() ? "<unknown>" : now) + "/" + valueText(target, "value");
}

std::string metricText(const Json& metric, const Json& current) {
  const std::string type = textAt(metric, "type");
  if (type == "Resource")
    return textAt(at(metric, "resource"), "name") + ": " +
           ratio(at(metric, "resource", "target"), at(current, "resource", "current"));
  if (type == "ContainerResource") {
    return textAt(at(metric, "containerResource"), "name") + ": " +
           ratio(at(metric, "containerResource", "target"), at(current, "containerResource", "current"));
  }
  if (type == "Pods") return ratio(at(metric, "pods", "target"), at(current, "pods", "current"));
  if (type == "Object") return ratio(at(metric, "object", "target"), at(current, "object", "current"));
  if (type == "External") {
    const Json& target = at(metric, "external", "target");
    return ratio(target, at(current, "external", "current")) + (at(target, "averageValue").is_null() ? "" : " (avg)");
  }
  return "<unknown type>";
}

std::string targets(const Json& scaler) {
  const Json& metrics = at(scaler, "spec", "metrics");
  if (const Json& percent = at(scaler, "spec", "targetCPUUtilizationPercentage"); !percent.is_null()) {  // autoscaling/v1
    const Json& now = at(scaler, "status", "currentCPUUtilizationPercentage");
    return fmt::format("cpu: {}/{}%", now.is_null() ? "<unknown>" : dumpJson(now) + "%", dumpJson(percent));
  }
  if (metrics.empty()) return "<none>";
  const Json& current = at(scaler, "status", "currentMetrics");
  std::string out;
  for (std::size_t i = 0; i < metrics.size() && i < kShownMetrics; ++i) {
    out += (i == 0 ? "" : ", ") + metricText(metrics[i], current.is_array() && i < current.size() ? current[i] : Json());
  }
  if (metrics.size() > kShownMetrics) out += fmt::format(" + {} more...", metrics.size() - kShownMetrics);
  return out;
}

std::string nodeStatus(const Json& node) {
  std::string out = "Unknown";
  for (const Json& c : at(node, "status", "conditions")) {
    if (textAt(c, "type") == "Ready") out = textAt(c, "status") == "True" ? "Ready" : "NotReady";
  }
  return boolAt(at(node, "spec"), "unschedulable") ? out + ",SchedulingDisabled" : out;
}

std::string nodeRoles(const Json& node) {
  constexpr std::string_view kPrefix = "node-role.kubernetes.io/";
  std::set<std::string> roles;
  const Json& labels = at(node, "metadata", "labels");
  if (labels.is_object()) {
    for (const auto& [key, value] : labels.items()) {
      if (key.starts_with(kPrefix) && key.size() > kPrefix.size()) roles.insert(key.substr(kPrefix.size()));
      if (key == "kubernetes.io/role" && value.is_string()) roles.insert(value.get<std::string>());
    }
  }
  std::string out;
  for (const auto& role : roles) out += (out.empty() ? "" : ",") + role;
  return out.empty() ? "<none>" : out;
}

std::string nodeAddress(const Json& node, std::string_view type) {
  for (const Json& a : at(node, "status", "addresses")) {
    if (textAt(a, "type") == type) return textAt(a, "address");
  }
  return "<none>";
}

}  // namespace

std::vector<Json> scalerCells(const Json& scaler, std::int64_t now) {
  const Json& spec = at(scaler, "spec");
  const Json& least = at(spec, "minReplicas");
  return {textAt(at(scaler, "metadata"), "name"),
          textAt(at(spec, "scaleTargetRef"), "kind") + "/" + textAt(at(spec, "scaleTargetRef"), "name"),
          targets(scaler),
          least.is_null() ? "<unset>" : dumpJson(least),
          intAt(spec, "maxReplicas"),
          intAt(at(scaler, "status"), "currentReplicas"),
          age(at(scaler, "metadata", "creationTimestamp"), now)};
}

std::vector<Json> nodeCells(const Json& node, std::int64_t now) {
  const Json& info = at(node, "status", "nodeInfo");
  const auto orUnknown = [&](const char* name) { return textAt(info, name, "<unknown>"); };
  return {textAt(at(node, "metadata"), "name"),
          nodeStatus(node),
          nodeRoles(node),
          age(at(node, "metadata", "creationTimestamp"), now),
          textAt(info, "kubeletVersion"),
          nodeAddress(node, "InternalIP"),
          nodeAddress(node, "ExternalIP"),
          orUnknown("osImage"),
          orUnknown("kernelVersion"),
          orUnknown("containerRuntimeVersion")};
}

}  // namespace slipway::table
