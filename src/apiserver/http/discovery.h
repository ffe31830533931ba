// Discovery: which groups, versions and resources the API serves, in the two forms that clients read: legacy lists and the
// aggregated APIGroupDiscoveryList. Made from the catalog; pure.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "data/json.h"
#include "objects/schema/catalog.h"

namespace slipway::apiserver {

class Discovery {
 public:
  explicit Discovery(const Catalog& catalog);
  void setMetrics(bool served);                              // whether metrics.k8s.io is listed
  Json coreVersions() const;                                 // GET /api
  Json groups() const;                                       // GET /apis
  std::optional<Json> group(const std::string& name) const;  // GET /apis/G
  std::optional<Json> resources(const std::string& group, const std::string& version) const;  // GET /api/v1, /apis/G/V
  Json aggregated(bool core, const std::string& version) const;                               // version: v2, v2beta1
  static Json serverVersion();                                                                // GET /version

 private:
  struct Entry {
    Resource resource;
    std::vector<std::string> verbs;
  };
  struct Group {
    std::string name;
    std::vector<std::string> versions;
    std::vector<Entry> entries;
  };
  Group& groupNamed(const std::string& name);
  std::vector<Group> groups_;  // core first, in order of preference
};

// The subresources of a resource and their verbs, as discovery lists them.
struct Subresource {
  std::string name, group, version, kind;
  std::vector<std::string> verbs;
};
std::vector<Subresource> subresourcesOf(const Resource& resource);

}  // namespace slipway::apiserver
