// Probes: ProbeTracker is the pure part (when to look, how many results make a verdict), runProbe the I/O part.
//
//   ProbeTracker tracker(specOf(container["readinessProbe"], container), ProbeKind::Readiness, startedTick);
//   sleepUntil(tracker.nextAt()); tracker.record(success, now) -> ProbeVerdict
//
// Until a readiness or startup probe first succeeds it is tried more often than its period: a server that is up after 80 ms
// should not wait for the next 10 s tick. The extra tries never count as failures.
#pragma once
#include <map>
#include <string>

#include "base/clock.h"
#include "data/json.h"
#include "node/runtime.h"

namespace slipway::node {

enum class ProbeKind { Startup, Readiness, Liveness };
enum class ProbeVerdict { Unchanged, Success, Failure };

struct ProbeSpec {
  enum class Action { None, HttpGet, TcpSocket, Exec, Grpc } action = Action::None;
  Duration initialDelay{0};
  Duration period = std::chrono::seconds(10);
  Duration timeout = std::chrono::seconds(1);
  int successThreshold = 1;
  int failureThreshold = 3;
  std::optional<Duration> grace;  // terminationGracePeriodSeconds of the probe itself
  std::string host;               // empty: the pod's address
  std::uint16_t port = 0;
  bool tls = false;  // httpGet with scheme HTTPS; the certificate is not checked
  std::string path = "/";
  std::vector<std::pair<std::string, std::string>> headers;
  std::vector<std::string> command;
  std::string service;  // grpc: which service of grpc.health.v1
};
// `probe` may also be a lifecycle handler. A port may be a name of one of the container's ports; 0: no such name.
ProbeSpec probeSpecOf(const Json& probe, const Json& container);

class ProbeTracker {
 public:
  ProbeTracker(ProbeSpec spec, ProbeKind kind, TimePoint startedAt);
  TimePoint nextAt() const { return nextAt_; }
  const ProbeSpec& spec() const { return spec_; }
  // The result of the look at `now`. Success or Failure when it changes the state that was in force, else Unchanged; Failure
  // is given again at every later failure beyond the threshold (the kubelet keeps acting on it).
  ProbeVerdict record(bool success, TimePoint now);
  bool countsFailures(TimePoint now) const { return now >= tickAt_; }

 private:
  ProbeSpec spec_;
  ProbeKind kind_;
  TimePoint nextAt_, tickAt_;  // next look; next look on the period's own grid
  Duration eager_ = std::chrono::milliseconds(15);
  bool everSucceeded_ = false;
  std::optional<bool> state_;
  int inRow_ = 0;
  std::optional<bool> lastResult_;
};

struct ProbeResult {
  bool success = false;
  std::string message;  // the kubelet's words for the event, e.g. `HTTP probe failed with statuscode: 503`
};
// `containerId` for exec. Ends within spec.timeout (and a little for the exec's end).
Task<ProbeResult> runProbe(ProbeSpec spec, std::string podIp, std::string containerId, Runtime& runtime);

}  // namespace slipway::node
