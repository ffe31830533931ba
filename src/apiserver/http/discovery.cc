#include "apiserver/http/discovery.h"

#include <cstdio>
#include <tuple>

namespace slipway::apiserver {
namespace {

const std::vector<std::string> kVerbs = {"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"};
const std::vector<std::string> kCreate = {"create"};
const std::string kMetricsGroup = "metrics.k8s.io";

// Order of groups: Kubernetes' own before ours, so that a short word means what it means on a cluster.
int rankOf(const std::string& group) {
  if (group.empty()) return 0;
  return group.find('.') == std::string::npos || group.find(".k8s.io") != std::string::npos ? 1 : 2;
}

Resource review(const std::string& group, const std::string& kind, const std::string& plural, bool namespaced) {
  Resource r;
  r.group = group;
  r.version = "v1";
  r.kind = kind;
  r.plural = plural;
  r.singular = plural.substr(0, plural.size() - 1);
  r.namespaced = namespaced;
  return r;
}

Json gvk(const std::string& group, const std::string& version, const std::string& kind) {
  return Json{{"group", group}, {"version", version}, {"kind", kind}};
}

// v2 before v1, v1 before v1beta1, v1beta1 before v1alpha1: the order of preference on a cluster.
std::tuple<int, int, int> versionRank(const std::string& version) {
  int major = 0;
  int minor = 0;
  char stage[6] = "";
  if (std::sscanf(version.c_str(), "v%d%5[a-z]%d", &major, stage, &minor) < 1) return {0, 0, 0};
  return {stage[0] == '\0' ? 3 : stage[0] == 'b' ? 2 : 1, major, minor};
}

}  // namespace

std::vector<Subresource> subresourcesOf(const Resource& r) {
  std::vector<Subresource> all;
  const std::vector<std::string> readWrite = {"get", "patch", "update"};
  if (r.hasStatus) all.push_back({"status", r.group, r.version, r.kind, readWrite});
  if (r.hasScale) all.push_back({"scale", "autoscaling", "v1", "Scale", readWrite});
  if (r.qualified() == "pods") {
    for (const auto& [name, kind] : {std::pair{"attach", "PodAttachOptions"}, std::pair{"exec", "PodExecOptions"},
                                     std::pair{"portforward", "PodPortForwardOptions"}})
      all.push_back({name, "", "v1", kind, {"create", "get"}});
    all.push_back({"log", "", "v1", "Pod", {"get"}});
    all.push_back({"eviction", "policy", "v1", "Eviction", kCreate});
    all.push_back({"binding", "", "v1", "Binding", kCreate});
  }
  if (r.qualified() == "serviceaccounts") all.push_back({"token", "authentication.k8s.io", "v1", "TokenRequest", kCreate});
  if (r.qualified() == "namespaces") all.push_back({"finalize", "", "v1", "Namespace", {"update"}});
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return all;
}

Discovery::Group& Discovery::groupNamed(const std::string& name) {
  for (Group& g : groups_) {
    if (g.name == name) return g;
  }
  return groups_.emplace_back(Group{name, {}, {}});
}

Discovery::Discovery(const Catalog& catalog) {
  groupNamed("");
  const auto add = [this](Resource r, bool isReview) {
    Group& g = groupNamed(r.group);
    if (std::find(g.versions.begin(), g.versions.end(), r.version) == g.versions.end()) g.versions.push_back(r.version);
    g.entries.push_back({std::move(r), isReview ? kCreate : kVerbs});
  };
  for (const Resource& r : catalog.resources()) add(r, false);
  add(review("authentication.k8s.io", "SelfSubjectReview", "selfsubjectreviews", false), true);
  add(review("authentication.k8s.io", "TokenReview", "tokenreviews", false), true);
  add(review("authorization.k8s.io", "LocalSubjectAccessReview", "localsubjectaccessreviews", true), true);
  add(review("authorization.k8s.io", "SelfSubjectAccessReview", "selfsubjectaccessreviews", false), true);
  add(review("authorization.k8s.io", "SelfSubjectRulesReview", "selfsubjectrulesreviews", false), true);
  add(review("authorization.k8s.io", "SubjectAccessReview", "subjectaccessreviews", false), true);
  std::stable_sort(groups_.begin(), groups_.end(),
                   [](const Group& a, const Group& b) { return rankOf(a.name) < rankOf(b.name); });
  for (Group& g : groups_) {
    std::stable_sort(g.versions.begin(), g.versions.end(),
                     [](const std::string& a, const std::string& b) { return versionRank(a) > versionRank(b); });
  }
}

void Discovery::setMetrics(bool served) {
  std::erase_if(groups_, [](const Group& g) { return g.name == kMetricsGroup; });
  if (!served) return;
  Group metrics{kMetricsGroup, {"v1beta1"}, {}};
  for (const bool pods : {false, true}) {
    Resource r;
    r.group = kMetricsGroup;
    r.version = "v1beta1";
    r.kind = pods ? "PodMetrics" : "NodeMetrics";
    r.plural = pods ? "pods" : "nodes";
    r.namespaced = pods;
    metrics.entries.push_back({std::move(r), {"get", "list"}});
  }
  groups_.push_back(std::move(metrics));  // last: `pods` and `nodes` alone mean the core group's
}

Json Discovery::serverVersion() {
  // Minor 34: the version of the schemas that are served, and of the kube-apiserver that answers are compared with.
  return Json{{"major", "1"},
              {"minor", "34"},
              {"emulationMajor", "1"},
              {"emulationMinor", "34"},
              {"minCompatibilityMajor", "1"},
              {"minCompatibilityMinor", "33"},
              {"gitVersion", "v1.34.0+slipway"},
              {"gitCommit", ""},
              {"gitTreeState", "clean"},
              {"buildDate", "2025-08-27T00:00:00Z"},
              {"goVersion", "none"},
              {"compiler", "clang"},
              {"platform", "linux/amd64"}};
}

Json Discovery::coreVersions() const {
  return Json{{"kind", "APIVersions"}, {"versions", {"v1"}}, {"serverAddressByClientCIDRs", Json::array()}};
}

Json Discovery::groups() const {
  Json list = Json::array();
  for (const Group& g : groups_) {
    if (!g.name.empty()) list.push_back(*group(g.name));
  }
  for (Json& g : list) {
    g.erase("kind");
    g.erase("apiVersion");
  }
  return Json{{"kind", "APIGroupList"}, {"apiVersion", "v1"}, {"groups", list}};
}

std::optional<Json> Discovery::group(const std::string& name) const {
  for (const Group& g : groups_) {
    if (g.name != name || name.empty()) continue;
    Json versions = Json::array();
    for (const std::string& v : g.versions) versions.push_back({{"groupVersion", name + "/" + v}, {"version", v}});
    return Json{{"kind", "APIGroup"},
                {"apiVersion", "v1"},
                {"name", name},
                {"versions", versions},
                {"preferredVersion", versions[0]}};
  }
  return std::nullopt;
}

std::optional<Json> Discovery::resources(const std::string& groupName, const std::string& version) const {
  for (const Group& g : groups_) {
    if (g.name != groupName || std::find(g.versions.begin(), g.versions.end(), version) == g.versions.end()) continue;
    Json list = Json::array();
    for (const Entry& e : g.entries) {
      const Resource& r = e.resource;
      if (r.version != version) continue;
      Json item{{"name", r.plural},
                {"singularName", r.singular},
                {"namespaced", r.namespaced},
                {"kind", r.kind},
                {"verbs", e.verbs}};
      if (!r.shortNames.empty()) item["shortNames"] = r.shortNames;
      if (!r.categories.empty()) item["categories"] = r.categories;
      list.push_back(std::move(item));
      for (const Subresource& s : subresourcesOf(r)) {
        Json sub{{"name", r.plural + "/" + s.name},
                 {"singularName", ""},
                 {"namespaced", r.namespaced},
                 {"kind", s.kind},
                 {"verbs", s.verbs}};
        if (s.group != r.group || s.version != r.version) {
          sub["group"] = s.group;
          sub["version"] = s.version;
        }
        list.push_back(std::move(sub));
      }
    }
    const std::string gv = groupName.empty() ? version : groupName + "/" + version;
    return Json{{"kind", "APIResourceList"}, {"apiVersion", "v1"}, {"groupVersion", gv}, {"resources", list}};
  }
  return std::nullopt;
}

Json Discovery::aggregated(bool core, const std::string& version) const {
  Json items = Json::array();
  for (const Group& g : groups_) {
    if (g.name.empty() != core) continue;
    Json versions = Json::array();
    for (const std::string& v : g.versions) {
      Json list = Json::array();
      for (const Entry& e : g.entries) {
        const Resource& r = e.resource;
        if (r.version != v) continue;
        Json item{{"resource", r.plural},
                  {"singularResource", r.singular},
                  {"responseKind", gvk(r.group, r.version, r.kind)},
                  {"scope", r.namespaced ? "Namespaced" : "Cluster"},
                  {"verbs", e.verbs}};
        if (!r.shortNames.empty()) item["shortNames"] = r.shortNames;
        if (!r.categories.empty()) item["categories"] = r.categories;
        for (const Subresource& s : subresourcesOf(r)) {
          item["subresources"].push_back(
              {{"subresource", s.name}, {"responseKind", gvk(s.group, s.version, s.kind)}, {"verbs", s.verbs}});
        }
        list.push_back(std::move(item));
      }
      versions.push_back({{"version", v}, {"freshness", "Current"}, {"resources", list}});
    }
    Json metadata = Json::object();
    if (!core) metadata["name"] = g.name;
    items.push_back({{"metadata", metadata}, {"versions", versions}});
  }
  return Json{{"kind", "APIGroupDiscoveryList"},
              {"apiVersion", "apidiscovery.k8s.io/" + version},
              {"metadata", Json::object()},
              {"items", items}};
}

}  // namespace slipway::apiserver
