#include "objects/schema/names.h"
#include "objects/schema/rules.h"

namespace slipway::schema {
namespace {

constexpr std::size_t kMaxAnnotationBytes = 256 * 1024;

std::string nameProblem(const Resource& resource, const std::string& name) {
  if (resource.custom) return names::subdomain(name);
  if (resource.group.empty() && resource.kind == "Service") return names::label1035(name);
  if (resource.kind == "Namespace") return names::label(name);
  if (resource.group == "rbac.authorization.k8s.io") return names::pathSegment(name);
  return names::subdomain(name);
}

void checkName(const Resource& resource, const Json& metadata, Findings& findings) {
  const std::string name = textAt(metadata, "name");
  const std::string generate = textAt(metadata, "generateName");
  if (!generate.empty()) {
    // The suffix makes a trailing dash good.
    const bool dash = generate.back() == '-';
    findings.check("metadata.generateName", generate,
                   nameProblem(resource, dash ? generate.substr(0, generate.size() - 1) + "a" : generate));
  }
  if (name.empty()) {
    if (generate.empty()) findings.required("metadata.name", "name or generateName is required");
    return;
  }
  findings.check("metadata.name", name, nameProblem(resource, name));
}

void checkAnnotations(const Json& annotations, Findings& findings) {
  if (!annotations.is_object()) return;
  std::size_t total = 0;
  for (const auto& [key, value] : annotations.items()) {
    std::string lower = key;
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    findings.check("metadata.annotations", key, names::qualified(lower));
    total += key.size() + (value.is_string() ? value.get_ref<const std::string&>().size() : 0);
  }
  if (total > kMaxAnnotationBytes) findings.tooLong("metadata.annotations", kMaxAnnotationBytes);
}

void checkOwners(const Json& owners, Findings& findings) {
  if (!owners.is_array()) return;
  std::string controller;
  for (std::size_t i = 0; i < owners.size(); ++i) {
    const std::string field = fmt::format("metadata.ownerReferences[{}]", i);
    for (const char* key : {"apiVersion", "kind", "name", "uid"}) {
      if (textAt(owners[i], key).empty()) findings.invalid(field + "." + key, "", "must not be empty");
    }
    if (!boolAt(owners[i], "controller")) continue;
    const std::string name = textAt(owners[i], "kind") + "/" + textAt(owners[i], "name");
    if (!controller.empty()) {
      findings.invalid(
          "metadata.ownerReferences", owners,
          fmt::format("Only one reference can have Controller set to true. Found \"true\" in references for {} and {}",
                      controller, name));
    }
    controller = name;
  }
}

}  // namespace

void checkLabels(const Json& labels, const std::string& field, Findings& findings) {
  if (!labels.is_object()) return;
  for (const auto& [key, value] : labels.items()) {
    findings.check(field, key, names::qualified(key));
    if (value.is_string()) findings.check(field, value, names::labelValue(value.get_ref<const std::string&>()));
  }
}

void checkMetadata(const Resource& resource, const Json& object, Findings& findings) {
  const Json& metadata = at(object, "metadata");
  checkName(resource, metadata, findings);
  checkLabels(at(metadata, "labels"), "metadata.labels", findings);
  checkAnnotations(at(metadata, "annotations"), findings);
  const Json& finalizers = at(metadata, "finalizers");
  for (std::size_t i = 0; finalizers.is_array() && i < finalizers.size(); ++i) {
    if (finalizers[i].is_string())
      findings.check("metadata.finalizers", finalizers[i], names::qualified(finalizers[i].get_ref<const std::string&>()));
  }
  checkOwners(at(metadata, "ownerReferences"), findings);
}

void checkSelector(const Json& selector, const std::string& field, Findings& findings) {
  checkLabels(at(selector, "matchLabels"), field + ".matchLabels", findings);
  const Json& expressions = at(selector, "matchExpressions");
  for (std::size_t i = 0; expressions.is_array() && i < expressions.size(); ++i) {
    const std::string here = fmt::format("{}.matchExpressions[{}]", field, i);
    const std::string op = textAt(expressions[i], "operator");
    const bool values = !at(expressions[i], "values").empty();
    if (op == "In" || op == "NotIn") {
      if (!values) findings.required(here + ".values", "must be specified when `operator` is 'In' or 'NotIn'");
    } else if (op == "Exists" || op == "DoesNotExist") {
      if (values) findings.forbidden(here + ".values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
    } else {
      findings.invalid(here + ".operator", op, "not a valid selector operator");
    }
    findings.check(here + ".key", textAt(expressions[i], "key"), names::qualified(textAt(expressions[i], "key")));
  }
}

}  // namespace slipway::schema
