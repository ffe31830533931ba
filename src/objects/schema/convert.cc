#include "objects/schema/convert.h"

namespace slipway {
namespace {

constexpr const char* kMetrics = "autoscaling.alpha.kubernetes.io/metrics";
constexpr const char* kCurrent = "autoscaling.alpha.kubernetes.io/current-metrics";
constexpr const char* kBehavior = "autoscaling.alpha.kubernetes.io/behavior";
constexpr const char* kConditions = "autoscaling.alpha.kubernetes.io/conditions";

void rename(Json& object, const char* from, const char* to) {
  auto it = object.find(from);
  if (it == object.end()) return;
  Json value = std::move(*it);
  object.erase(from);
  object[to] = std::move(value);
}

bool isCpuUtilization(const Json& metric, const char* values) {
  return textAt(metric, "type") == "Resource" && textAt(at(metric, "resource"), "name") == "cpu" &&
         !at(metric, "resource", values, "averageUtilization").is_null();
}

Json cpuMetric(const char* values, const Json& percent) {
  Json inner = {{"averageUtilization", percent}};
  if (std::string_view(values) == "target") inner["type"] = "Utilization";
  return {{"type", "Resource"}, {"resource", {{"name", "cpu"}, {values, std::move(inner)}}}};
}

void annotate(Json& object, const char* name, const Json& value) {
  if (!value.empty()) object["metadata"]["annotations"][name] = dumpJson(value);
}

// The value of such an annotation, which is taken off the object; null when it is absent or damaged.
Json takeAnnotation(Json& object, const char* name) {
  const Json& text = at(object, "metadata", "annotations", name);
  if (!text.is_string()) return nullptr;
  auto value = parseJson(text.get_ref<const std::string&>());
  Json& annotations = object["metadata"]["annotations"];
  annotations.erase(name);
  if (annotations.empty()) object["metadata"].erase("annotations");
  return value ? std::move(*value) : Json();
}

// Splits a v2 list of metrics into v1's percentage and the rest.
Json takeCpu(Json& holder, const char* list, const char* values) {
  Json rest = Json::array();
  Json percent;
  for (const Json& metric : at(holder, list)) {
    if (percent.is_null() && isCpuUtilization(metric, values))
      percent = at(metric, "resource", values, "averageUtilization");
    else
      rest.push_back(metric);
  }
  holder.erase(list);
  holder["rest"] = std::move(rest);
  return percent;
}

void scalerToV1(Json& object) {
  if (at(object, "spec").is_object()) {
    Json& spec = object["spec"];
    const Json percent = takeCpu(spec, "metrics", "target");
    if (!percent.is_null()) spec["targetCPUUtilizationPercentage"] = percent;
    annotate(object, kMetrics, spec["rest"]);
    annotate(object, kBehavior, at(spec, "behavior"));
    spec.erase("rest");
    spec.erase("behavior");
  }
  if (at(object, "status").is_object()) {
    Json& status = object["status"];
    const Json percent = takeCpu(status, "currentMetrics", "current");
    if (!percent.is_null()) status["currentCPUUtilizationPercentage"] = percent;
    annotate(object, kCurrent, status["rest"]);
    annotate(object, kConditions, at(status, "conditions"));
    status.erase("rest");
    status.erase("conditions");
    if (!status.contains("currentReplicas")) status["currentReplicas"] = 0;
  }
}

void joinCpu(Json& holder, const char* percentName, const char* list, const char* values, const Json& rest) {
  Json metrics = rest.is_array() ? rest : Json::array();
  if (const Json percent = at(holder, percentName); !percent.is_null())
    metrics.insert(metrics.begin(), cpuMetric(values, percent));
  holder.erase(percentName);
  if (!metrics.empty()) holder[list] = std::move(metrics);
}

void scalerToV2(Json& object) {
  const Json metrics = takeAnnotation(object, kMetrics);
  const Json current = takeAnnotation(object, kCurrent);
  const Json behavior = takeAnnotation(object, kBehavior);
  const Json conditions = takeAnnotation(object, kConditions);
  if (at(object, "spec").is_object()) {
    joinCpu(object["spec"], "targetCPUUtilizationPercentage", "metrics", "target", metrics);
    if (behavior.is_object()) object["spec"]["behavior"] = behavior;
  }
  if (at(object, "status").is_object()) {
    joinCpu(object["status"], "currentCPUUtilizationPercentage", "currentMetrics", "current", current);
    if (conditions.is_array()) object["status"]["conditions"] = conditions;
  }
}

constexpr std::pair<const char*, const char*> kEventFields[] = {
    // core/v1, events.k8s.io/v1
    {"involvedObject", "regarding"},
    {"message", "note"},
    {"source", "deprecatedSource"},
    {"firstTimestamp", "deprecatedFirstTimestamp"},
    {"lastTimestamp", "deprecatedLastTimestamp"},
    {"count", "deprecatedCount"},
    {"reportingComponent", "reportingController"}};

}  // namespace

Json convertObject(Json object, std::string_view apiVersion) {
  const std::string from = textAt(object, "apiVersion");
  if (from == apiVersion || !object.is_object()) return object;
  const std::string kind = textAt(object, "kind");
  if (kind == "HorizontalPodAutoscaler") {
    if (apiVersion == "autoscaling/v1")
      scalerToV1(object);
    else if (from == "autoscaling/v1")
      scalerToV2(object);
  } else if (kind == "Event") {
    for (const auto& [core, events] : kEventFields) {
      if (apiVersion == "v1")
        rename(object, events, core);
      else
        rename(object, core, events);
    }
  }
  object["apiVersion"] = apiVersion;
  return object;
}

}  // namespace slipway
