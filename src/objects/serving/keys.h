// The names that KServe's objects speak with: annotations, labels, containers. Constants only.
#pragma once
#include <string_view>

namespace slipway::isvc {

// Annotations a user sets.
inline constexpr std::string_view kDeploymentMode = "serving.kserve.io/deploymentMode";
inline constexpr std::string_view kAutoscalerClass = "serving.kserve.io/autoscalerClass";
inline constexpr std::string_view kMetrics = "serving.kserve.io/metrics";
inline constexpr std::string_view kTargetUtilization = "serving.kserve.io/targetUtilizationPercentage";
inline constexpr std::string_view kStop = "serving.kserve.io/stop";
inline constexpr std::string_view kDisableAutoUpdate = "serving.kserve.io/disable-auto-update";
inline constexpr std::string_view kServerType = "serving.kserve.io/server-type";  // on a runtime
inline constexpr std::string_view kMetricAggregation = "serving.kserve.io/enable-metric-aggregation";
inline constexpr std::string_view kPrometheusScraping = "serving.kserve.io/enable-prometheus-scraping";
inline constexpr std::string_view kInitializerUid = "serving.kserve.io/storage-initializer-uid";
inline constexpr std::string_view kInitializerTimeout = "serving.kserve.io/storage-initializer-timeout";  // the guide's
inline constexpr std::string_view kS3SecretName = "serving.kserve.io/s3-secret-name";                     // the guide's
inline constexpr std::string_view kStorageReadOnly = "storage.kserve.io/readonly";
inline constexpr std::string_view kEnableBatch = "serving.kserve.io/enable-batch";    // the guide's
inline constexpr std::string_view kBatchSize = "serving.kserve.io/batch-size";        // the guide's
inline constexpr std::string_view kBatchTimeout = "serving.kserve.io/batch-timeout";  // the guide's
inline constexpr std::string_view kModelFormat = "modelFormat";
inline constexpr std::string_view kLastApplied = "kubectl.kubernetes.io/last-applied-configuration";

// Annotations by which the controller tells the pod admission what to inject.
inline constexpr std::string_view kInternalPrefix = "internal.serving.kserve.io/";
inline constexpr std::string_view kSourceUri = "internal.serving.kserve.io/storage-initializer-sourceuri";
inline constexpr std::string_view kStorageSpec = "internal.serving.kserve.io/storage-spec";
inline constexpr std::string_view kStorageSpecKey = "internal.serving.kserve.io/storage-spec-key";
inline constexpr std::string_view kStorageSpecParam = "internal.serving.kserve.io/storage-spec-param";
inline constexpr std::string_view kAgent = "internal.serving.kserve.io/agent";
inline constexpr std::string_view kAgentConfigVolume = "internal.serving.kserve.io/configVolumeName";
inline constexpr std::string_view kAgentConfigPath = "internal.serving.kserve.io/configMountPath";
inline constexpr std::string_view kAgentModelDir = "internal.serving.kserve.io/modelDir";
inline constexpr std::string_view kBatcher = "internal.serving.kserve.io/batcher";
inline constexpr std::string_view kBatcherMaxSize = "internal.serving.kserve.io/batcher-max-batchsize";
inline constexpr std::string_view kBatcherMaxLatency = "internal.serving.kserve.io/batcher-max-latency";
inline constexpr std::string_view kLogger = "internal.serving.kserve.io/logger";
inline constexpr std::string_view kLoggerUrl = "internal.serving.kserve.io/logger-sink-url";
inline constexpr std::string_view kLoggerMode = "internal.serving.kserve.io/logger-mode";

// Labels.
inline constexpr std::string_view kServiceLabel = "serving.kserve.io/inferenceservice";
inline constexpr std::string_view kComponentLabel = "component";
inline constexpr std::string_view kAppLabel = "app";
inline constexpr std::string_view kVisibility = "networking.kserve.io/visibility";
inline constexpr std::string_view kFinalizer = "inferenceservice.finalizers";

// Containers and paths.
inline constexpr std::string_view kServingContainer = "kserve-container";
inline constexpr std::string_view kTransformerContainer = "transformer-container";
inline constexpr std::string_view kWorkerContainer = "worker-container";
inline constexpr std::string_view kInitializerContainer = "storage-initializer";
inline constexpr std::string_view kModelDir = "/mnt/models";
inline constexpr std::string_view kConfigMapName = "inferenceservice-config";
inline constexpr std::string_view kSystemNamespace = "kserve";

}  // namespace slipway::isvc
