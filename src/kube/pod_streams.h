// PodStreams: what only the node that runs a pod can answer: its logs, sessions with its processes, its ports. The node
// implements it, the API server's pod subresources call it; cmd/ introduces them. Everything is bytes and plain values, so
// an implementation may as well speak to a node on another machine. Used from the control loop.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/task.h"
#include "kube/client.h"
#include "net/byte_stream.h"
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
  std::string stream;  // Stdout or Stderr: only that one; empty or All: both
};

struct TerminalSize {
  std::uint16_t columns = 0, rows = 0;
};

struct SessionOptions {
  std::string container;
  std::vector<std::string> command;  // exec; empty: attach to the container's own process
  bool stdin_ = false, stdout_ = false, stderr_ = false;
  bool tty = false;  // then there is one output
};

// A session with a process of a container. Destruction ends it: a process that exec started is killed, an attached one goes
// on. The streams belong to the session; those that were not asked for are null.
class ProcessSession {
 public:
  virtual ~ProcessSession() = default;
  virtual net::ByteStream* in() = 0;   // written; shutdownWrite() is the end of its input
  virtual net::ByteStream* out() = 0;  // read; 0 when the process has ended or closed it
  virtual net::ByteStream* err() = 0;
  virtual void resize(TerminalSize size) = 0;
  // The exit code (128 + the number of a signal), once the process has ended. For attach: 0 when the container has. Error:
  // it could not be started, in the words for the user.
  virtual Task<Result<int>> wait() = 0;
};

struct ContainerUsage {
  std::string name;
  std::int64_t cpuNanos = 0;  // nanoseconds of cpu per second, over the window
  std::int64_t memoryBytes = 0;
};
struct Usage {
  WallTime timestamp;
  Duration window{};
  std::int64_t cpuNanos = 0;  // of the node; a pod's are in its containers
  std::int64_t memoryBytes = 0;
  std::vector<ContainerUsage> containers;
};

class PodStreams {
 public:
  virtual ~PodStreams() = default;
  // Log text as a stream; with follow it ends when the container does. Errors use Kubernetes' words, e.g. BadRequest
  // `previous terminated container "c" in pod "p" not found`.
  virtual Task<Result<net::Body>> logs(Json pod, LogOptions options) = 0;
  // Whether a session could be opened now: NotFound `container not found ("c")` when it does not run.
  virtual Status canOpen(const Json& pod, const std::string& container) = 0;
  virtual Task<Result<std::unique_ptr<ProcessSession>>> open(Json pod, SessionOptions options) = 0;
  // A connection to a port of the pod.
  virtual Task<Result<std::unique_ptr<net::ByteStream>>> dial(Json pod, std::uint16_t port) = 0;
  // What the pod, and the node of that name, uses; nullopt: not measured yet, or not ours.
  virtual std::optional<Usage> podUsage(const Json& pod) = 0;
  virtual std::optional<Usage> nodeUsage(const std::string& node) = 0;
};

}  // namespace slipway::kube
