#include "objects/schema/names.h"
#include "objects/schema/rules.h"

namespace slipway::schema {
namespace {

const std::vector<std::string_view> kTypes{"ClusterIP", "ExternalName", "LoadBalancer", "NodePort"};
const std::vector<std::string_view> kProtocols{"SCTP", "TCP", "UDP"};
const std::vector<std::string_view> kAffinities{"ClientIP", "None"};

bool among(const std::vector<std::string_view>& list, const std::string& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

void checkPort(const Json& port, const std::string& field, bool nameNeeded, Findings& findings) {
  const std::string name = textAt(port, "name");
  if (name.empty() && nameNeeded) findings.required(field + ".name");
  if (!name.empty()) findings.check(field + ".name", name, names::label(name));
  findings.check(field + ".port", at(port, "port"), names::portNumber(intAt(port, "port")));
  if (const std::string protocol = textAt(port, "protocol", "TCP"); !among(kProtocols, protocol))
    findings.notSupported(field + ".protocol", protocol, kProtocols);
  const Json& target = at(port, "targetPort");
  if (target.is_number_integer())
    findings.check(field + ".targetPort", target, names::portNumber(target.get<std::int64_t>()));
  if (target.is_string())
    findings.check(field + ".targetPort", target, names::portName(target.get_ref<const std::string&>()));
}

void checkPorts(const Json& ports, Findings& findings) {
  std::set<std::string> seenNames;
  std::set<std::string> seenPorts;
  for (std::size_t i = 0; ports.is_array() && i < ports.size(); ++i) {
    const std::string field = fmt::format("spec.ports[{}]", i);
    checkPort(ports[i], field, ports.size() > 1, findings);
    if (const std::string name = textAt(ports[i], "name"); !name.empty() && !seenNames.insert(name).second)
      findings.duplicate(field + ".name", name);
    const Json key = {{"port", at(ports[i], "port")}, {"protocol", textAt(ports[i], "protocol", "TCP")}};
    if (!seenPorts.insert(dumpJson(key)).second) findings.duplicate(field, key);
  }
}

}  // namespace

void checkService(const Json& service, Findings& findings) {
  const Json& spec = at(service, "spec");
  if (!spec.is_object()) return;
  const std::string type = textAt(spec, "type", "ClusterIP");
  const bool headless = textAt(spec, "clusterIP") == "None";
  if (!among(kTypes, type)) findings.notSupported("spec.type", type, kTypes);
  if (type == "ExternalName") {
    if (textAt(spec, "externalName").empty()) findings.required("spec.externalName");
  } else if (at(spec, "ports").empty() && !headless) {
    findings.required("spec.ports");
  }
  if (headless && (type == "LoadBalancer" || type == "NodePort")) {
    findings.invalid("spec.clusterIPs[0]", "None", "may not be set to 'None' for " + type + " services");
  }
  checkPorts(at(spec, "ports"), findings);
  checkLabels(at(spec, "selector"), "spec.selector", findings);
  if (const std::string affinity = textAt(spec, "sessionAffinity", "None"); !among(kAffinities, affinity))
    findings.notSupported("spec.sessionAffinity", affinity, kAffinities);
}

}  // namespace slipway::schema
