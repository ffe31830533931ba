// Reading and comparing recorded cases of the real KServe, for golden_test.cc.
#pragma once
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "controllers/serving/credentials.h"
#include "controllers/serving/select.h"
#include "objects/serving/config.h"

namespace slipway::isvc::testing {

struct GoldenCase {
  std::vector<Json> services;              // input.yaml's InferenceServices, or the last update's
  RuntimeCatalog catalog;                  // its runtimes and the built-in ones
  std::map<std::string, Json> stored;      // by service
  std::map<std::string, Json> lastStatus;  // by service
  std::map<std::string, Json> children;    // "Deployment/iris-predictor"
  std::vector<Json> others;                // Secrets and ServiceAccounts
  CredentialFacts credentials(const Json& pod) const;
};

// Folders under golden/ that this version is compared with.
std::vector<std::string> goldenCases();
GoldenCase readGoldenCase(const std::filesystem::path& folder);

// The configuration under which the cases were recorded: KServe's own.
ServingConfig stockConfig();
// Pods as the recorded Deployment's status counts them, all Ready or none.
std::vector<Json> runningPods(const Json& pod, const Json& deployment);

// Where `ours` differs from `recorded` without a reason in the table of differences, one line each. `what`: "stored",
// "Deployment/iris-predictor", "pod iris-predictor", "status" …
std::vector<std::string> unexplained(const std::string& folder, const std::string& what, const Json& recorded,
                                     const Json& ours);

}  // namespace slipway::isvc::testing
