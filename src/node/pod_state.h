// The pod's state machine, pure: from what a pod asks for, what its containers do and the time follow the next actions.
// No I/O and no clock of its own; pod_worker.h carries the actions out, pod_status.h writes the state down as a PodStatus.
//
//   Decision d = decide(plan, state, now);    // then perform d.actions, and ask again at d.wakeAt or on the next event
//
// Semantics are the kubelet's: init containers one after the other, sidecars (init containers with restartPolicy Always)
// kept running beside the rest, each container after the postStart hook of the one before, back-off 0, 10 s, 20 s … 5 min
// forgotten after 10 min of running.
#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"

namespace slipway::node {

struct ContainerExit {
  int exitCode = 0;
  int signal = 0;
  std::string reason;  // Completed, Error, OOMKilled, StartError, ContainerStatusUnknown
  std::string message;
  WallTime startedAt, finishedAt;
  std::string containerId;
};

enum class RestartPolicy { Always, OnFailure, Never };

struct BackoffRule {
  Duration base = std::chrono::seconds(10);
  Duration limit = std::chrono::minutes(5);
  Duration resetAfter = std::chrono::minutes(10);  // a run this long counts as healthy
  Duration configRetry = std::chrono::seconds(2);  // between tries to resolve configuration, volumes, images
};

// What the spec asks for, read once.
struct ContainerPlan {
  std::string name;
  std::string image;
  bool sidecar = false;     // an init container with restartPolicy Always
  bool hasStartup = false;  // probes
  bool hasReadiness = false;
  bool hasPostStart = false;
  std::string stopSignal;  // lifecycle.stopSignal, e.g. SIGUSR1; empty: SIGTERM
};
struct PodPlan {
  RestartPolicy restartPolicy = RestartPolicy::Always;
  Duration grace = std::chrono::seconds(30);
  std::optional<Duration> activeDeadline;
  std::vector<ContainerPlan> init, main;
  BackoffRule backoff;
};

struct ContainerState {
  enum class Phase { Waiting, Running, Exited } phase = Phase::Waiting;
  int instance = -1;  // number of the current or last run; -1: never started
  std::string id;
  WallTime startedAt;
  TimePoint startedTick;                  // the same instant for durations
  std::optional<ContainerExit> exit;      // of the current run, when Exited
  std::optional<ContainerExit> previous;  // of the run before
  bool started = false;                   // startup probe passed, or there is none
  bool ready = false;
  bool hookPending = false;                // its postStart hook runs: it does not count as running yet
  bool unhealthy = false;                  // a liveness or startup probe gave up: restart it
  std::optional<Duration> unhealthyGrace;  // that probe's own grace period
  bool stopping = false;                   // asked to end
  TimePoint killAt;                        // then by force
  Duration granted = Duration::max();      // the grace it was asked with; a shorter one asks again
  int pid = 0;                             // of the program, while Running
  std::string waitReason, waitMessage;     // why it could not be started
  TimePoint retryAt{};                     // not before
  int failures = 0;                        // ends since the last healthy run
  Duration backoff{0};                     // the wait now in force; 0: none
  int restarts() const { return instance < 0 ? 0 : instance; }
};

// Why the node itself ended a pod.
struct PodFailure {
  std::string reason;  // Evicted, DeadlineExceeded
  std::string message;
  Duration grace{0};
};

struct PodState {
  std::vector<ContainerState> init, main;
  bool sandboxReady = false;            // address and volumes are there
  std::string waitReason, waitMessage;  // why not, for containers that wait
  TimePoint retryAt{};                  // next try to set the sandbox up
  std::optional<Duration> stopGrace;    // set once the pod must end: deletion or shutdown
  std::optional<TimePoint> stopBy;      // end of that grace, for what stops after the rest
  std::optional<PodFailure> failure;    // the node ended the pod: it stays as Failed
  std::optional<TimePoint> expiresAt;   // activeDeadlineSeconds
  std::string ip, hostIp;
  WallTime startTime;
};

enum class ActionKind { Setup, Start, Stop, Kill, Expire, Finish };
struct Action {
  ActionKind kind;
  bool init = false;  // container: in state.init, else in state.main
  std::size_t index = 0;
  Duration grace{0};  // Stop
  bool operator==(const Action&) const = default;
};
struct Decision {
  std::vector<Action> actions;
  std::optional<TimePoint> wakeAt;
};

PodState initialState(const PodPlan& plan);
Decision decide(const PodPlan& plan, const PodState& state, TimePoint now);

// Records that the current run ended: decides the wait before the next one.
void noteExit(const PodPlan& plan, ContainerState& container, ContainerExit exit, TimePoint now);
// Records that the start now under way came to nothing before the program ran: it waits for its first or next start,
// whatever the restart policy says.
void noteNeverStarted(ContainerState& container, TimePoint now);
// Whether this container will be started again after its last exit.
bool willRestart(const PodPlan& plan, bool init, std::size_t index, const ContainerState& container);
bool initDone(const PodPlan& plan, const PodState& state);

enum class PodPhase { Pending, Running, Succeeded, Failed };
PodPhase phaseOf(const PodPlan& plan, const PodState& state);
const char* phaseName(PodPhase phase);

}  // namespace slipway::node
