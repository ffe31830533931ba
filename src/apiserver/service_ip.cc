// Addresses of Services of type ClusterIP, out of RegistryOptions::serviceCidr: stable for the life of the Service, unique
// because the choice and the write are one transaction. Node ports likewise.
#include <cstdio>

#include "apiserver/write_rules.h"

namespace slipway::apiserver {
namespace {

struct Cidr {
  std::uint32_t base = 0;
  std::uint32_t size = 0;  // addresses; 0: not a CIDR
};

Cidr parseCidr(const std::string& text) {
  unsigned a = 0, b = 0, c = 0, d = 0, bits = 0;
  if (std::sscanf(text.c_str(), "%u.%u.%u.%u/%u", &a, &b, &c, &d, &bits) != 5) return {};
  if (a > 255 || b > 255 || c > 255 || d > 255 || bits < 8 || bits > 30) return {};
  const std::uint32_t size = 1u << (32 - bits);
  return {((a << 24 | b << 16 | c << 8 | d) / size) * size, size};
}

std::string dotted(std::uint32_t ip) {
  return fmt::format("{}.{}.{}.{}", ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255);
}

std::uint32_t hashOf(const std::string& text) {
  std::uint32_t h = 2166136261u;  // FNV-1a
  for (unsigned char c : text) h = (h ^ c) * 16777619u;
  return h;
}

constexpr int kFirstNodePort = 30000;  // upstream's range
constexpr int kNodePorts = 2768;

bool wantsNodePorts(const Json& spec) {
  const std::string type = textAt(spec, "type");
  return type == "NodePort" || (type == "LoadBalancer" && boolAt(spec, "allocateLoadBalancerNodePorts", true));
}

// Fills the node ports that the client left open; `used`: those of other Services.
void fillNodePorts(Json& spec, std::set<std::int64_t> used, const std::string& name) {
  for (const Json& port : at(spec, "ports")) used.insert(intAt(port, "nodePort"));
  const std::uint32_t start = hashOf(name);
  std::uint32_t tries = 0;
  for (Json& port : spec["ports"]) {
    if (!port.is_object() || intAt(port, "nodePort") != 0) continue;
    for (; tries < kNodePorts; ++tries) {
      const std::int64_t candidate = kFirstNodePort + static_cast<std::int64_t>((start + tries) % kNodePorts);
      if (!used.insert(candidate).second) continue;
      port["nodePort"] = candidate;
      break;
    }
  }
}

}  // namespace

void WriteRules::allocateClusterIp(Json& service) const {
  Json& spec = service["spec"];
  if (!spec.is_object() || textAt(spec, "type") == "ExternalName") return;
  const bool single = !at(spec, "clusterIP").is_string() || textAt(spec, "clusterIP").empty();
  if (single) {
    const Cidr cidr = parseCidr(registry_.serviceCidr());
    if (cidr.size < 4) return;
    std::set<std::string> used;
    for (const EntryPtr& entry : txn_.list("services", "")) {
      for (const auto& [label, value] : entry->fields) {
        if (label == "spec.clusterIP") used.insert(value);
      }
    }
    // The first address is for the `kubernetes` Service, the last is broadcast.
    const std::uint32_t range = cidr.size - 3;
    const bool first = context_.ns == "default" && textAt(service["metadata"], "name") == "kubernetes";
    const std::uint32_t start = hashOf(context_.ns + "/" + textAt(service["metadata"], "name")) % range;
    for (std::uint32_t i = 0; i < range; ++i) {
      const std::string ip = dotted(cidr.base + (first ? 1 : 2 + (start + i) % range));
      if (!first && used.count(ip)) continue;
      spec["clusterIP"] = ip;
      break;
    }
  }
  if (wantsNodePorts(spec) && at(spec, "ports").is_array()) {
    std::set<std::int64_t> used;
    for (const EntryPtr& entry : txn_.list("services", "")) {
      if (entry->ns == context_.ns && entry->name == textAt(service["metadata"], "name")) continue;
      const Json other = entry->json();
      for (const Json& port : at(other, "spec", "ports")) used.insert(intAt(port, "nodePort"));
    }
    fillNodePorts(spec, std::move(used), context_.ns + "/" + textAt(service["metadata"], "name"));
  }
  if (textAt(spec, "clusterIP").empty()) return;
  spec["clusterIPs"] = Json::array({spec["clusterIP"]});
  if (!spec.contains("ipFamilies")) spec["ipFamilies"] = Json::array({"IPv4"});
  if (!spec.contains("ipFamilyPolicy")) spec["ipFamilyPolicy"] = "SingleStack";
}

}  // namespace slipway::apiserver
