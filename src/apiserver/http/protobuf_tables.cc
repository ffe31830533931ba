#include "apiserver/http/protobuf_tables.h"

#include <sstream>
#include <stdexcept>

namespace slipway::apiserver {
namespace {

// One message a line: Name: number=jsonName:type …. Types: string, bytes, int, bool, time, microtime, quantity, intstr,
// json, or a message. Suffix * : a pointer in Go; [] : repeated; {} : map from string. Name "-" : inline. Numbers are those
// of Kubernetes' generated.proto.
constexpr const char* kTables = R"(
ObjectMeta: 1=name:string 2=generateName:string 3=namespace:string 4=selfLink:string 5=uid:string 6=resourceVersion:string 7=generation:int 8=creationTimestamp:time 9=deletionTimestamp:time* 10=deletionGracePeriodSeconds:int* 11=labels:string{} 12=annotations:string{} 13=ownerReferences:OwnerReference[] 14=finalizers:string[] 17=managedFields:ManagedFieldsEntry[]
OwnerReference: 1=kind:string 3=name:string 4=uid:string 5=apiVersion:string 6=controller:bool* 7=blockOwnerDeletion:bool*
ManagedFieldsEntry: 1=manager:string 2=operation:string 3=apiVersion:string 4=time:time* 6=fieldsType:string 7=fieldsV1:json 8=subresource:string
LabelSelector: 1=matchLabels:string{} 2=matchExpressions:LabelSelectorRequirement[]
LabelSelectorRequirement: 1=key:string 2=operator:string 3=values:string[]
ObjectReference: 1=kind:string 2=namespace:string 3=name:string 4=uid:string 5=apiVersion:string 6=resourceVersion:string 7=fieldPath:string
LocalObjectReference: 1=name:string
DeleteOptions: 1=gracePeriodSeconds:int* 2=preconditions:Preconditions* 3=orphanDependents:bool* 4=propagationPolicy:string* 5=dryRun:string[]
Preconditions: 1=uid:string* 2=resourceVersion:string*
Secret: 1=metadata:ObjectMeta 2=data:bytes{} 3=type:string 4=stringData:string{} 5=immutable:bool*
ConfigMap: 1=metadata:ObjectMeta 2=data:string{} 3=binaryData:bytes{} 4=immutable:bool*
Namespace: 1=metadata:ObjectMeta 2=spec:NamespaceSpec 3=status:NamespaceStatus
NamespaceSpec: 1=finalizers:string[]
NamespaceStatus: 1=phase:string
ResourceQuota: 1=metadata:ObjectMeta 2=spec:ResourceQuotaSpec 3=status:ResourceQuotaStatus
ResourceQuotaSpec: 1=hard:quantity{} 2=scopes:string[] 3=scopeSelector:ScopeSelector*
ResourceQuotaStatus: 1=hard:quantity{} 2=used:quantity{}
ScopeSelector: 1=matchExpressions:ScopedResourceSelectorRequirement[]
ScopedResourceSelectorRequirement: 1=scopeName:string 2=operator:string 3=values:string[]
LimitRange: 1=metadata:ObjectMeta 2=spec:LimitRangeSpec
LimitRangeSpec: 1=limits:LimitRangeItem[]
LimitRangeItem: 1=type:string 2=max:quantity{} 3=min:quantity{} 4=default:quantity{} 5=defaultRequest:quantity{} 6=maxLimitRequestRatio:quantity{}
ServiceAccount: 1=metadata:ObjectMeta 2=secrets:ObjectReference[] 3=imagePullSecrets:LocalObjectReference[] 4=automountServiceAccountToken:bool*
PolicyRule: 1=verbs:string[] 2=apiGroups:string[] 3=resources:string[] 4=resourceNames:string[] 5=nonResourceURLs:string[]
Subject: 1=kind:string 2=apiGroup:string 3=name:string 4=namespace:string
RoleRef: 1=apiGroup:string 2=kind:string 3=name:string
AggregationRule: 1=clusterRoleSelectors:LabelSelector[]
Role: 1=metadata:ObjectMeta 2=rules:PolicyRule[]
ClusterRole: 1=metadata:ObjectMeta 2=rules:PolicyRule[] 3=aggregationRule:AggregationRule*
RoleBinding: 1=metadata:ObjectMeta 2=subjects:Subject[] 3=roleRef:RoleRef
ClusterRoleBinding: 1=metadata:ObjectMeta 2=subjects:Subject[] 3=roleRef:RoleRef
TokenRequest: 1=metadata:ObjectMeta 2=spec:TokenRequestSpec 3=status:TokenRequestStatus
TokenRequestSpec: 1=audiences:string[] 3=boundObjectRef:BoundObjectReference* 4=expirationSeconds:int*
TokenRequestStatus: 1=token:string 2=expirationTimestamp:time
BoundObjectReference: 1=kind:string 2=apiVersion:string 3=name:string 4=uid:string
TokenReview: 1=metadata:ObjectMeta 2=spec:TokenReviewSpec
TokenReviewSpec: 1=token:string 2=audiences:string[]
SelfSubjectReview: 1=metadata:ObjectMeta 2=status:SelfSubjectReviewStatus
SelfSubjectReviewStatus: 1=userInfo:UserInfo
UserInfo: 1=username:string 2=uid:string 3=groups:string[]
SelfSubjectAccessReview: 1=metadata:ObjectMeta 2=spec:SelfSubjectAccessReviewSpec 3=status:AccessReviewStatus
SelfSubjectAccessReviewSpec: 1=resourceAttributes:ResourceAttributes* 2=nonResourceAttributes:NonResourceAttributes*
SubjectAccessReview: 1=metadata:ObjectMeta 2=spec:SubjectAccessReviewSpec 3=status:AccessReviewStatus
LocalSubjectAccessReview: 1=metadata:ObjectMeta 2=spec:SubjectAccessReviewSpec 3=status:AccessReviewStatus
SubjectAccessReviewSpec: 1=resourceAttributes:ResourceAttributes* 2=nonResourceAttributes:NonResourceAttributes* 3=user:string 4=groups:string[] 6=uid:string
AccessReviewStatus: 1=allowed:bool 2=reason:string 3=evaluationError:string 4=denied:bool
ResourceAttributes: 1=namespace:string 2=verb:string 3=group:string 4=version:string 5=resource:string 6=subresource:string 7=name:string
NonResourceAttributes: 1=path:string 2=verb:string
SelfSubjectRulesReview: 1=metadata:ObjectMeta 2=spec:SelfSubjectRulesReviewSpec 3=status:SubjectRulesReviewStatus
SelfSubjectRulesReviewSpec: 1=namespace:string
SubjectRulesReviewStatus: 3=incomplete:bool 4=evaluationError:string
Deployment: 1=metadata:ObjectMeta 2=spec:DeploymentSpec 3=status:DeploymentStatus
DeploymentSpec: 1=replicas:int* 2=selector:LabelSelector* 3=template:PodTemplateSpec 4=strategy:DeploymentStrategy 5=minReadySeconds:int 6=revisionHistoryLimit:int* 7=paused:bool 9=progressDeadlineSeconds:int*
DeploymentStrategy: 1=type:string 2=rollingUpdate:RollingUpdateDeployment*
RollingUpdateDeployment: 1=maxUnavailable:intstr* 2=maxSurge:intstr*
DeploymentStatus: 1=observedGeneration:int 2=replicas:int 3=updatedReplicas:int 4=availableReplicas:int 5=unavailableReplicas:int 7=readyReplicas:int 8=collisionCount:int*
PodTemplateSpec: 1=metadata:ObjectMeta 2=spec:PodSpec
Pod: 1=metadata:ObjectMeta 2=spec:PodSpec 3=status:PodStatus
PodStatus: 1=phase:string 3=message:string 4=reason:string 5=hostIP:string 6=podIP:string 9=qosClass:string 11=nominatedNodeName:string 14=resize:string
PodSpec: 1=volumes:Volume[] 2=containers:Container[] 3=restartPolicy:string 4=terminationGracePeriodSeconds:int* 5=activeDeadlineSeconds:int* 6=dnsPolicy:string 7=nodeSelector:string{} 8=serviceAccountName:string 9=serviceAccount:string 10=nodeName:string 11=hostNetwork:bool 12=hostPID:bool 13=hostIPC:bool 14=securityContext:PodSecurityContext* 15=imagePullSecrets:LocalObjectReference[] 16=hostname:string 17=subdomain:string 19=schedulerName:string 20=initContainers:Container[] 21=automountServiceAccountToken:bool* 22=tolerations:Toleration[] 24=priorityClassName:string 25=priority:int* 27=shareProcessNamespace:bool* 29=runtimeClassName:string* 30=enableServiceLinks:bool* 31=preemptionPolicy:string*
PodSecurityContext: 2=runAsUser:int* 3=runAsNonRoot:bool* 5=fsGroup:int* 6=runAsGroup:int*
Toleration: 1=key:string 2=operator:string 3=value:string 4=effect:string 5=tolerationSeconds:int*
Container: 1=name:string 2=image:string 3=command:string[] 4=args:string[] 5=workingDir:string 6=ports:ContainerPort[] 7=env:EnvVar[] 8=resources:ResourceRequirements 9=volumeMounts:VolumeMount[] 10=livenessProbe:Probe* 11=readinessProbe:Probe* 13=terminationMessagePath:string 14=imagePullPolicy:string 15=securityContext:SecurityContext* 16=stdin:bool 17=stdinOnce:bool 18=tty:bool 19=envFrom:EnvFromSource[] 20=terminationMessagePolicy:string 22=startupProbe:Probe* 24=restartPolicy:string*
ContainerPort: 1=name:string 2=hostPort:int 3=containerPort:int 4=protocol:string 5=hostIP:string
EnvVar: 1=name:string 2=value:string 3=valueFrom:EnvVarSource*
EnvVarSource: 1=fieldRef:ObjectFieldSelector* 2=resourceFieldRef:ResourceFieldSelector* 3=configMapKeyRef:KeySelector* 4=secretKeyRef:KeySelector*
ObjectFieldSelector: 1=apiVersion:string 2=fieldPath:string
ResourceFieldSelector: 1=containerName:string 2=resource:string 3=divisor:quantity
KeySelector: 1=-:LocalObjectReference 2=key:string 3=optional:bool*
EnvFromSource: 1=prefix:string 2=configMapRef:EnvSource* 3=secretRef:EnvSource*
EnvSource: 1=-:LocalObjectReference 2=optional:bool*
ResourceRequirements: 1=limits:quantity{} 2=requests:quantity{}
VolumeMount: 1=name:string 2=readOnly:bool 3=mountPath:string 4=subPath:string 5=mountPropagation:string* 6=subPathExpr:string
SecurityContext: 2=privileged:bool* 4=runAsUser:int* 5=runAsNonRoot:bool* 6=readOnlyRootFilesystem:bool* 7=allowPrivilegeEscalation:bool* 8=runAsGroup:int*
Probe: 1=-:ProbeHandler 2=initialDelaySeconds:int 3=timeoutSeconds:int 4=periodSeconds:int 5=successThreshold:int 6=failureThreshold:int 7=terminationGracePeriodSeconds:int*
ProbeHandler: 1=exec:ExecAction* 2=httpGet:HTTPGetAction* 3=tcpSocket:TCPSocketAction* 4=grpc:GRPCAction*
ExecAction: 1=command:string[]
HTTPGetAction: 1=path:string 2=port:intstr 3=host:string 4=scheme:string 5=httpHeaders:HTTPHeader[]
HTTPHeader: 1=name:string 2=value:string
TCPSocketAction: 1=port:intstr 2=host:string
GRPCAction: 1=port:int 2=service:string*
Volume: 1=name:string 2=-:VolumeSource
VolumeSource: 1=hostPath:HostPathVolumeSource* 2=emptyDir:EmptyDirVolumeSource* 6=secret:SecretVolumeSource* 10=persistentVolumeClaim:PersistentVolumeClaimVolumeSource* 19=configMap:ConfigMapVolumeSource*
HostPathVolumeSource: 1=path:string 2=type:string*
EmptyDirVolumeSource: 1=medium:string 2=sizeLimit:quantity*
SecretVolumeSource: 1=secretName:string 2=items:KeyToPath[] 3=defaultMode:int* 4=optional:bool*
ConfigMapVolumeSource: 1=-:LocalObjectReference 2=items:KeyToPath[] 3=defaultMode:int* 4=optional:bool*
KeyToPath: 1=key:string 2=path:string 3=mode:int*
PersistentVolumeClaimVolumeSource: 1=claimName:string 2=readOnly:bool
Service: 1=metadata:ObjectMeta 2=spec:ServiceSpec 3=status:ServiceStatus
ServiceSpec: 1=ports:ServicePort[] 2=selector:string{} 3=clusterIP:string 4=type:string 5=externalIPs:string[] 7=sessionAffinity:string 8=loadBalancerIP:string 9=loadBalancerSourceRanges:string[] 10=externalName:string 11=externalTrafficPolicy:string 12=healthCheckNodePort:int 13=publishNotReadyAddresses:bool 17=ipFamilyPolicy:string* 18=clusterIPs:string[] 19=ipFamilies:string[] 20=allocateLoadBalancerNodePorts:bool* 21=loadBalancerClass:string* 22=internalTrafficPolicy:string*
ServicePort: 1=name:string 2=protocol:string 3=port:int 4=targetPort:intstr 5=nodePort:int 6=appProtocol:string*
ServiceStatus: 1=loadBalancer:LoadBalancerStatus
LoadBalancerStatus: 1=ingress:LoadBalancerIngress[]
LoadBalancerIngress: 1=ip:string 2=hostname:string
Ingress: 1=metadata:ObjectMeta 2=spec:IngressSpec 3=status:IngressStatus
IngressSpec: 1=defaultBackend:IngressBackend* 2=tls:IngressTLS[] 3=rules:IngressRule[] 4=ingressClassName:string*
IngressTLS: 1=hosts:string[] 2=secretName:string
IngressRule: 1=host:string 2=-:IngressRuleValue
IngressRuleValue: 1=http:HTTPIngressRuleValue*
HTTPIngressRuleValue: 1=paths:HTTPIngressPath[]
HTTPIngressPath: 1=path:string 2=backend:IngressBackend 3=pathType:string*
IngressBackend: 3=resource:TypedLocalObjectReference* 4=service:IngressServiceBackend*
TypedLocalObjectReference: 1=apiGroup:string* 2=kind:string 3=name:string
IngressServiceBackend: 1=name:string 2=port:ServiceBackendPort
ServiceBackendPort: 1=name:string 2=number:int
IngressStatus: 1=loadBalancer:LoadBalancerStatus
autoscaling/v1/HorizontalPodAutoscaler: 1=metadata:ObjectMeta 2=spec:autoscaling/v1/Spec 3=status:autoscaling/v1/Status
autoscaling/v1/Spec: 1=scaleTargetRef:CrossVersionObjectReference 2=minReplicas:int* 3=maxReplicas:int 4=targetCPUUtilizationPercentage:int*
autoscaling/v1/Status: 1=observedGeneration:int* 2=lastScaleTime:time* 3=currentReplicas:int 4=desiredReplicas:int 5=currentCPUUtilizationPercentage:int*
CrossVersionObjectReference: 1=kind:string 2=name:string 3=apiVersion:string
autoscaling/v2/HorizontalPodAutoscaler: 1=metadata:ObjectMeta 2=spec:autoscaling/v2/Spec 3=status:autoscaling/v2/Status
autoscaling/v2/Spec: 1=scaleTargetRef:CrossVersionObjectReference 2=minReplicas:int* 3=maxReplicas:int 4=metrics:MetricSpec[]
autoscaling/v2/Status: 1=observedGeneration:int* 2=lastScaleTime:time* 3=currentReplicas:int 4=desiredReplicas:int
MetricSpec: 1=type:string 4=resource:ResourceMetricSource*
ResourceMetricSource: 1=name:string 2=target:MetricTarget
MetricTarget: 1=type:string 2=value:quantity* 3=averageValue:quantity* 4=averageUtilization:int*
Lease: 1=metadata:ObjectMeta 2=spec:LeaseSpec
LeaseSpec: 1=holderIdentity:string* 2=leaseDurationSeconds:int* 3=acquireTime:microtime* 4=renewTime:microtime* 5=leaseTransitions:int*
Event: 1=metadata:ObjectMeta 2=involvedObject:ObjectReference 3=reason:string 4=message:string 5=source:EventSource 6=firstTimestamp:time 7=lastTimestamp:time 8=count:int 9=type:string 10=eventTime:microtime 12=action:string 13=related:ObjectReference* 14=reportingComponent:string 15=reportingInstance:string
EventSource: 1=component:string 2=host:string
Scale: 1=metadata:ObjectMeta 2=spec:ScaleSpec 3=status:ScaleStatus
ScaleSpec: 1=replicas:int
ScaleStatus: 1=replicas:int 2=selector:string
Eviction: 1=metadata:ObjectMeta 2=deleteOptions:DeleteOptions*
)";

const std::map<std::string_view, ProtoField::Kind> kScalars = {
    {"string", ProtoField::Kind::String},     {"bytes", ProtoField::Kind::Bytes},
    {"int", ProtoField::Kind::Int},           {"bool", ProtoField::Kind::Bool},
    {"time", ProtoField::Kind::Time},         {"microtime", ProtoField::Kind::MicroTime},
    {"quantity", ProtoField::Kind::Quantity}, {"intstr", ProtoField::Kind::IntOrString},
    {"json", ProtoField::Kind::RawJson}};

bool cut(std::string& text, std::string_view suffix) {
  if (text.size() < suffix.size() || text.compare(text.size() - suffix.size(), suffix.size(), suffix) != 0) return false;
  text.resize(text.size() - suffix.size());
  return true;
}

// "3=metadata:ObjectMeta*" -> number and field.
std::pair<std::uint32_t, ProtoField> parseField(const std::string& word) {
  const auto eq = word.find('=');
  const auto colon = word.find(':', eq);
  ProtoField field;
  field.name = word.substr(eq + 1, colon - eq - 1);
  if (field.name == "-") field.name.clear();
  std::string type = word.substr(colon + 1);
  field.pointer = cut(type, "*");
  field.repeated = cut(type, "[]");
  field.map = cut(type, "{}");
  auto scalar = kScalars.find(type);
  field.kind = scalar == kScalars.end() ? ProtoField::Kind::Message : scalar->second;
  if (field.kind == ProtoField::Kind::Message) field.messageName = type;
  return {static_cast<std::uint32_t>(std::stoul(word.substr(0, eq))), field};
}

using Tables = std::map<std::string, ProtoMessage, std::less<>>;

Tables parseTables() {
  Tables tables;
  std::istringstream lines{std::string(kTables)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string name;
    if (!(words >> name)) continue;
    name.pop_back();  // ':'
    ProtoMessage& message = tables[name];
    message.name = name;
    for (std::string word; words >> word;) message.fields.insert(parseField(word));
  }
  for (auto& [name, message] : tables) {
    for (auto& [number, field] : message.fields) {
      if (field.kind != ProtoField::Kind::Message) continue;
      auto it = tables.find(field.messageName);
      if (it == tables.end()) throw std::logic_error("protobuf table: no message " + field.messageName);
      field.message = &it->second;
    }
  }
  return tables;
}

const Tables& tables() {
  static const Tables kParsed = parseTables();
  return kParsed;
}

}  // namespace

const ProtoMessage* protoMessage(std::string_view name) {
  auto it = tables().find(name);
  return it == tables().end() ? nullptr : &it->second;
}

const ProtoMessage* protoMessageOf(std::string_view apiVersion, std::string_view kind) {
  // Only kinds of their own group: a Service of serving.knative.dev is not core's.
  static const std::set<std::string_view> kVersions = {"v1",
                                                       "apps/v1",
                                                       "rbac.authorization.k8s.io/v1",
                                                       "authentication.k8s.io/v1",
                                                       "authorization.k8s.io/v1",
                                                       "networking.k8s.io/v1",
                                                       "coordination.k8s.io/v1",
                                                       "policy/v1",
                                                       "meta.k8s.io/v1",
                                                       "autoscaling/v1",
                                                       "autoscaling/v2"};
  if (const ProtoMessage* own = protoMessage(std::string(apiVersion) + "/" + std::string(kind))) return own;
  if (!kVersions.count(apiVersion)) return nullptr;
  return protoMessage(kind);
}

}  // namespace slipway::apiserver
