#include "node/service_names.h"

#include <algorithm>
#include <sstream>

namespace slipway::node {
namespace {

constexpr std::string_view kDomain = "svc.cluster.local";
constexpr std::size_t kMaxHostname = 63;

bool isAddress(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789.") == std::string::npos;
}

void addLine(std::string& out, const std::string& address, const std::string& label, const std::string& ns, bool own) {
  if (own) out += fmt::format("{} {}.{}.{} {}.{}.svc {}.{} {}\n", address, label, ns, kDomain, label, ns, label, ns, label);
  if (!own) out += fmt::format("{} {}.{}.{} {}.{}.svc {}.{}\n", address, label, ns, kDomain, label, ns, label, ns);
}

std::string environmentName(std::string name) {
  for (char& c : name) c = c == '-' || c == '.' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

void addService(Environment& env, const std::string& name, const std::string& ip, const Json& ports) {
  const std::string prefix = environmentName(name);
  env.emplace_back(prefix + "_SERVICE_HOST", ip);
  if (!ports.is_array() || ports.empty()) return;
  env.emplace_back(prefix + "_SERVICE_PORT", std::to_string(intAt(ports[0], "port")));
  for (const Json& p : ports) {
    if (const std::string portName = textAt(p, "name"); !portName.empty())
      env.emplace_back(fmt::format("{}_SERVICE_PORT_{}", prefix, environmentName(portName)),
                       std::to_string(intAt(p, "port")));
  }
  bool first = true;
  for (const Json& p : ports) {
    std::string protocol = textAt(p, "protocol", "TCP");
    std::string lower = protocol;
    for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    const std::int64_t port = intAt(p, "port");
    const std::string url = fmt::format("{}://{}:{}", lower, ip, port);
    if (first) env.emplace_back(prefix + "_PORT", url);
    first = false;
    const std::string base = fmt::format("{}_PORT_{}_{}", prefix, port, protocol);
    env.emplace_back(base, url);
    env.emplace_back(base + "_PROTO", lower);
    env.emplace_back(base + "_PORT", std::to_string(port));
    env.emplace_back(base + "_ADDR", ip);
  }
}

bool isServing(const Json& endpoint) {
  const Json& ready = at(endpoint, "conditions", "ready");
  return !ready.is_boolean() || ready.get<bool>();
}

}  // namespace

bool ServiceNames::setService(const std::string& ns, const std::string& name, const Json& service) {
  const Key key{ns, name};
  const Json& spec = at(service, "spec");
  if (!spec.is_object()) {
    if (services_.erase(key) == 0) return false;
  } else {
    Service now{textAt(spec, "type", "ClusterIP"), textAt(spec, "clusterIP"), textAt(spec, "externalName"),
                at(spec, "ports")};
    const auto found = services_.find(key);
    if (found != services_.end() && found->second == now) return false;
    services_[key] = std::move(now);
  }
  blocks_.clear();
  return true;
}

bool ServiceNames::setSlice(const std::string& ns, const std::string& name, const Json& slice) {
  const Key key{ns, name};
  Slice now{textAt(at(slice, "metadata", "labels"), "kubernetes.io/service-name"), {}};
  for (const Json& e : at(slice, "endpoints")) {
    if (!isServing(e)) continue;
    for (const Json& a : at(e, "addresses"))
      if (a.is_string()) now.addresses.push_back({a.get<std::string>(), textAt(e, "hostname")});
  }
  const auto found = slices_.find(key);
  const bool headless = [&] {
    const auto service = services_.find({ns, found == slices_.end() ? now.service : found->second.service});
    return service == services_.end() || service->second.clusterIp == "None";
  }();
  if (slice.is_null()) {
    if (slices_.erase(key) == 0) return false;
  } else {
    if (found != slices_.end() && found->second == now) return false;
    slices_[key] = std::move(now);
  }
  if (!headless) return false;  // a service with an address of its own keeps its name's meaning
  blocks_.clear();
  return true;
}

bool ServiceNames::setExternal(const std::string& host, std::vector<std::string> addresses) {
  if (external_[host] == addresses) return false;
  external_[host] = std::move(addresses);
  blocks_.clear();
  return true;
}

std::set<std::string> ServiceNames::externalHosts() const {
  std::set<std::string> hosts;
  for (const auto& [key, s] : services_) {
    if (s.type != "ExternalName" || isAddress(s.externalName)) continue;
    if (s.externalName.ends_with(std::string(".") + std::string(kDomain))) continue;
    hosts.insert(s.externalName);
  }
  return hosts;
}

std::vector<ServiceNames::Address> ServiceNames::addressesOf(const Key& key, int depth) const {
  const auto found = services_.find(key);
  if (found == services_.end() || depth > 4) return {};
  const Service& s = found->second;
  if (s.type == "ExternalName") {
    if (isAddress(s.externalName)) return {{s.externalName, ""}};
    const std::size_t dot = s.externalName.find('.');
    const std::string suffix = "." + std::string(kDomain);
    if (dot != std::string::npos && s.externalName.ends_with(suffix)) {
      const std::string ns = s.externalName.substr(dot + 1, s.externalName.size() - suffix.size() - dot - 1);
      return addressesOf({ns, s.externalName.substr(0, dot)}, depth + 1);
    }
    std::vector<Address> out;
    const auto resolved = external_.find(s.externalName);
    if (resolved != external_.end())
      for (const std::string& ip : resolved->second) out.push_back({ip, ""});
    return out;
  }
  if (s.clusterIp.empty()) return {};
  if (s.clusterIp != "None") return {{s.clusterIp, ""}};
  std::vector<Address> out;
  for (auto it = slices_.lower_bound({key.first, ""}); it != slices_.end() && it->first.first == key.first; ++it)
    if (it->second.service == key.second) out.insert(out.end(), it->second.addresses.begin(), it->second.addresses.end());
  return out;
}

const std::string& ServiceNames::blockOf(const std::string& ns) {
  const auto found = blocks_.find(ns);
  if (found != blocks_.end()) return found->second;
  std::string text;
  for (const auto& [key, service] : services_) {
    const bool own = key.first == ns;
    for (const Address& a : addressesOf(key)) {
      addLine(text, a.ip, key.second, key.first, own);
      if (!a.hostname.empty()) addLine(text, a.ip, a.hostname + "." + key.second, key.first, own);
    }
  }
  return blocks_[ns] = std::move(text);
}

Environment ServiceNames::environmentOf(const std::string& ns, bool serviceLinks) const {
  Environment env;
  for (const auto& [key, s] : services_) {
    const bool api = key == Key{"default", "kubernetes"};
    if (!api && (!serviceLinks || key.first != ns)) continue;
    if (s.clusterIp.empty() || s.clusterIp == "None") continue;
    addService(env, key.second, s.clusterIp, s.ports);
  }
  return env;
}

std::string hostnameOf(const Json& pod) {
  const Json& spec = at(pod, "spec");
  std::string name = textAt(spec, "hostnameOverride");
  if (!name.empty()) return name;
  name = textAt(spec, "hostname", textAt(at(pod, "metadata"), "name"));
  if (name.empty()) name = textAt(at(pod, "metadata"), "name");
  if (name.size() > kMaxHostname) name = name.substr(0, kMaxHostname);
  while (!name.empty() && (name.back() == '-' || name.back() == '.')) name.pop_back();
  const std::string subdomain = textAt(spec, "subdomain");
  if (!boolAt(spec, "setHostnameAsFQDN") || subdomain.empty()) return name;
  return fmt::format("{}.{}.{}.{}", name, subdomain, textAt(at(pod, "metadata"), "namespace"), kDomain);
}

std::string hostsFile(const Json& pod, const std::string& podIp, const std::string& services,
                      const std::string& machineHosts) {
  const Json& spec = at(pod, "spec");
  const std::string hostname = hostnameOf(pod);
  const std::string subdomain = textAt(spec, "subdomain");
  std::string out = "# Written for this pod; changes do not last.\n127.0.0.1 localhost\n::1 localhost ip6-localhost\n";
  if (!podIp.empty()) {
    const std::string ns = textAt(at(pod, "metadata"), "namespace");
    const std::string full = subdomain.empty() || hostname.find('.') != std::string::npos
                                 ? ""
                                 : fmt::format("{}.{}.{}.{} ", hostname, subdomain, ns, kDomain);
    out += fmt::format("{} {}{}\n", podIp, full, hostname);
  }
  for (const Json& alias : at(spec, "hostAliases")) {
    std::string names;
    for (const Json& h : at(alias, "hostnames"))
      if (h.is_string()) names += " " + h.get<std::string>();
    if (!names.empty()) out += textAt(alias, "ip") + names + "\n";
  }
  out += services;
  std::stringstream machine(machineHosts);
  for (std::string line; std::getline(machine, line);) {
    std::stringstream words(line.substr(0, line.find('#')));
    std::string address;
    words >> address;
    bool known = address.empty();
    for (std::string name; words >> name;) known = known || name == "localhost" || name == hostname;
    if (!known) out += line + "\n";
  }
  return out;
}

std::string resolverFile(const Json& pod, const std::string& machineResolver) {
  const Json& spec = at(pod, "spec");
  const Json& config = at(spec, "dnsConfig");
  const bool none = textAt(spec, "dnsPolicy") == "None";
  if (!none && !config.is_object()) return "";
  std::vector<std::string> servers, searches, options;
  std::stringstream machine(none ? "" : machineResolver);
  for (std::string line; std::getline(machine, line);) {
    std::stringstream words(line);
    std::string key;
    words >> key;
    std::vector<std::string>* list = key == "nameserver" ? &servers
                                     : key == "search"   ? &searches
                                     : key == "options"  ? &options
                                                         : nullptr;
    for (std::string word; list != nullptr && words >> word;) list->push_back(word);
  }
  for (const Json& s : at(config, "nameservers"))
    if (s.is_string()) servers.push_back(s.get<std::string>());
  for (const Json& s : at(config, "searches"))
    if (s.is_string()) searches.push_back(s.get<std::string>());
  for (const Json& o : at(config, "options")) {
    const std::string name = textAt(o, "name");
    const std::string value = textAt(o, "value");
    std::erase_if(options, [&](const std::string& have) { return have.substr(0, have.find(':')) == name; });
    options.push_back(value.empty() ? name : name + ":" + value);
  }
  std::string out;
  auto join = [&](const char* key, const std::vector<std::string>& list) {
    if (list.empty()) return;
    out += key;
    for (const std::string& word : list) out += " " + word;
    out += "\n";
  };
  join("search", searches);
  for (const std::string& s : servers) out += "nameserver " + s + "\n";
  join("options", options);
  return out;
}

}  // namespace slipway::node
