// Names of Services inside pods: there is no DNS server on this machine, so every pod has a hosts file with the names that a
// cluster's DNS would answer, and the environment variables that Kubernetes sets for Services. Pure but for the cache.
//
//   ServiceNames names;                       // fed from informers; blockOf() is what all pods of a namespace share
//   hostsFile(pod, ip, names.blockOf("ns"), machineHosts)
#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

#include "data/json.h"
#include "node/environment.h"

namespace slipway::node {

class ServiceNames {
 public:
  // A null object: it is gone. True when the names changed.
  bool setService(const std::string& ns, const std::string& name, const Json& service);
  bool setSlice(const std::string& ns, const std::string& name, const Json& slice);
  // What the outside name of an ExternalName service resolves to; none: its names are left out.
  bool setExternal(const std::string& host, std::vector<std::string> addresses);
  std::set<std::string> externalHosts() const;  // those that must be resolved

  // Lines `ADDRESS NAME…` for a pod of this namespace, where `svc` alone means its own.
  const std::string& blockOf(const std::string& ns);
  // {SVC}_SERVICE_HOST and the rest for the services of the namespace and for the API itself; by enableServiceLinks the
  // former are left out.
  Environment environmentOf(const std::string& ns, bool serviceLinks) const;

 private:
  using Key = std::pair<std::string, std::string>;  // namespace, name
  struct Service {
    std::string type, clusterIp, externalName;
    Json ports;
    bool operator==(const Service&) const = default;
  };
  struct Address {
    std::string ip, hostname;
    bool operator==(const Address&) const = default;
  };
  struct Slice {
    std::string service;
    std::vector<Address> addresses;
    bool operator==(const Slice&) const = default;
  };
  std::vector<Address> addressesOf(const Key& key, int depth = 0) const;
  std::map<Key, Service> services_;
  std::map<Key, Slice> slices_;
  std::map<std::string, std::vector<std::string>> external_;
  std::map<std::string, std::string> blocks_;  // cache
};

// The pod's /etc/hosts: itself, its hostAliases, the services, and what this machine's own file names besides.
std::string hostsFile(const Json& pod, const std::string& podIp, const std::string& services,
                      const std::string& machineHosts);
// The pod's /etc/resolv.conf by dnsPolicy and dnsConfig; "" when this machine's own is right as it is.
std::string resolverFile(const Json& pod, const std::string& machineResolver);
// What the pod's containers call their machine: spec.hostnameOverride, hostname or the pod's name; fully qualified when
// asked so. Longer names than Linux allows are cut, as the kubelet does.
std::string hostnameOf(const Json& pod);

}  // namespace slipway::node
