// What KServe's pod webhook does: gives pods of InferenceServices their storage initializer, credentials, volumes and
// sidecars. Pure; the API server calls it when a pod is created (or a webhook server on a cluster), so that Deployments look
// as KServe's do and a changed Secret takes effect with the next pod.
//
//   if (isServingPod(pod)) { read its ServiceAccount and credentialSecrets(…) into facts; admitServingPod(pod, facts,
//   config, options); }
#pragma once
#include "controllers/serving/component.h"
#include "controllers/serving/credentials.h"

namespace slipway::isvc {

// True for pods with the label serving.kserve.io/inferenceservice.
bool isServingPod(const Json& pod);

// Injects into `pod`; doing it twice changes nothing more. Error Forbidden with the message in the form of KServe's webhook.
Status admitServingPod(Json& pod, const CredentialFacts& facts, const ServingConfig& config, const BuildOptions& options);

// For `storageUris`: the init container, its volume and the mounts (claims are mounted where they are wanted), written into
// a Deployment's pod spec as KServe does; the pod's admission adds the credentials. Paths share a parent folder (validated).
struct Download {
  std::string uri, path;
};
void injectDownloads(Json& podSpec, const std::vector<Download>& all, const TextMap& annotations,
                     const ServingConfig& config);

}  // namespace slipway::isvc
