// Storage credentials for the storage initializer, from Secrets and ServiceAccounts: KServe's rules as pure functions on
// objects (reference: kserve.md section 5). Secret values never leave the Secret where a reference will do.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "data/json.h"
#include "objects/serving/config.h"

namespace slipway::isvc {

// The objects that a pod's credentials may come from, as the API has them.
struct CredentialFacts {
  Json serviceAccount;                  // of the pod; null when it does not exist
  std::map<std::string, Json> secrets;  // by name; absent: not found
};

// The Secrets that `applyCredentials` would look at, so that the caller can fetch them first.
std::vector<std::string> credentialSecrets(const Json& pod, const Json& serviceAccount, const ServingConfig& config);

// Adds to the init container the variables and mounts, and to the pod the volumes, that its storage needs. Error Forbidden:
// a Secret that the pod names is missing or unusable; the message names it.
Status applyCredentials(Json& pod, Json& initContainer, const CredentialFacts& facts, const ServingConfig& config);

// The value of a Secret's key, decoded; nothing when absent or not base64.
std::optional<std::string> secretValue(const Json& secret, const std::string& key);

}  // namespace slipway::isvc
