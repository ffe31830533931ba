#include "cmd/node_hooks.h"

#include "apiserver/api_status.h"
#include "node/pod_fields.h"

namespace slipway::cmd {
namespace {

using apiserver::Admission;
using apiserver::AdmissionRequest;
using apiserver::Operation;

std::string joined(const std::vector<std::string>& lines) {
  std::string all;
  for (const std::string& line : lines) all += (all.empty() ? "" : "; ") + line;
  return all;
}

Status refusePod(const AdmissionRequest& request, const Json& pod) {
  if (request.operation != Operation::Create || !request.subresource.empty()) return {};
  const std::vector<std::string> refused = node::podRefusals(at(pod, "spec"));
  if (refused.empty()) return {};
  return apiserver::forbidden(request.resource, textAt(at(pod, "metadata"), "name"), joined(refused));
}

// The pods will be refused when they are made; whoever writes the template learns it at once.
Status warnOfTemplate(const AdmissionRequest& request, const Json& object) {
  if (request.operation == Operation::Delete || !request.subresource.empty() || request.warnings == nullptr) return {};
  for (const std::string& line : node::podRefusals(at(object, "spec", "template", "spec"), "spec.template.spec"))
    request.warnings->push_back(line);
  return {};
}

Status refuseDaemonSet(const AdmissionRequest& request, const Json& object) {
  if (request.operation != Operation::Create) return {};
  return apiserver::forbidden(request.resource, textAt(at(object, "metadata"), "name"),
                              "DaemonSets are not run: there is one node; use a Deployment with replicas: 1");
}

}  // namespace

std::vector<Admission> nodeHooks() {
  std::vector<Admission> hooks;
  hooks.push_back({.group = "", .kind = "Pod", .validate = refusePod});
  for (const char* kind : {"Deployment", "ReplicaSet", "StatefulSet"})
    hooks.push_back({.group = "apps", .kind = kind, .validate = warnOfTemplate});
  hooks.push_back({.group = "apps", .kind = "DaemonSet", .validate = refuseDaemonSet});
  return hooks;
}

}  // namespace slipway::cmd
