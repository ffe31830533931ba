#include "apiserver/testing/fake_catalog.h"

namespace slipway::apiserver {
namespace {

Resource make(const Kind& kind, std::vector<std::string> shortNames = {}, bool scale = false) {
  Resource r;
  r.group = kind.group;
  r.version = kind.version;
  r.kind = kind.kind;
  r.plural = kind.plural;
  for (char c : r.kind) r.singular += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  r.shortNames = std::move(shortNames);
  r.namespaced = kind.namespaced;
  r.hasScale = scale;
  r.custom = r.group.find(".kserve.io") != std::string::npos;
  static const std::set<std::string> kNoStatus = {"ConfigMap", "Secret", "Event", "Endpoints", "EndpointSlice", "ServiceAccount", "Lease"};
  r.hasStatus = !kNoStatus.count(r.kind);
  return r;
}

class FakeCatalog final : public Catalog {
 public:
  FakeCatalog() {
    using namespace kinds;
    resources_ = {make(kNamespace, {"ns"}), make(kNode, {"no"}), make(kPod, {"po"}), make(kService, {"svc"}), make(kEndpoints, {"ep"}),
                  make(kEvent, {"ev"}), make(kSecret), make(kConfigMap, {"cm"}), make(kServiceAccount, {"sa"}),
                  make(kPersistentVolume, {"pv"}), make(kPersistentVolumeClaim, {"pvc"}), make(kDeployment, {"deploy"}, true),
                  make(kReplicaSet, {"rs"}, true), make(kStatefulSet, {"sts"}, true), make(kHorizontalPodAutoscaler, {"hpa"}),
                  make(kLease), make(kEndpointSlice), make(kNetworkPolicy, {"netpol"}), make(kIngress, {"ing"}),
                  make({"rbac.authorization.k8s.io", "v1", "Role", "roles"}), make({"rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings"}),
                  make({"rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", false}),
                  make({"rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", false}),
                  make(kInferenceService, {"isvc"}), make(kServingRuntime), make(kClusterServingRuntime), make(kTrainedModel), make(kInferenceGraph)};
  }
  const std::vector<Resource>& resources() const override { return resources_; }
  const Resource* find(std::string_view group, std::string_view version, std::string_view plural) const override {
    for (const Resource& r : resources_) {
      if (r.group == group && r.version == version && r.plural == plural) return &r;
    }
    return nullptr;
  }
  const Resource* findKind(std::string_view apiVersion, std::string_view kind) const override {
    for (const Resource& r : resources_) {
      if (r.kind == kind && r.apiVersion() == apiVersion) return &r;
    }
    return nullptr;
  }
  // Knows one wrong field, so that the paths of strict validation can be tested.
  std::vector<std::string> prune(const Resource&, Json& object) const override {
    if (!at(object, "bogus").is_null()) {
      object.erase("bogus");
      return {"bogus"};
    }
    return {};
  }
  void applyDefaults(const Resource&, Json&) const override {}
  std::vector<FieldError> validate(const Resource& r, const Json& object) const override {
    if (r.hasScale && intAt(at(object, "spec"), "replicas", 0) < 0) {
      return {{"FieldValueInvalid", "spec.replicas", "Invalid value: -1: must be greater than or equal to 0"}};
    }
    return {};
  }

 private:
  std::vector<Resource> resources_;
};

}  // namespace

std::shared_ptr<const Catalog> fakeCatalog() {
  static const std::shared_ptr<const Catalog> kCatalog = std::make_shared<FakeCatalog>();
  return kCatalog;
}

}  // namespace slipway::apiserver
