#include "apiserver/bootstrap.h"

namespace slipway::apiserver {
namespace {

struct Wanted {
  const Resource* resource;
  std::string ns, name;
  Json object;
};

Json rule(std::vector<std::string> groups, std::vector<std::string> resources, std::vector<std::string> verbs) {
  return Json{{"apiGroups", groups}, {"resources", resources}, {"verbs", verbs}};
}

const std::vector<std::string> kRead = {"get", "list", "watch"};
const std::vector<std::string> kWrite = {"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"};
const std::vector<std::string> kOurGroups = {"serving.kserve.io", "serving.knative.dev", "autoscaling.internal.knative.dev",
                                             "networking.istio.io", "datasciencecluster.opendatahub.io"};

Json clusterRole(const std::string& name, Json rules) {
  return Json{{"metadata", {{"name", name}, {"labels", {{"kubernetes.io/bootstrapping", "rbac-defaults"}}}}},
              {"rules", std::move(rules)}};
}

Json binding(const std::string& role, const std::string& group) {
  const std::string api = "rbac.authorization.k8s.io";
  return Json{{"metadata", {{"name", role}, {"labels", {{"kubernetes.io/bootstrapping", "rbac-defaults"}}}}},
              {"roleRef", {{"apiGroup", api}, {"kind", "ClusterRole"}, {"name", role}}},
              {"subjects", Json::array({{{"apiGroup", api}, {"kind", "Group"}, {"name", group}}})}};
}

// What a user of one namespace works with; Secrets and role bindings come on top for edit and admin.
const std::vector<std::string> kCoreView = {"configmaps",
                                            "endpoints",
                                            "persistentvolumeclaims",
                                            "pods",
                                            "pods/log",
                                            "pods/status",
                                            "serviceaccounts",
                                            "services",
                                            "events",
                                            "namespaces",
                                            "limitranges",
                                            "resourcequotas"};
const std::vector<std::string> kCoreEdit = {
    "configmaps",    "endpoints", "persistentvolumeclaims", "pods",     "pods/exec", "pods/attach", "pods/portforward",
    "pods/eviction", "secrets",   "serviceaccounts",        "services", "events"};

// The roles that users aggregate into, as on a cluster: `view` is part of `edit`, `edit` of `admin`; each gathers what
// carries its label, first of all system:aggregate-to-ITSELF.
Json aggregating(const std::string& name, const std::string& partOf) {
  const std::string label = "rbac.authorization.k8s.io/aggregate-to-";
  Json role = clusterRole(name, Json::array());
  role["aggregationRule"] = {{"clusterRoleSelectors", Json::array({{{"matchLabels", {{label + name, "true"}}}}})}};
  if (!partOf.empty()) role["metadata"]["labels"][label + partOf] = "true";
  return role;
}

Json aggregated(const std::string& into, Json rules) {
  Json role = clusterRole("system:aggregate-to-" + into, std::move(rules));
  role["metadata"]["labels"]["rbac.authorization.k8s.io/aggregate-to-" + into] = "true";
  return role;
}

std::vector<Json> userRoles() {
  const std::vector<std::string> all = {"*"};
  const Json view = Json::array({rule({""}, kCoreView, kRead),
                                 rule({"apps", "autoscaling", "networking.k8s.io", "discovery.k8s.io"}, all, kRead),
                                 rule(kOurGroups, all, kRead)});
  const Json edit =
      Json::array({rule({""}, kCoreEdit, kWrite), rule({""}, {"serviceaccounts"}, {"impersonate"}),
                   rule({""}, {"serviceaccounts/token"}, {"create"}),
                   rule({"apps", "autoscaling", "networking.k8s.io"}, all, kWrite), rule(kOurGroups, all, kWrite)});
  const Json admin = Json::array({rule({"rbac.authorization.k8s.io"}, {"roles", "rolebindings"}, kWrite),
                                  rule({"authorization.k8s.io"}, {"localsubjectaccessreviews"}, {"create"})});
  // Of whoever may see pods, as metrics-server's installation has it.
  Json metrics = clusterRole("system:aggregated-metrics-reader",
                             Json::array({rule({"metrics.k8s.io"}, {"pods", "nodes"}, {"get", "list", "watch"})}));
  for (const char* into : {"view", "edit", "admin"})
    metrics["metadata"]["labels"][std::string("rbac.authorization.k8s.io/aggregate-to-") + into] = "true";
  return {std::move(metrics),          aggregated("view", view),     aggregated("edit", edit), aggregated("admin", admin),
          aggregating("view", "edit"), aggregating("edit", "admin"), aggregating("admin", "")};
}

void addRoles(Registry& registry, std::vector<Wanted>& wanted) {
  const std::string group = "rbac.authorization.k8s.io";
  const Resource* roles = registry.resource(group, "v1", "clusterroles");
  const Resource* bindings = registry.resource(group, "v1", "clusterrolebindings");
  if (!roles || !bindings) return;
  const auto role = [&](const std::string& name, Json r) {
    wanted.push_back({roles, "", name, clusterRole(name, std::move(r))});
  };
  Json everything = rule({"*"}, {"*"}, {"*"});
  role("cluster-admin", Json::array({everything, Json{{"nonResourceURLs", {"*"}}, {"verbs", {"*"}}}}));
  for (Json& made : userRoles()) {
    const std::string name = made["metadata"]["name"];
    wanted.push_back({roles, "", name, std::move(made)});
  }
  role("system:discovery", Json::array({Json{{"nonResourceURLs",
                                              {"/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi",
                                               "/openapi/*", "/readyz", "/version", "/version/"}},
                                             {"verbs", {"get"}}}}));
  role("system:basic-user",
       Json::array({rule({"authorization.k8s.io"}, {"selfsubjectaccessreviews", "selfsubjectrulesreviews"}, {"create"}),
                    rule({"authentication.k8s.io"}, {"selfsubjectreviews"}, {"create"})}));
  role("system:auth-delegator", Json::array({rule({"authentication.k8s.io"}, {"tokenreviews"}, {"create"}),
                                             rule({"authorization.k8s.io"}, {"subjectaccessreviews"}, {"create"})}));
  // Services that verify tokens of ServiceAccounts by themselves; as kube-apiserver has it.
  role("system:service-account-issuer-discovery",
       Json::array({Json{{"nonResourceURLs",
                          {"/.well-known/openid-configuration", "/.well-known/openid-configuration/", "/openid/v1/jwks",
                           "/openid/v1/jwks/"}},
                         {"verbs", {"get"}}}}));
  for (const auto& [name, who] : std::vector<std::pair<std::string, std::string>>{
           {"cluster-admin", "system:masters"},
           {"system:discovery", "system:authenticated"},
           {"system:basic-user", "system:authenticated"},
           {"system:service-account-issuer-discovery", "system:serviceaccounts"}}) {
    wanted.push_back({bindings, "", name, binding(name, who)});
  }
}

}  // namespace

Task<Status> bootstrap(Registry& registry, BootstrapOptions options) {
  std::vector<Wanted> wanted;
  for (const std::string& ns : options.namespaces) {
    wanted.push_back({registry.resource("", "v1", "namespaces"), "", ns, Json{{"metadata", {{"name", ns}}}}});
  }
  if (options.roles) addRoles(registry, wanted);
  if (options.apiPort != 0) {
    Json port{{"name", "https"}, {"protocol", "TCP"}, {"port", 443}, {"targetPort", options.apiPort}};
    wanted.push_back(
        {registry.resource("", "v1", "services"), "default", "kubernetes",
         Json{{"metadata", {{"name", "kubernetes"}, {"labels", {{"component", "apiserver"}, {"provider", "kubernetes"}}}}},
              {"spec", {{"type", "ClusterIP"}, {"ports", Json::array({port})}}}}});
  }
  for (Wanted& w : wanted) {
    if (!w.resource || registry.store().get(w.resource->qualified(), w.ns, w.name)) continue;
    WriteContext context;
    context.resource = w.resource;
    context.ns = w.ns;
    context.name = w.name;
    context.fieldManager = "slipway-bootstrap";
    auto made = co_await registry.create(std::move(context), std::move(w.object));
    if (!made && made.error().code != Code::AlreadyExists) {
      co_return fail(made.error().code,
                     fmt::format("cannot create {} {}: {}", w.resource->plural, w.name, made.error().message));
    }
  }
  co_return Status{};
}

}  // namespace slipway::apiserver
