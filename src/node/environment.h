// A container's environment and arguments: env, envFrom, valueFrom, the downward API and $(VAR). Pure: what it refers to has
// been fetched before (References).
#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "data/json.h"

namespace slipway::node {

// ConfigMaps and Secrets of the pod's namespace by name; a null Json: it does not exist.
struct References {
  std::map<std::string, Json> configMaps, secrets, claims, volumes;  // claims and persistent volumes for pod volumes
};
// Names that a pod's spec refers to.
struct ReferenceNames {
  std::set<std::string> configMaps, secrets, claims;
};
ReferenceNames referencesOf(const Json& pod);

// What the downward API can tell.
struct PodFacts {
  std::string podIp, hostIp, nodeName;
  std::int64_t nodeCpuMillis = 0;  // stand in for limits that are not set
  std::int64_t nodeMemoryBytes = 0;
};

// The value of fieldRef.fieldPath. Error Invalid names a path that does not exist.
Result<std::string> fieldValue(const Json& pod, const std::string& path, const PodFacts& facts);
// The value of a resourceFieldRef for `container`, in whole divisors, rounded up.
Result<std::string> resourceValue(const Json& container, const std::string& resource, const std::string& divisor,
                                  const PodFacts& facts);
const Json& containerNamed(const Json& pod, const std::string& name);  // init or main; null when there is none
std::string decodeBase64(const std::string& text);

using Environment = std::vector<std::pair<std::string, std::string>>;
// In order of definition, later ones win; `services` come first. Errors in the kubelet's words: `configmap "c" not found`,
// `couldn't find key k in Secret ns/s`.
Result<Environment> resolveEnvironment(const Json& pod, const Json& container, const References& refs, const PodFacts& facts,
                                       const Environment& services = {});

// $(NAME) by its value; unknown names stay as they are, $$ is a dollar sign.
std::string expandVariables(const std::string& text, const Environment& env);

}  // namespace slipway::node
