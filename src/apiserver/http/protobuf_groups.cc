// Made by tools/protogen.py; protobuf_tables.cc says how to read it.
#include "apiserver/http/protobuf_tables.h"

namespace slipway::apiserver {

// clang-format off
const char* const kProtobufGroups = R"(
apps/v1/ControllerRevision: 1=metadata:meta/v1/ObjectMeta 2=data:json 3=revision:int
apps/v1/ControllerRevisionList: 1=metadata:meta/v1/ListMeta 2=items:apps/v1/ControllerRevision[]
apps/v1/DaemonSet: 1=metadata:meta/v1/ObjectMeta 2=spec:apps/v1/DaemonSetSpec 3=status:apps/v1/DaemonSetStatus
apps/v1/DaemonSetCondition: 1=type:string 2=status:string 3=lastTransitionTime:time 4=reason:string 5=message:string
apps/v1/DaemonSetList: 1=metadata:meta/v1/ListMeta 2=items:apps/v1/DaemonSet[]
apps/v1/DaemonSetSpec: 1=selector:meta/v1/LabelSelector* 2=template:core/v1/PodTemplateSpec 3=updateStrategy:apps/v1/DaemonSetUpdateStrategy 4=minReadySeconds:int 6=revisionHistoryLimit:int*
apps/v1/DaemonSetStatus: 1=currentNumberScheduled:int 2=numberMisscheduled:int 3=desiredNumberScheduled:int 4=numberReady:int 5=observedGeneration:int 6=updatedNumberScheduled:int 7=numberAvailable:int 8=numberUnavailable:int 9=collisionCount:int* 10=conditions:apps/v1/DaemonSetCondition[]
apps/v1/DaemonSetUpdateStrategy: 1=type:string 2=rollingUpdate:apps/v1/RollingUpdateDaemonSet*
apps/v1/Deployment: 1=metadata:meta/v1/ObjectMeta 2=spec:apps/v1/DeploymentSpec 3=status:apps/v1/DeploymentStatus
apps/v1/DeploymentCondition: 1=type:string 2=status:string 6=lastUpdateTime:time 7=lastTransitionTime:time 4=reason:string 5=message:string
apps/v1/DeploymentList: 1=metadata:meta/v1/ListMeta 2=items:apps/v1/Deployment[]
apps/v1/DeploymentSpec: 1=replicas:int* 2=selector:meta/v1/LabelSelector* 3=template:core/v1/PodTemplateSpec 4=strategy:apps/v1/DeploymentStrategy 5=minReadySeconds:int 6=revisionHistoryLimit:int* 7=paused:bool 9=progressDeadlineSeconds:int*
apps/v1/DeploymentStatus: 1=observedGeneration:int 2=replicas:int 3=updatedReplicas:int 7=readyReplicas:int 4=availableReplicas:int 5=unavailableReplicas:int 9=terminatingReplicas:int* 6=conditions:apps/v1/DeploymentCondition[] 8=collisionCount:int*
apps/v1/DeploymentStrategy: 1=type:string 2=rollingUpdate:apps/v1/RollingUpdateDeployment*
apps/v1/ReplicaSet: 1=metadata:meta/v1/ObjectMeta 2=spec:apps/v1/ReplicaSetSpec 3=status:apps/v1/ReplicaSetStatus
apps/v1/ReplicaSetCondition: 1=type:string 2=status:string 3=lastTransitionTime:time 4=reason:string 5=message:string
apps/v1/ReplicaSetList: 1=metadata:meta/v1/ListMeta 2=items:apps/v1/ReplicaSet[]
apps/v1/ReplicaSetSpec: 1=replicas:int* 4=minReadySeconds:int 2=selector:meta/v1/LabelSelector* 3=template:core/v1/PodTemplateSpec
apps/v1/ReplicaSetStatus: 1=replicas:int 2=fullyLabeledReplicas:int 4=readyReplicas:int 5=availableReplicas:int 7=terminatingReplicas:int* 3=observedGeneration:int 6=conditions:apps/v1/ReplicaSetCondition[]
apps/v1/RollingUpdateDaemonSet: 1=maxUnavailable:intstr* 2=maxSurge:intstr*
apps/v1/RollingUpdateDeployment: 1=maxUnavailable:intstr* 2=maxSurge:intstr*
apps/v1/RollingUpdateStatefulSetStrategy: 1=partition:int* 2=maxUnavailable:intstr*
apps/v1/StatefulSet: 1=metadata:meta/v1/ObjectMeta 2=spec:apps/v1/StatefulSetSpec 3=status:apps/v1/StatefulSetStatus
apps/v1/StatefulSetCondition: 1=type:string 2=status:string 3=lastTransitionTime:time 4=reason:string 5=message:string
apps/v1/StatefulSetList: 1=metadata:meta/v1/ListMeta 2=items:apps/v1/StatefulSet[]
apps/v1/StatefulSetOrdinals: 1=start:int
apps/v1/StatefulSetPersistentVolumeClaimRetentionPolicy: 1=whenDeleted:string 2=whenScaled:string
apps/v1/StatefulSetSpec: 1=replicas:int* 2=selector:meta/v1/LabelSelector* 3=template:core/v1/PodTemplateSpec 4=volumeClaimTemplates:core/v1/PersistentVolumeClaim[] 5=serviceName:string 6=podManagementPolicy:string 7=updateStrategy:apps/v1/StatefulSetUpdateStrategy 8=revisionHistoryLimit:int* 9=minReadySeconds:int 10=persistentVolumeClaimRetentionPolicy:apps/v1/StatefulSetPersistentVolumeClaimRetentionPolicy* 11=ordinals:apps/v1/StatefulSetOrdinals*
apps/v1/StatefulSetStatus: 1=observedGeneration:int 2=replicas:int 3=readyReplicas:int 4=currentReplicas:int 5=updatedReplicas:int 6=currentRevision:string 7=updateRevision:string 9=collisionCount:int* 10=conditions:apps/v1/StatefulSetCondition[] 11=availableReplicas:int
apps/v1/StatefulSetUpdateStrategy: 1=type:string 2=rollingUpdate:apps/v1/RollingUpdateStatefulSetStrategy*
authentication/v1/BoundObjectReference: 1=kind:string 2=apiVersion:string 3=name:string 4=uid:string
authentication/v1/SelfSubjectReview: 1=metadata:meta/v1/ObjectMeta 2=status:authentication/v1/SelfSubjectReviewStatus
authentication/v1/SelfSubjectReviewStatus: 1=userInfo:authentication/v1/UserInfo
authentication/v1/TokenRequest: 1=metadata:meta/v1/ObjectMeta 2=spec:authentication/v1/TokenRequestSpec 3=status:authentication/v1/TokenRequestStatus
authentication/v1/TokenRequestSpec: 1=audiences:string[] 4=expirationSeconds:int* 3=boundObjectRef:authentication/v1/BoundObjectReference*
authentication/v1/TokenRequestStatus: 1=token:string 2=expirationTimestamp:time
authentication/v1/TokenReview: 1=metadata:meta/v1/ObjectMeta 2=spec:authentication/v1/TokenReviewSpec 3=status:authentication/v1/TokenReviewStatus
authentication/v1/TokenReviewSpec: 1=token:string 2=audiences:string[]
authentication/v1/TokenReviewStatus: 1=authenticated:bool 2=user:authentication/v1/UserInfo 4=audiences:string[] 3=error:string
authentication/v1/UserInfo: 1=username:string 2=uid:string 3=groups:string[] 4=extra:texts{}
authorization/v1/FieldSelectorAttributes: 1=rawSelector:string 2=requirements:meta/v1/FieldSelectorRequirement[]
authorization/v1/LabelSelectorAttributes: 1=rawSelector:string 2=requirements:meta/v1/LabelSelectorRequirement[]
authorization/v1/LocalSubjectAccessReview: 1=metadata:meta/v1/ObjectMeta 2=spec:authorization/v1/SubjectAccessReviewSpec 3=status:authorization/v1/SubjectAccessReviewStatus
authorization/v1/NonResourceAttributes: 1=path:string 2=verb:string
authorization/v1/NonResourceRule: 1=verbs:string[] 2=nonResourceURLs:string[]
authorization/v1/ResourceAttributes: 1=namespace:string 2=verb:string 3=group:string 4=version:string 5=resource:string 6=subresource:string 7=name:string 8=fieldSelector:authorization/v1/FieldSelectorAttributes* 9=labelSelector:authorization/v1/LabelSelectorAttributes*
authorization/v1/ResourceRule: 1=verbs:string[] 2=apiGroups:string[] 3=resources:string[] 4=resourceNames:string[]
authorization/v1/SelfSubjectAccessReview: 1=metadata:meta/v1/ObjectMeta 2=spec:authorization/v1/SelfSubjectAccessReviewSpec 3=status:authorization/v1/SubjectAccessReviewStatus
authorization/v1/SelfSubjectAccessReviewSpec: 1=resourceAttributes:authorization/v1/ResourceAttributes* 2=nonResourceAttributes:authorization/v1/NonResourceAttributes*
authorization/v1/SelfSubjectRulesReview: 1=metadata:meta/v1/ObjectMeta 2=spec:authorization/v1/SelfSubjectRulesReviewSpec 3=status:authorization/v1/SubjectRulesReviewStatus
authorization/v1/SelfSubjectRulesReviewSpec: 1=namespace:string
authorization/v1/SubjectAccessReview: 1=metadata:meta/v1/ObjectMeta 2=spec:authorization/v1/SubjectAccessReviewSpec 3=status:authorization/v1/SubjectAccessReviewStatus
authorization/v1/SubjectAccessReviewSpec: 1=resourceAttributes:authorization/v1/ResourceAttributes* 2=nonResourceAttributes:authorization/v1/NonResourceAttributes* 3=user:string 4=groups:string[] 5=extra:texts{} 6=uid:string
authorization/v1/SubjectAccessReviewStatus: 1=allowed:bool 4=denied:bool 2=reason:string 3=evaluationError:string
authorization/v1/SubjectRulesReviewStatus: 1=resourceRules:authorization/v1/ResourceRule[] 2=nonResourceRules:authorization/v1/NonResourceRule[] 3=incomplete:bool 4=evaluationError:string
autoscaling/v1/CrossVersionObjectReference: 1=kind:string 2=name:string 3=apiVersion:string
autoscaling/v1/HorizontalPodAutoscaler: 1=metadata:meta/v1/ObjectMeta 2=spec:autoscaling/v1/HorizontalPodAutoscalerSpec 3=status:autoscaling/v1/HorizontalPodAutoscalerStatus
autoscaling/v1/HorizontalPodAutoscalerList: 1=metadata:meta/v1/ListMeta 2=items:autoscaling/v1/HorizontalPodAutoscaler[]
autoscaling/v1/HorizontalPodAutoscalerSpec: 1=scaleTargetRef:autoscaling/v1/CrossVersionObjectReference 2=minReplicas:int* 3=maxReplicas:int 4=targetCPUUtilizationPercentage:int*
autoscaling/v1/HorizontalPodAutoscalerStatus: 1=observedGeneration:int* 2=lastScaleTime:time* 3=currentReplicas:int 4=desiredReplicas:int 5=currentCPUUtilizationPercentage:int*
autoscaling/v1/Scale: 1=metadata:meta/v1/ObjectMeta 2=spec:autoscaling/v1/ScaleSpec 3=status:autoscaling/v1/ScaleStatus
autoscaling/v1/ScaleSpec: 1=replicas:int
autoscaling/v1/ScaleStatus: 1=replicas:int 2=selector:string
autoscaling/v2/ContainerResourceMetricSource: 1=name:string 2=target:autoscaling/v2/MetricTarget 3=container:string
autoscaling/v2/ContainerResourceMetricStatus: 1=name:string 2=current:autoscaling/v2/MetricValueStatus 3=container:string
autoscaling/v2/CrossVersionObjectReference: 1=kind:string 2=name:string 3=apiVersion:string
autoscaling/v2/ExternalMetricSource: 1=metric:autoscaling/v2/MetricIdentifier 2=target:autoscaling/v2/MetricTarget
autoscaling/v2/ExternalMetricStatus: 1=metric:autoscaling/v2/MetricIdentifier 2=current:autoscaling/v2/MetricValueStatus
autoscaling/v2/HPAScalingPolicy: 1=type:string 2=value:int 3=periodSeconds:int
autoscaling/v2/HPAScalingRules: 3=stabilizationWindowSeconds:int* 1=selectPolicy:string* 2=policies:autoscaling/v2/HPAScalingPolicy[] 4=tolerance:quantity*
autoscaling/v2/HorizontalPodAutoscaler: 1=metadata:meta/v1/ObjectMeta 2=spec:autoscaling/v2/HorizontalPodAutoscalerSpec 3=status:autoscaling/v2/HorizontalPodAutoscalerStatus
autoscaling/v2/HorizontalPodAutoscalerBehavior: 1=scaleUp:autoscaling/v2/HPAScalingRules* 2=scaleDown:autoscaling/v2/HPAScalingRules*
autoscaling/v2/HorizontalPodAutoscalerCondition: 1=type:string 2=status:string 3=lastTransitionTime:time 4=reason:string 5=message:string
autoscaling/v2/HorizontalPodAutoscalerList: 1=metadata:meta/v1/ListMeta 2=items:autoscaling/v2/HorizontalPodAutoscaler[]
autoscaling/v2/HorizontalPodAutoscalerSpec: 1=scaleTargetRef:autoscaling/v2/CrossVersionObjectReference 2=minReplicas:int* 3=maxReplicas:int 4=metrics:autoscaling/v2/MetricSpec[] 5=behavior:autoscaling/v2/HorizontalPodAutoscalerBehavior*
autoscaling/v2/HorizontalPodAutoscalerStatus: 1=observedGeneration:int* 2=lastScaleTime:time* 3=currentReplicas:int 4=desiredReplicas:int 5=currentMetrics:autoscaling/v2/MetricStatus[] 6=conditions:autoscaling/v2/HorizontalPodAutoscalerCondition[]
autoscaling/v2/MetricIdentifier: 1=name:string 2=selector:meta/v1/LabelSelector*
autoscaling/v2/MetricSpec: 1=type:string 2=object:autoscaling/v2/ObjectMetricSource* 3=pods:autoscaling/v2/PodsMetricSource* 4=resource:autoscaling/v2/ResourceMetricSource* 7=containerResource:autoscaling/v2/ContainerResourceMetricSource* 5=external:autoscaling/v2/ExternalMetricSource*
autoscaling/v2/MetricStatus: 1=type:string 2=object:autoscaling/v2/ObjectMetricStatus* 3=pods:autoscaling/v2/PodsMetricStatus* 4=resource:autoscaling/v2/ResourceMetricStatus* 7=containerResource:autoscaling/v2/ContainerResourceMetricStatus* 5=external:autoscaling/v2/ExternalMetricStatus*
autoscaling/v2/MetricTarget: 1=type:string 2=value:quantity* 3=averageValue:quantity* 4=averageUtilization:int*
autoscaling/v2/MetricValueStatus: 1=value:quantity* 2=averageValue:quantity* 3=averageUtilization:int*
autoscaling/v2/ObjectMetricSource: 1=describedObject:autoscaling/v2/CrossVersionObjectReference 2=target:autoscaling/v2/MetricTarget 3=metric:autoscaling/v2/MetricIdentifier
autoscaling/v2/ObjectMetricStatus: 1=metric:autoscaling/v2/MetricIdentifier 2=current:autoscaling/v2/MetricValueStatus 3=describedObject:autoscaling/v2/CrossVersionObjectReference
autoscaling/v2/PodsMetricSource: 1=metric:autoscaling/v2/MetricIdentifier 2=target:autoscaling/v2/MetricTarget
autoscaling/v2/PodsMetricStatus: 1=metric:autoscaling/v2/MetricIdentifier 2=current:autoscaling/v2/MetricValueStatus
autoscaling/v2/ResourceMetricSource: 1=name:string 2=target:autoscaling/v2/MetricTarget
autoscaling/v2/ResourceMetricStatus: 1=name:string 2=current:autoscaling/v2/MetricValueStatus
batch/v1/CronJob: 1=metadata:meta/v1/ObjectMeta 2=spec:batch/v1/CronJobSpec 3=status:batch/v1/CronJobStatus
batch/v1/CronJobList: 1=metadata:meta/v1/ListMeta 2=items:batch/v1/CronJob[]
batch/v1/CronJobSpec: 1=schedule:string 8=timeZone:string* 2=startingDeadlineSeconds:int* 3=concurrencyPolicy:string 4=suspend:bool* 5=jobTemplate:batch/v1/JobTemplateSpec 6=successfulJobsHistoryLimit:int* 7=failedJobsHistoryLimit:int*
batch/v1/CronJobStatus: 1=active:core/v1/ObjectReference[] 4=lastScheduleTime:time* 5=lastSuccessfulTime:time*
batch/v1/Job: 1=metadata:meta/v1/ObjectMeta 2=spec:batch/v1/JobSpec 3=status:batch/v1/JobStatus
batch/v1/JobCondition: 1=type:string 2=status:string 3=lastProbeTime:time 4=lastTransitionTime:time 5=reason:string 6=message:string
batch/v1/JobList: 1=metadata:meta/v1/ListMeta 2=items:batch/v1/Job[]
batch/v1/JobSpec: 1=parallelism:int* 2=completions:int* 3=activeDeadlineSeconds:int* 11=podFailurePolicy:batch/v1/PodFailurePolicy* 16=successPolicy:batch/v1/SuccessPolicy* 7=backoffLimit:int* 12=backoffLimitPerIndex:int* 13=maxFailedIndexes:int* 4=selector:meta/v1/LabelSelector* 5=manualSelector:bool* 6=template:core/v1/PodTemplateSpec 8=ttlSecondsAfterFinished:int* 9=completionMode:string* 10=suspend:bool* 14=podReplacementPolicy:string* 15=managedBy:string*
batch/v1/JobStatus: 1=conditions:batch/v1/JobCondition[] 2=startTime:time* 3=completionTime:time* 4=active:int 5=succeeded:int 6=failed:int 11=terminating:int* 7=completedIndexes:string 10=failedIndexes:string* 8=uncountedTerminatedPods:batch/v1/UncountedTerminatedPods* 9=ready:int*
batch/v1/JobTemplateSpec: 1=metadata:meta/v1/ObjectMeta 2=spec:batch/v1/JobSpec
batch/v1/PodFailurePolicy: 1=rules:batch/v1/PodFailurePolicyRule[]
batch/v1/PodFailurePolicyOnExitCodesRequirement: 1=containerName:string* 2=operator:string 3=values:int[]
batch/v1/PodFailurePolicyOnPodConditionsPattern: 1=type:string 2=status:string
batch/v1/PodFailurePolicyRule: 1=action:string 2=onExitCodes:batch/v1/PodFailurePolicyOnExitCodesRequirement* 3=onPodConditions:batch/v1/PodFailurePolicyOnPodConditionsPattern[]
batch/v1/SuccessPolicy: 1=rules:batch/v1/SuccessPolicyRule[]
batch/v1/SuccessPolicyRule: 1=succeededIndexes:string* 2=succeededCount:int*
batch/v1/UncountedTerminatedPods: 1=succeeded:string[] 2=failed:string[]
coordination/v1/Lease: 1=metadata:meta/v1/ObjectMeta 2=spec:coordination/v1/LeaseSpec
coordination/v1/LeaseList: 1=metadata:meta/v1/ListMeta 2=items:coordination/v1/Lease[]
coordination/v1/LeaseSpec: 1=holderIdentity:string* 2=leaseDurationSeconds:int* 3=acquireTime:microtime* 4=renewTime:microtime* 5=leaseTransitions:int* 6=strategy:string* 7=preferredHolder:string*
discovery/v1/Endpoint: 1=addresses:string[] 2=conditions:discovery/v1/EndpointConditions 3=hostname:string* 4=targetRef:core/v1/ObjectReference* 5=deprecatedTopology:string{} 6=nodeName:string* 7=zone:string* 8=hints:discovery/v1/EndpointHints*
discovery/v1/EndpointConditions: 1=ready:bool* 2=serving:bool* 3=terminating:bool*
discovery/v1/EndpointHints: 1=forZones:discovery/v1/ForZone[] 2=forNodes:discovery/v1/ForNode[]
discovery/v1/EndpointPort: 1=name:string* 2=protocol:string* 3=port:int* 4=appProtocol:string*
discovery/v1/EndpointSlice: 1=metadata:meta/v1/ObjectMeta 4=addressType:string 2=endpoints:discovery/v1/Endpoint[] 3=ports:discovery/v1/EndpointPort[]
discovery/v1/EndpointSliceList: 1=metadata:meta/v1/ListMeta 2=items:discovery/v1/EndpointSlice[]
discovery/v1/ForNode: 1=name:string
discovery/v1/ForZone: 1=name:string
events/v1/Event: 1=metadata:meta/v1/ObjectMeta 2=eventTime:microtime 3=series:events/v1/EventSeries* 4=reportingController:string 5=reportingInstance:string 6=action:string 7=reason:string 8=regarding:core/v1/ObjectReference 9=related:core/v1/ObjectReference* 10=note:string 11=type:string 12=deprecatedSource:core/v1/EventSource 13=deprecatedFirstTimestamp:time 14=deprecatedLastTimestamp:time 15=deprecatedCount:int
events/v1/EventList: 1=metadata:meta/v1/ListMeta 2=items:events/v1/Event[]
events/v1/EventSeries: 1=count:int 2=lastObservedTime:microtime
networking/v1/HTTPIngressPath: 1=path:string 3=pathType:string* 2=backend:networking/v1/IngressBackend
networking/v1/HTTPIngressRuleValue: 1=paths:networking/v1/HTTPIngressPath[]
networking/v1/IPAddress: 1=metadata:meta/v1/ObjectMeta 2=spec:networking/v1/IPAddressSpec
networking/v1/IPAddressList: 1=metadata:meta/v1/ListMeta 2=items:networking/v1/IPAddress[]
networking/v1/IPAddressSpec: 1=parentRef:networking/v1/ParentReference*
networking/v1/IPBlock: 1=cidr:string 2=except:string[]
networking/v1/Ingress: 1=metadata:meta/v1/ObjectMeta 2=spec:networking/v1/IngressSpec 3=status:networking/v1/IngressStatus
networking/v1/IngressBackend: 4=service:networking/v1/IngressServiceBackend* 3=resource:core/v1/TypedLocalObjectReference*
networking/v1/IngressClass: 1=metadata:meta/v1/ObjectMeta 2=spec:networking/v1/IngressClassSpec
networking/v1/IngressClassList: 1=metadata:meta/v1/ListMeta 2=items:networking/v1/IngressClass[]
networking/v1/IngressClassParametersReference: 1=apiGroup:string* 2=kind:string 3=name:string 4=scope:string* 5=namespace:string*
networking/v1/IngressClassSpec: 1=controller:string 2=parameters:networking/v1/IngressClassParametersReference*
networking/v1/IngressList: 1=metadata:meta/v1/ListMeta 2=items:networking/v1/Ingress[]
networking/v1/IngressLoadBalancerIngress: 1=ip:string 2=hostname:string 4=ports:networking/v1/IngressPortStatus[]
networking/v1/IngressLoadBalancerStatus: 1=ingress:networking/v1/IngressLoadBalancerIngress[]
networking/v1/IngressPortStatus: 1=port:int 2=protocol:string 3=error:string*
networking/v1/IngressRule: 1=host:string 2=-:networking/v1/IngressRuleValue
networking/v1/IngressRuleValue: 1=http:networking/v1/HTTPIngressRuleValue*
networking/v1/IngressServiceBackend: 1=name:string 2=port:networking/v1/ServiceBackendPort
networking/v1/IngressSpec: 4=ingressClassName:string* 1=defaultBackend:networking/v1/IngressBackend* 2=tls:networking/v1/IngressTLS[] 3=rules:networking/v1/IngressRule[]
networking/v1/IngressStatus: 1=loadBalancer:networking/v1/IngressLoadBalancerStatus
networking/v1/IngressTLS: 1=hosts:string[] 2=secretName:string
networking/v1/NetworkPolicy: 1=metadata:meta/v1/ObjectMeta 2=spec:networking/v1/NetworkPolicySpec
networking/v1/NetworkPolicyEgressRule: 1=ports:networking/v1/NetworkPolicyPort[] 2=to:networking/v1/NetworkPolicyPeer[]
networking/v1/NetworkPolicyIngressRule: 1=ports:networking/v1/NetworkPolicyPort[] 2=from:networking/v1/NetworkPolicyPeer[]
networking/v1/NetworkPolicyList: 1=metadata:meta/v1/ListMeta 2=items:networking/v1/NetworkPolicy[]
networking/v1/NetworkPolicyPeer: 1=podSelector:meta/v1/LabelSelector* 2=namespaceSelector:meta/v1/LabelSelector* 3=ipBlock:networking/v1/IPBlock*
networking/v1/NetworkPolicyPort: 1=protocol:string* 2=port:intstr* 3=endPort:int*
networking/v1/NetworkPolicySpec: 1=podSelector:meta/v1/LabelSelector 2=ingress:networking/v1/NetworkPolicyIngressRule[] 3=egress:networking/v1/NetworkPolicyEgressRule[] 4=policyTypes:string[]
networking/v1/ParentReference: 1=group:string 2=resource:string 3=namespace:string 4=name:string
networking/v1/ServiceBackendPort: 1=name:string 2=number:int
networking/v1/ServiceCIDR: 1=metadata:meta/v1/ObjectMeta 2=spec:networking/v1/ServiceCIDRSpec 3=status:networking/v1/ServiceCIDRStatus
networking/v1/ServiceCIDRList: 1=metadata:meta/v1/ListMeta 2=items:networking/v1/ServiceCIDR[]
networking/v1/ServiceCIDRSpec: 1=cidrs:string[]
networking/v1/ServiceCIDRStatus: 1=conditions:meta/v1/Condition[]
node/v1/Overhead: 1=podFixed:quantity{}
node/v1/RuntimeClass: 1=metadata:meta/v1/ObjectMeta 2=handler:string 3=overhead:node/v1/Overhead* 4=scheduling:node/v1/Scheduling*
node/v1/RuntimeClassList: 1=metadata:meta/v1/ListMeta 2=items:node/v1/RuntimeClass[]
node/v1/Scheduling: 1=nodeSelector:string{} 2=tolerations:core/v1/Toleration[]
policy/v1/Eviction: 1=metadata:meta/v1/ObjectMeta 2=deleteOptions:meta/v1/DeleteOptions*
policy/v1/PodDisruptionBudget: 1=metadata:meta/v1/ObjectMeta 2=spec:policy/v1/PodDisruptionBudgetSpec 3=status:policy/v1/PodDisruptionBudgetStatus
policy/v1/PodDisruptionBudgetList: 1=metadata:meta/v1/ListMeta 2=items:policy/v1/PodDisruptionBudget[]
policy/v1/PodDisruptionBudgetSpec: 1=minAvailable:intstr* 2=selector:meta/v1/LabelSelector* 3=maxUnavailable:intstr* 4=unhealthyPodEvictionPolicy:string*
policy/v1/PodDisruptionBudgetStatus: 1=observedGeneration:int 2=disruptedPods:time{} 3=disruptionsAllowed:int 4=currentHealthy:int 5=desiredHealthy:int 6=expectedPods:int 7=conditions:meta/v1/Condition[]
rbac/v1/AggregationRule: 1=clusterRoleSelectors:meta/v1/LabelSelector[]
rbac/v1/ClusterRole: 1=metadata:meta/v1/ObjectMeta 2=rules:rbac/v1/PolicyRule[] 3=aggregationRule:rbac/v1/AggregationRule*
rbac/v1/ClusterRoleBinding: 1=metadata:meta/v1/ObjectMeta 2=subjects:rbac/v1/Subject[] 3=roleRef:rbac/v1/RoleRef
rbac/v1/ClusterRoleBindingList: 1=metadata:meta/v1/ListMeta 2=items:rbac/v1/ClusterRoleBinding[]
rbac/v1/ClusterRoleList: 1=metadata:meta/v1/ListMeta 2=items:rbac/v1/ClusterRole[]
rbac/v1/PolicyRule: 1=verbs:string[] 2=apiGroups:string[] 3=resources:string[] 4=resourceNames:string[] 5=nonResourceURLs:string[]
rbac/v1/Role: 1=metadata:meta/v1/ObjectMeta 2=rules:rbac/v1/PolicyRule[]
rbac/v1/RoleBinding: 1=metadata:meta/v1/ObjectMeta 2=subjects:rbac/v1/Subject[] 3=roleRef:rbac/v1/RoleRef
rbac/v1/RoleBindingList: 1=metadata:meta/v1/ListMeta 2=items:rbac/v1/RoleBinding[]
rbac/v1/RoleList: 1=metadata:meta/v1/ListMeta 2=items:rbac/v1/Role[]
rbac/v1/RoleRef: 1=apiGroup:string 2=kind:string 3=name:string
rbac/v1/Subject: 1=kind:string 2=apiGroup:string 3=name:string 4=namespace:string
scheduling/v1/PriorityClass: 1=metadata:meta/v1/ObjectMeta 2=value:int 3=globalDefault:bool 4=description:string 5=preemptionPolicy:string*
scheduling/v1/PriorityClassList: 1=metadata:meta/v1/ListMeta 2=items:scheduling/v1/PriorityClass[]
storage/v1/CSIDriver: 1=metadata:meta/v1/ObjectMeta 2=spec:storage/v1/CSIDriverSpec
storage/v1/CSIDriverList: 1=metadata:meta/v1/ListMeta 2=items:storage/v1/CSIDriver[]
storage/v1/CSIDriverSpec: 1=attachRequired:bool* 2=podInfoOnMount:bool* 3=volumeLifecycleModes:string[] 4=storageCapacity:bool* 5=fsGroupPolicy:string* 6=tokenRequests:storage/v1/TokenRequest[] 7=requiresRepublish:bool* 8=seLinuxMount:bool* 9=nodeAllocatableUpdatePeriodSeconds:int*
storage/v1/CSINode: 1=metadata:meta/v1/ObjectMeta 2=spec:storage/v1/CSINodeSpec
storage/v1/CSINodeDriver: 1=name:string 2=nodeID:string 3=topologyKeys:string[] 4=allocatable:storage/v1/VolumeNodeResources*
storage/v1/CSINodeList: 1=metadata:meta/v1/ListMeta 2=items:storage/v1/CSINode[]
storage/v1/CSINodeSpec: 1=drivers:storage/v1/CSINodeDriver[]
storage/v1/CSIStorageCapacity: 1=metadata:meta/v1/ObjectMeta 2=nodeTopology:meta/v1/LabelSelector* 3=storageClassName:string 4=capacity:quantity* 5=maximumVolumeSize:quantity*
storage/v1/CSIStorageCapacityList: 1=metadata:meta/v1/ListMeta 2=items:storage/v1/CSIStorageCapacity[]
storage/v1/StorageClass: 1=metadata:meta/v1/ObjectMeta 2=provisioner:string 3=parameters:string{} 4=reclaimPolicy:string* 5=mountOptions:string[] 6=allowVolumeExpansion:bool* 7=volumeBindingMode:string* 8=allowedTopologies:core/v1/TopologySelectorTerm[]
storage/v1/StorageClassList: 1=metadata:meta/v1/ListMeta 2=items:storage/v1/StorageClass[]
storage/v1/TokenRequest: 1=audience:string 2=expirationSeconds:int*
storage/v1/VolumeAttachment: 1=metadata:meta/v1/ObjectMeta 2=spec:storage/v1/VolumeAttachmentSpec 3=status:storage/v1/VolumeAttachmentStatus
storage/v1/VolumeAttachmentList: 1=metadata:meta/v1/ListMeta 2=items:storage/v1/VolumeAttachment[]
storage/v1/VolumeAttachmentSource: 1=persistentVolumeName:string* 2=-:core/v1/PersistentVolumeSpec*
storage/v1/VolumeAttachmentSpec: 1=attacher:string 2=source:storage/v1/VolumeAttachmentSource 3=nodeName:string
storage/v1/VolumeAttachmentStatus: 1=attached:bool 2=attachmentMetadata:string{} 3=attachError:storage/v1/VolumeError* 4=detachError:storage/v1/VolumeError*
storage/v1/VolumeAttributesClass: 1=metadata:meta/v1/ObjectMeta 2=driverName:string 3=parameters:string{}
storage/v1/VolumeAttributesClassList: 1=metadata:meta/v1/ListMeta 2=items:storage/v1/VolumeAttributesClass[]
storage/v1/VolumeError: 1=time:time 2=message:string 3=errorCode:int*
storage/v1/VolumeNodeResources: 1=count:int*
)";
// clang-format on

}  // namespace slipway::apiserver
