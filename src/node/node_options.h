// What a user can set about the node.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/task.h"
#include "node/eviction.h"
#include "node/pod_state.h"
#include "node/service_proxy.h"

namespace slipway::node {

// A token of a pod's ServiceAccount.
struct TokenAsk {
  std::string ns, account, audience;  // audience "": the API's own
  std::int64_t seconds = 3600;
  std::string podName, podUid;  // it is bound to
};

struct NodeOptions {
  std::string nodeName;                 // empty: this machine's host name
  std::string dataDir;                  // absolute; the node uses pods/, logs/, cache/ below it
  std::string self = "/proc/self/exe";  // the binary behind program name `slipway` (model-server, storage-init)
  std::string hostIp = "127.0.0.1";
  std::int64_t cpuMillis = 0;  // capacity told to the API; 0: this machine's
  std::int64_t memoryBytes = 0;
  int maxPods = 1000;                    // a kubelet says 110; pods cost less here
  std::uint64_t logMaxBytes = 10 << 20;  // per container log file, then it is rotated
  int logMaxFiles = 5;                   // kept per container run
  BackoffRule backoff;
  Duration heartbeat = std::chrono::minutes(5);    // lease and node status; nothing here acts on a missed one
  std::map<std::string, std::string> environment;  // given to every container, below the pod's own
  // Signs tokens for projected serviceAccountToken volumes; without it such a pod waits and says so.
  std::function<Task<Result<std::string>>(TokenAsk)> tokens;
  EvictionRule eviction;
  bool forwardServices = true;          // listen on the addresses of Services (service_proxy.h)
  std::optional<Endpoint> apiEndpoint;  // what Service default/kubernetes leads to
};

}  // namespace slipway::node
