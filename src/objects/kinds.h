// The kinds that the program itself names. The API server serves more: whatever the schemas describe.
#pragma once
#include <string>
#include <string_view>

namespace slipway {

struct Kind {
  std::string_view group;    // "" for core
  std::string_view version;  // the version our controllers read and write
  std::string_view kind;
  std::string_view plural;
  bool namespaced = true;
  std::string apiVersion() const {
    return group.empty() ? std::string(version) : std::string(group) + "/" + std::string(version);
  }
  bool operator==(const Kind&) const = default;
};

namespace kinds {
inline constexpr Kind kNamespace{"", "v1", "Namespace", "namespaces", false};
inline constexpr Kind kNode{"", "v1", "Node", "nodes", false};
inline constexpr Kind kPod{"", "v1", "Pod", "pods"};
inline constexpr Kind kService{"", "v1", "Service", "services"};
inline constexpr Kind kEndpoints{"", "v1", "Endpoints", "endpoints"};
inline constexpr Kind kEvent{"", "v1", "Event", "events"};
inline constexpr Kind kSecret{"", "v1", "Secret", "secrets"};
inline constexpr Kind kConfigMap{"", "v1", "ConfigMap", "configmaps"};
inline constexpr Kind kServiceAccount{"", "v1", "ServiceAccount", "serviceaccounts"};
inline constexpr Kind kPersistentVolume{"", "v1", "PersistentVolume", "persistentvolumes", false};
inline constexpr Kind kPersistentVolumeClaim{"", "v1", "PersistentVolumeClaim", "persistentvolumeclaims"};
inline constexpr Kind kDeployment{"apps", "v1", "Deployment", "deployments"};
inline constexpr Kind kReplicaSet{"apps", "v1", "ReplicaSet", "replicasets"};
inline constexpr Kind kStatefulSet{"apps", "v1", "StatefulSet", "statefulsets"};
inline constexpr Kind kHorizontalPodAutoscaler{"autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"};
inline constexpr Kind kLease{"coordination.k8s.io", "v1", "Lease", "leases"};
inline constexpr Kind kEndpointSlice{"discovery.k8s.io", "v1", "EndpointSlice", "endpointslices"};
inline constexpr Kind kNetworkPolicy{"networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies"};
inline constexpr Kind kIngress{"networking.k8s.io", "v1", "Ingress", "ingresses"};
inline constexpr Kind kInferenceService{"serving.kserve.io", "v1beta1", "InferenceService", "inferenceservices"};
inline constexpr Kind kServingRuntime{"serving.kserve.io", "v1alpha1", "ServingRuntime", "servingruntimes"};
inline constexpr Kind kClusterServingRuntime{"serving.kserve.io", "v1alpha1", "ClusterServingRuntime",
                                             "clusterservingruntimes", false};
inline constexpr Kind kTrainedModel{"serving.kserve.io", "v1alpha1", "TrainedModel", "trainedmodels"};
inline constexpr Kind kInferenceGraph{"serving.kserve.io", "v1alpha1", "InferenceGraph", "inferencegraphs"};
}  // namespace kinds

}  // namespace slipway
