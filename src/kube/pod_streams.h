// PodStreams: what only the node that runs a pod can answer: its logs, and later exec, attach and port-forward. The node
// implements it, the API server's pod subresources call it; cmd/ introduces them. Used from the control loop.
#pragma once
#include <optional>
#include <string>

#include "base/result.h"
#include "base/task.h"
#include "kube/client.h"
#include "net/http.h"

namespace slipway::kube {

struct LogOptions {
  std::string container;  // empty: the only one; error BadRequest when there are several
  bool follow = false;
  bool previous = false;
  bool timestamps = false;
  std::optional<std::int64_t> tailLines;
  std::optional<std::int64_t> sinceSeconds;
  std::string sinceTime;  // RFC 3339; empty: none
  std::optional<std::int64_t> limitBytes;
};

class PodStreams {
 public:
  virtual ~PodStreams() = default;
  // Log text as a stream; with follow it ends when the container does. Errors use Kubernetes' words, e.g. BadRequest
  // `previous terminated container "c" in pod "p" not found`.
  virtual Task<Result<net::Body>> logs(Json pod, LogOptions options) = 0;
};

}  // namespace slipway::kube
