// The autoscaling part of validate.h.
#include <charconv>

#include "objects/serving/keys.h"
#include "objects/serving/validate.h"
#include "objects/serving/view.h"

namespace slipway::isvc {

namespace {

tl::unexpected<Error> deny(std::string message) { return fail(Code::Forbidden, std::move(message)); }

constexpr std::int64_t kMaxReplicas = 100'000;  // far above any deployment, far below overflow

Status validateReplicas(const Json& component, const char* name) {
  std::int64_t least = intAt(component, "minReplicas", 1), most = intAt(component, "maxReplicas", 0);
  if (least < 0) return deny("'MinReplicas' cannot be less than 0");
  if (most < 0) return deny("'MaxReplicas' cannot be less than 0");
  if (least > most && most != 0) return deny("'MinReplicas' cannot be greater than MaxReplicas");
  if (least > kMaxReplicas || most > kMaxReplicas) {
    return deny(fmt::format("spec.{}: minReplicas and maxReplicas may be at most {}", name, kMaxReplicas));
  }
  return {};
}

Status validateCpuTarget(std::int64_t target) {
  if (target >= 1 && target <= 100) return {};
  return deny("the target utilization percentage should be a [1-100] integer");
}

Status validateHpa(const Json& component, bool classAsked) {
  std::string metric = textAt(component, "scaleMetric", "cpu");
  // Without the annotation, concurrency and rps are wishes that a gateway-driven autoscaler can meet; with class hpa they
  // cannot be met.
  if (classAsked && metric != "cpu" && metric != "memory") return deny("[" + metric + "] is not a supported metric");
  if (at(component, "scaleTarget").is_number_integer()) {
    std::int64_t target = intAt(component, "scaleTarget");
    if (metric == "cpu") SLIP_CHECK(validateCpuTarget(target));
    if (metric == "memory" && target < 1) return deny("the target memory should be greater than 1 MiB");
  }
  const Json& metrics = at(component, "autoScaling", "metrics");
  if (!metrics.is_array() || !classAsked) return {};
  for (const Json& entry : metrics) {
    std::string type = textAt(entry, "type");
    if (type != "Resource") {
      return deny("invalid HPA metric source type with value [" + type + "],valid metric source types are Resource");
    }
    if (!at(entry, "resource").is_object()) return deny("metricSpec.Resource is not set for resource metric source type");
  }
  return {};
}

Status validateKedaMetric(const Json& entry) {
  std::string type = textAt(entry, "type");
  if (type == "Resource") {
    const Json& target = at(entry, "resource", "target");
    if (!target.is_object()) return deny("metricSpec.Resource is not set for resource metric source type");
    std::string name = textAt(at(entry, "resource"), "name"), kind = textAt(target, "type");
    if (name == "cpu" && kind != "Utilization") return deny("the cpu target value type should be Utilization");
    if (name == "memory" && kind != "Utilization" && kind != "AverageValue") {
      return deny("the memory target value type should be AverageValue or Utilization");
    }
    return {};
  }
  const char* key = type == "External" ? "external" : "podmetric";
  if (type != "External" && type != "PodMetric") return deny("unknown KEDA metric type with value [" + type + "]");
  const Json& source = at(entry, key);
  if (!source.is_object()) return deny(fmt::format("metricSpec.{} is not set for {} metric source type", type, type));
  if (textAt(at(source, "metric"), "query").empty()) return deny("the query should not be empty");
  if (at(source, "target", "value").is_null() && at(source, "target", "averageValue").is_null()) {
    return deny("the target threshold value should not be empty");
  }
  return {};
}

Status validateKeda(const Json& component) {
  if (!at(component, "scaleMetric").is_null()) return deny("ScaleMetric is not supported for KEDA");
  const Json& metrics = at(component, "autoScaling", "metrics");
  if (!metrics.is_array()) return {};
  for (const Json& entry : metrics) SLIP_CHECK(validateKedaMetric(entry));
  return {};
}

Status validateKnative(const Json& isvc, const Json& component) {
  if (annotation(isvc, "autoscaling.knative.dev/class") == "hpa.autoscaling.knative.dev")
    return validateHpa(component, true);
  if (!at(component, "deploymentStrategy").is_null()) {
    return deny("customizing deploymentStrategy is only supported for raw deployment mode");
  }
  std::string metric = textAt(component, "scaleMetric");
  if (!metric.empty() && metric != "concurrency" && metric != "rps")
    return deny("[" + metric + "] is not a supported metric");
  if (metric == "rps" && at(component, "scaleTarget").is_number_integer() && intAt(component, "scaleTarget") < 1) {
    return deny("the target for rps should be greater than 1");
  }
  return {};
}

// The older way to ask for an HPA: annotations `metrics` and `targetUtilizationPercentage`.
Status validateAnnotatedHpa(const Json& isvc) {
  std::string metric = annotation(isvc, kMetrics), target = annotation(isvc, kTargetUtilization);
  if (!metric.empty() && metric != "cpu" && metric != "memory") return deny("[" + metric + "] is not a supported metric");
  if (target.empty()) return {};
  std::int64_t value = 0;
  auto [end, error] = std::from_chars(target.data(), target.data() + target.size(), value);
  if (error != std::errc() || end != target.data() + target.size()) value = 0;
  return validateCpuTarget(value);
}

}  // namespace

Status validateScaling(const Json& isvc, const ServingConfig& config) {
  std::string scaler = annotation(isvc, kAutoscalerClass);
  static const std::set<std::string> kClasses = {"", "hpa", "external", "keda", "none"};
  if (!kClasses.contains(scaler)) return deny("[" + scaler + "] is not a supported autoscaler class type");
  bool standard = requestedMode(isvc, config) == Mode::Standard;
  for (Component which : kComponents) {
    const Json& component = componentSpec(isvc, which);
    if (!component.is_object()) continue;
    SLIP_CHECK(validateReplicas(component, componentName(which)));
    if (!standard) {
      SLIP_CHECK(validateKnative(isvc, component));
    } else if (scaler == "keda") {
      SLIP_CHECK(validateKeda(component));
    } else if (scaler.empty() || scaler == "hpa") {
      SLIP_CHECK(validateHpa(component, scaler == "hpa"));
    }
  }
  return standard ? validateAnnotatedHpa(isvc) : Status{};
}

}  // namespace slipway::isvc
