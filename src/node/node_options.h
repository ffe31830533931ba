// What a user can set about the node.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "node/pod_state.h"

namespace slipway::node {

struct NodeOptions {
  std::string nodeName;                 // empty: this machine's host name
  std::string dataDir;                  // absolute; the node uses pods/, logs/, cache/ below it
  std::string self = "/proc/self/exe";  // the binary behind program name `slipway` (model-server, storage-init)
  std::string hostIp = "127.0.0.1";
  std::int64_t cpuMillis = 0;  // capacity told to the API; 0: this machine's
  std::int64_t memoryBytes = 0;
  int maxPods = 110;
  std::uint64_t logMaxBytes = 10 << 20;  // per container log file, then it is rotated
  int logMaxFiles = 5;                   // kept per container run
  BackoffRule backoff;
  Duration heartbeat = std::chrono::minutes(5);    // lease and node status; nothing here acts on a missed one
  std::map<std::string, std::string> environment;  // given to every container, below the pod's own
};

}  // namespace slipway::node
