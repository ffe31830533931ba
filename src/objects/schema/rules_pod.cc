#include "data/quantity.h"
#include "objects/schema/names.h"
#include "objects/schema/rules.h"

namespace slipway::schema {
namespace {

using NameSet = std::set<std::string>;

void oneOf(const Json& object, const char* name, const std::string& field, std::vector<std::string_view> allowed,
           Findings& findings) {
  const Json& value = at(object, name);
  if (value.is_null()) return;
  if (std::find(allowed.begin(), allowed.end(), textAt(object, name)) == allowed.end())
    findings.notSupported(field + "." + name, value, allowed);
}

void notNegative(const Json& object, const char* name, const std::string& field, Findings& findings) {
  if (intAt(object, name) < 0) findings.invalid(field + "." + name, at(object, name), "must be greater than or equal to 0");
}

void checkPortReference(const Json& port, const std::string& field, Findings& findings) {
  if (port.is_null()) return findings.required(field);
  if (port.is_number_integer()) findings.check(field, port, names::portNumber(port.get<std::int64_t>()));
  if (port.is_string()) findings.check(field, port, names::portName(port.get_ref<const std::string&>()));
}

void checkHandler(const Json& probe, const std::string& field, Findings& findings) {
  int handlers = 0;
  for (const char* name : {"exec", "httpGet", "tcpSocket", "grpc"}) {
    const Json& handler = at(probe, name);
    if (handler.is_null()) continue;
    if (++handlers > 1) findings.forbidden(field + "." + name, "may not specify more than 1 handler type");
    const std::string here = field + "." + name;
    if (std::string_view(name) == "exec" && at(handler, "command").empty()) findings.required(here + ".command");
    if (std::string_view(name) == "httpGet" || std::string_view(name) == "tcpSocket")
      checkPortReference(at(handler, "port"), here + ".port", findings);
    if (std::string_view(name) == "httpGet") oneOf(handler, "scheme", here, {"HTTP", "HTTPS"}, findings);
  }
  if (handlers == 0) findings.required(field, "must specify a handler type");
}

void checkProbe(const Json& probe, const std::string& field, bool readiness, Findings& findings) {
  if (!probe.is_object()) return;
  checkHandler(probe, field, findings);
  for (const char* name :
       {"initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"}) {
    notNegative(probe, name, field, findings);
  }
  if (!readiness && intAt(probe, "successThreshold", 1) != 1) {
    findings.invalid(field + ".successThreshold", at(probe, "successThreshold"), "must be 1");
  }
}

void checkPorts(const Json& container, const std::string& field, Findings& findings) {
  NameSet seen;
  const Json& ports = at(container, "ports");
  for (std::size_t i = 0; ports.is_array() && i < ports.size(); ++i) {
    const std::string here = fmt::format("{}.ports[{}]", field, i);
    if (const std::string name = textAt(ports[i], "name"); !name.empty()) {
      findings.check(here + ".name", name, names::portName(name));
      if (!seen.insert(name).second) findings.duplicate(here + ".name", name);
    }
    findings.check(here + ".containerPort", at(ports[i], "containerPort"),
                   names::portNumber(intAt(ports[i], "containerPort")));
    if (intAt(ports[i], "hostPort") != 0)
      findings.check(here + ".hostPort", at(ports[i], "hostPort"), names::portNumber(intAt(ports[i], "hostPort")));
    oneOf(ports[i], "protocol", here, {"SCTP", "TCP", "UDP"}, findings);
  }
}

void checkEnvironment(const Json& container, const std::string& field, Findings& findings) {
  const Json& env = at(container, "env");
  for (std::size_t i = 0; env.is_array() && i < env.size(); ++i) {
    const std::string here = fmt::format("{}.env[{}]", field, i);
    const std::string name = textAt(env[i], "name");
    if (name.empty())
      findings.required(here + ".name");
    else
      findings.check(here + ".name", name, names::environment(name));
    const Json& from = at(env[i], "valueFrom");
    if (!from.is_object()) continue;
    if (!textAt(env[i], "value").empty())
      findings.invalid(here + ".valueFrom", "", "may not be specified when `value` is not empty");
    if (from.empty())
      findings.invalid(
          here + ".valueFrom", "",
          "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `fileKeyRef` or `secretKeyRef`");
    if (from.size() > 1) findings.invalid(here + ".valueFrom", "", "may not have more than one field specified at a time");
  }
}

void checkResources(const Json& resources, const std::string& field, Findings& findings) {
  const Json& limits = at(resources, "limits");
  for (const char* list : {"limits", "requests"}) {
    if (!at(resources, list).is_object()) continue;
    for (const auto& [name, value] : at(resources, list).items()) {
      const std::string here = fmt::format("{}.{}[{}]", field, list, name);
      const auto amount = quantityOf(value);
      if (!amount) continue;
      if (amount->negative()) findings.invalid(here, value, "must be greater than or equal to 0");
      if (std::string_view(list) != "requests") continue;
      const auto limit = quantityOf(at(limits, name));
      if (limit && *amount > *limit) {
        findings.invalid(fmt::format("{}.requests", field), value,
                         fmt::format("must be less than or equal to {} limit of {}", name, limit->canonical()));
      }
    }
  }
}

void checkMounts(const Json& container, const std::string& field, const NameSet& volumes, Findings& findings) {
  NameSet paths;
  const Json& mounts = at(container, "volumeMounts");
  for (std::size_t i = 0; mounts.is_array() && i < mounts.size(); ++i) {
    const std::string here = fmt::format("{}.volumeMounts[{}]", field, i);
    const std::string name = textAt(mounts[i], "name");
    const std::string path = textAt(mounts[i], "mountPath");
    if (name.empty())
      findings.required(here + ".name");
    else if (!volumes.contains(name))
      findings.notFound(here + ".name", name);
    if (path.empty())
      findings.required(here + ".mountPath");
    else if (!paths.insert(path).second)
      findings.invalid(here + ".mountPath", path, "must be unique");
    if (textAt(mounts[i], "subPath").find("..") != std::string::npos)
      findings.invalid(here + ".subPath", at(mounts[i], "subPath"), "must not contain '..'");
  }
}

void checkContainer(const Json& c, const std::string& field, const NameSet& volumes, Findings& findings) {
  const std::string image = textAt(c, "image");
  if (image.empty())
    findings.required(field + ".image");
  else if (image.find_first_not_of(" \t\n") != 0 || std::isspace(static_cast<unsigned char>(image.back()))) {
    findings.invalid(field + ".image", image, "must not have leading or trailing whitespace");
  }
  oneOf(c, "imagePullPolicy", field, {"Always", "IfNotPresent", "Never"}, findings);
  oneOf(c, "terminationMessagePolicy", field, {"FallbackToLogsOnError", "File"}, findings);
  checkPorts(c, field, findings);
  checkEnvironment(c, field, findings);
  checkResources(at(c, "resources"), field + ".resources", findings);
  checkMounts(c, field, volumes, findings);
  checkProbe(at(c, "livenessProbe"), field + ".livenessProbe", false, findings);
  checkProbe(at(c, "readinessProbe"), field + ".readinessProbe", true, findings);
  checkProbe(at(c, "startupProbe"), field + ".startupProbe", false, findings);
}

NameSet checkVolumes(const Json& spec, const std::string& field, Findings& findings) {
  NameSet volumes;
  const Json& list = at(spec, "volumes");
  for (std::size_t i = 0; list.is_array() && i < list.size(); ++i) {
    const std::string here = fmt::format("{}.volumes[{}]", field, i);
    const std::string name = textAt(list[i], "name");
    if (name.empty())
      findings.required(here + ".name");
    else
      findings.check(here + ".name", name, names::label(name));
    if (!name.empty() && !volumes.insert(name).second) findings.duplicate(here + ".name", name);
    int sources = 0;
    for (const auto& [key, value] : list[i].items()) {
      if (key != "name" && !value.is_null() && ++sources > 1)
        findings.forbidden(here + "." + key, "may not specify more than 1 volume type");
    }
    if (at(list[i], "persistentVolumeClaim").is_object() &&
        textAt(at(list[i], "persistentVolumeClaim"), "claimName").empty()) {
      findings.required(here + ".persistentVolumeClaim.claimName");
    }
    if (at(list[i], "hostPath").is_object() && textAt(at(list[i], "hostPath"), "path").empty())
      findings.required(here + ".hostPath.path");
  }
  return volumes;
}

}  // namespace

void checkPodSpec(const Json& spec, const std::string& field, const NameSet& claims, Findings& findings) {
  NameSet volumes = checkVolumes(spec, field, findings);
  volumes.insert(claims.begin(), claims.end());
  NameSet seen;
  for (const char* list : {"initContainers", "containers"}) {
    const Json& containers = at(spec, list);
    if (std::string_view(list) == "containers" && containers.is_array() && containers.empty())
      findings.required(field + ".containers");
    for (std::size_t i = 0; containers.is_array() && i < containers.size(); ++i) {
      const std::string here = fmt::format("{}.{}[{}]", field, list, i);
      const std::string name = textAt(containers[i], "name");
      if (name.empty() && containers[i].contains("name")) findings.required(here + ".name");
      if (!name.empty()) findings.check(here + ".name", name, names::label(name));
      if (!name.empty() && !seen.insert(name).second) findings.duplicate(here + ".name", name);
      checkContainer(containers[i], here, volumes, findings);
    }
  }
  oneOf(spec, "restartPolicy", field, {"Always", "OnFailure", "Never"}, findings);
  oneOf(spec, "dnsPolicy", field, {"ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"}, findings);
  notNegative(spec, "terminationGracePeriodSeconds", field, findings);
  checkLabels(at(spec, "nodeSelector"), field + ".nodeSelector", findings);
  if (const std::string account = textAt(spec, "serviceAccountName"); !account.empty()) {
    findings.check(field + ".serviceAccountName", account, names::subdomain(account));
  }
}

}  // namespace slipway::schema
