#include "objects/table/cells.h"

namespace slipway::table {
namespace {

constexpr std::size_t kShown = 3;  // addresses before "+ N more..."

std::string join(const std::vector<std::string>& list, std::string_view separator = ",") {
  std::string out;
  for (const auto& s : list) out += (out.empty() ? "" : std::string(separator)) + s;
  return out;
}

std::string shortened(const std::vector<std::string>& list, const char* none) {
  if (list.empty()) return none;
  std::string out = join({list.begin(), list.begin() + static_cast<std::ptrdiff_t>(std::min(kShown, list.size()))});
  if (list.size() > kShown) out += fmt::format(" + {} more...", list.size() - kShown);
  return out;
}

std::vector<std::string> textsOf(const Json& list, const char* member = nullptr) {
  std::vector<std::string> out;
  if (!list.is_array()) return out;
  for (const Json& item : list) {
    const Json& value = member == nullptr ? item : at(item, member);
    if (value.is_string()) out.push_back(value.get<std::string>());
  }
  return out;
}

std::string externalAddress(const Json& service) {
  const Json& spec = at(service, "spec");
  const std::string type = textAt(spec, "type", "ClusterIP");
  const auto external = textsOf(at(spec, "externalIPs"));
  if (type == "ExternalName") return textAt(spec, "externalName");
  if (type != "LoadBalancer") return external.empty() ? "<none>" : join(external);
  std::vector<std::string> addresses;
  for (const Json& i : at(service, "status", "loadBalancer", "ingress"))
    addresses.push_back(textAt(i, "ip", textAt(i, "hostname")));
  addresses.insert(addresses.end(), external.begin(), external.end());
  return addresses.empty() ? "<pending>" : join(addresses);
}

std::string servicePorts(const Json& ports) {
  std::vector<std::string> out;
  for (const Json& p : ports) {
    const std::int64_t node = intAt(p, "nodePort");
    out.push_back(node == 0 ? fmt::format("{}/{}", intAt(p, "port"), textAt(p, "protocol", "TCP"))
                            : fmt::format("{}:{}/{}", intAt(p, "port"), node, textAt(p, "protocol", "TCP")));
  }
  return out.empty() ? "<none>" : join(out);
}

std::string nameOf(const Json& object) { return textAt(at(object, "metadata"), "name"); }
std::string ageOf(const Json& object, std::int64_t now) { return age(at(object, "metadata", "creationTimestamp"), now); }

}  // namespace

std::vector<Json> serviceCells(const Json& service, std::int64_t now) {
  const Json& spec = at(service, "spec");
  const std::string ip = textAt(spec, "clusterIP");
  return {nameOf(service),
          textAt(spec, "type"),
          ip.empty() ? "<none>" : ip,
          externalAddress(service),
          servicePorts(at(spec, "ports")),
          ageOf(service, now),
          labelsText(at(spec, "selector"))};
}

std::vector<Json> endpointsCells(const Json& endpoints, std::int64_t now) {
  std::vector<std::string> list;
  for (const Json& subset : at(endpoints, "subsets")) {
    for (const Json& address : at(subset, "addresses")) {
      if (at(subset, "ports").empty()) list.push_back(textAt(address, "ip"));
      for (const Json& port : at(subset, "ports"))
        list.push_back(fmt::format("{}:{}", textAt(address, "ip"), intAt(port, "port")));
    }
  }
  return {nameOf(endpoints), shortened(list, "<none>"), ageOf(endpoints, now)};
}

std::vector<Json> sliceCells(const Json& slice, std::int64_t now) {
  std::vector<std::string> ports;
  for (const Json& p : at(slice, "ports"))
    ports.push_back(at(p, "port").is_null() ? textAt(p, "name", "*") : std::to_string(intAt(p, "port")));
  std::vector<std::string> addresses;
  for (const Json& e : at(slice, "endpoints")) {
    for (auto& a : textsOf(at(e, "addresses"))) addresses.push_back(std::move(a));
  }
  return {nameOf(slice), textAt(slice, "addressType"), shortened(ports, "<unset>"), shortened(addresses, "<unset>"),
          ageOf(slice, now)};
}

std::vector<Json> ingressCells(const Json& ingress, std::int64_t now) {
  const Json& spec = at(ingress, "spec");
  auto hosts = textsOf(at(spec, "rules"), "host");
  if (hosts.empty()) hosts = {"*"};
  std::vector<std::string> addresses;
  for (const Json& i : at(ingress, "status", "loadBalancer", "ingress"))
    addresses.push_back(textAt(i, "ip", textAt(i, "hostname")));
  const std::string name = textAt(spec, "ingressClassName");
  return {nameOf(ingress),
          name.empty() ? "<none>" : name,
          shortened(hosts, "*"),
          join(addresses),
          at(spec, "tls").empty() ? "80" : "80, 443",
          ageOf(ingress, now)};
}

std::vector<Json> eventCells(const Json& event, std::int64_t now) {
  const Json& series = at(event, "series");
  std::string first = age(at(event, "firstTimestamp"), now);
  if (at(event, "firstTimestamp").is_null()) first = age(at(event, "eventTime"), now);
  std::string last = at(event, "lastTimestamp").is_null() ? first : age(at(event, "lastTimestamp"), now);
  std::int64_t count = intAt(event, "count");
  if (series.is_object()) {
    last = age(at(series, "lastObservedTime"), now);
    count = intAt(series, "count");
  } else if (count == 0) {
    count = 1;
  }
  const Json& about = at(event, "involvedObject");
  std::string kind = textAt(about, "kind");
  std::transform(kind.begin(), kind.end(), kind.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const std::string name = textAt(about, "name");
  const Json& source = at(event, "source");
  const std::string component = textAt(source, "component", textAt(event, "reportingComponent"));
  const std::string host = textAt(source, "host");
  std::string message = textAt(event, "message");
  message.erase(message.find_last_not_of(" \n\t") + 1);
  return {last,
          textAt(event, "type"),
          textAt(event, "reason"),
          name.empty() ? kind : kind + "/" + name,
          textAt(about, "fieldPath"),
          host.empty() ? component : component + ", " + host,
          message,
          first,
          count,
          nameOf(event)};
}

}  // namespace slipway::table
