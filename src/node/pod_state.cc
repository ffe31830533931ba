#include "node/pod_state.h"

namespace slipway::node {
namespace {

using CPhase = ContainerState::Phase;

void wakeBy(Decision& d, TimePoint t) {
  if (!d.wakeAt || t < *d.wakeAt) d.wakeAt = t;
}

void startOrWait(Decision& d, bool init, std::size_t index, const ContainerState& c, TimePoint now) {
  if (now >= c.retryAt) {
    d.actions.push_back({ActionKind::Start, init, index, Duration{0}});
  } else {
    wakeBy(d, c.retryAt);
  }
}

constexpr Duration kLeastGrace = std::chrono::seconds(2);  // for what stops when the grace is used up, as the kubelet's

// One running container that must end: first politely, then by force. `left` of the `grace` that the pod was given.
void stopOne(Decision& d, bool init, std::size_t index, const ContainerState& c, Duration grace, Duration left,
             TimePoint now) {
  if (!c.stopping || grace < c.granted) {
    d.actions.push_back({ActionKind::Stop, init, index, left});
    wakeBy(d, now + std::chrono::duration_cast<TimePoint::duration>(left));
  } else if (now >= c.killAt) {
    d.actions.push_back({ActionKind::Kill, init, index, Duration{0}});
  } else {
    wakeBy(d, c.killAt);
  }
}

// Ends everything: main containers and plain init containers first, sidecars after them in reverse order.
Decision stopAll(const PodPlan& plan, const PodState& state, Duration grace, TimePoint now) {
  Decision d;
  bool busy = false;
  const Duration rest = state.stopBy ? std::max(Duration{0}, std::min<Duration>(grace, *state.stopBy - now)) : grace;
  const Duration least = std::min(grace, kLeastGrace);
  auto end = [&](bool init, std::size_t i, const ContainerState& c) {
    if (c.phase != CPhase::Running) return;
    busy = true;
    // A grace already granted is shortened only by a shorter one (kubectl delete --now after delete).
    stopOne(d, init, i, c, grace, init && plan.init[i].sidecar ? std::max(rest, least) : rest, now);
  };
  for (std::size_t i = 0; i < state.main.size(); ++i) end(false, i, state.main[i]);
  for (std::size_t i = 0; i < state.init.size(); ++i)
    if (!plan.init[i].sidecar) end(true, i, state.init[i]);
  if (busy) return d;
  for (std::size_t i = state.init.size(); i-- > 0;) {
    if (state.init[i].phase != CPhase::Running) continue;
    end(true, i, state.init[i]);
    return d;
  }
  d.actions.push_back({ActionKind::Finish, false, 0, Duration{0}});
  return d;
}

// An unhealthy container is ended with the pod's grace; its exit then goes through the restart policy.
void endIfUnhealthy(Decision& d, const PodPlan& plan, bool init, std::size_t index, const ContainerState& c, TimePoint now) {
  if (!c.unhealthy && !c.stopping) return;
  if (!c.stopping) {
    const Duration grace = c.unhealthyGrace.value_or(plan.grace);
    stopOne(d, init, index, c, grace, grace, now);
  } else if (now >= c.killAt) {
    d.actions.push_back({ActionKind::Kill, init, index, Duration{0}});
  } else {
    wakeBy(d, c.killAt);
  }
}

// True when the next init container may go on.
bool driveInit(Decision& d, const PodPlan& plan, const PodState& state, std::size_t i, TimePoint now) {
  const ContainerState& c = state.init[i];
  const bool sidecar = plan.init[i].sidecar;
  switch (c.phase) {
    case CPhase::Running: endIfUnhealthy(d, plan, true, i, c, now); return sidecar && c.started && !c.hookPending;
    case CPhase::Waiting: startOrWait(d, true, i, c, now); return false;
    case CPhase::Exited:
      if (!sidecar && c.exit && c.exit->exitCode == 0) return true;
      if (willRestart(plan, true, i, c)) startOrWait(d, true, i, c, now);
      return false;
  }
  return false;
}

bool anyMainStarted(const PodState& state) {
  return std::any_of(state.main.begin(), state.main.end(), [](const ContainerState& c) { return c.instance >= 0; });
}

bool drivePodInit(Decision& d, const PodPlan& plan, const PodState& state, TimePoint now) {
  // Once the main containers have been started, only sidecars are looked after: they come and go beside the rest.
  if (anyMainStarted(state)) {
    for (std::size_t i = 0; i < state.init.size(); ++i)
      if (plan.init[i].sidecar) driveInit(d, plan, state, i, now);
    return true;
  }
  for (std::size_t i = 0; i < state.init.size(); ++i)
    if (!driveInit(d, plan, state, i, now)) return false;
  return true;
}

}  // namespace

PodState initialState(const PodPlan& plan) {
  PodState state;
  state.init.resize(plan.init.size());
  state.main.resize(plan.main.size());
  return state;
}

bool willRestart(const PodPlan& plan, bool init, std::size_t index, const ContainerState& c) {
  if (c.phase != CPhase::Exited) return false;
  const bool failed = !c.exit || c.exit->exitCode != 0;
  if (init) {
    if (plan.init[index].sidecar) return true;
    return failed && plan.restartPolicy != RestartPolicy::Never;
  }
  if (plan.restartPolicy == RestartPolicy::Always) return true;
  return failed && plan.restartPolicy == RestartPolicy::OnFailure;
}

bool initDone(const PodPlan& plan, const PodState& state) {
  if (anyMainStarted(state)) return true;
  for (std::size_t i = 0; i < state.init.size(); ++i) {
    const ContainerState& c = state.init[i];
    if (plan.init[i].sidecar ? !(c.phase == CPhase::Running && c.started && !c.hookPending)
                             : !(c.phase == CPhase::Exited && c.exit && c.exit->exitCode == 0))
      return false;
  }
  return true;
}

PodPhase phaseOf(const PodPlan& plan, const PodState& state) {
  if (state.failure) return PodPhase::Failed;
  if (!initDone(plan, state)) {
    for (std::size_t i = 0; i < state.init.size(); ++i) {
      const ContainerState& c = state.init[i];
      const bool failed = c.phase == CPhase::Exited && c.exit && c.exit->exitCode != 0;
      if (failed && !willRestart(plan, true, i, c)) return PodPhase::Failed;
    }
    return PodPhase::Pending;
  }
  std::size_t running = 0;
  std::size_t stopped = 0;
  std::size_t succeeded = 0;
  for (const ContainerState& c : state.main) {
    if (c.phase == CPhase::Running) ++running;
    if (c.phase == CPhase::Waiting) return PodPhase::Pending;
    if (c.phase == CPhase::Running) continue;
    ++stopped;
    if (c.exit && c.exit->exitCode == 0) ++succeeded;
  }
  if (running > 0) return PodPhase::Running;
  if (plan.restartPolicy == RestartPolicy::Always) return PodPhase::Running;
  if (succeeded == stopped) return PodPhase::Succeeded;
  return plan.restartPolicy == RestartPolicy::Never ? PodPhase::Failed : PodPhase::Running;
}

const char* phaseName(PodPhase phase) {
  switch (phase) {
    case PodPhase::Pending: return "Pending";
    case PodPhase::Running: return "Running";
    case PodPhase::Succeeded: return "Succeeded";
    case PodPhase::Failed: return "Failed";
  }
  return "Unknown";
}

Decision decide(const PodPlan& plan, const PodState& state, TimePoint now) {
  if (state.stopGrace) return stopAll(plan, state, *state.stopGrace, now);
  const PodPhase phase = phaseOf(plan, state);
  if (phase == PodPhase::Succeeded || phase == PodPhase::Failed) {
    Decision d = stopAll(plan, state, state.failure ? state.failure->grace : plan.grace, now);  // sidecars end with the pod
    std::erase_if(d.actions, [](const Action& a) { return a.kind == ActionKind::Finish; });
    return d;
  }
  Decision d;
  if (state.expiresAt && now >= *state.expiresAt) {
    d.actions.push_back({ActionKind::Expire, false, 0, Duration{0}});
    return d;
  }
  if (state.expiresAt) wakeBy(d, *state.expiresAt);
  if (!state.sandboxReady) {
    if (now >= state.retryAt) {
      d.actions.push_back({ActionKind::Setup, false, 0, Duration{0}});
    } else {
      wakeBy(d, state.retryAt);
    }
    return d;
  }
  const bool initialised = drivePodInit(d, plan, state, now);
  if (!initialised) return d;
  for (std::size_t i = 0; i < state.main.size(); ++i) {
    const ContainerState& c = state.main[i];
    if (c.phase == CPhase::Running) endIfUnhealthy(d, plan, false, i, c, now);
    if (c.phase == CPhase::Waiting || willRestart(plan, false, i, c)) startOrWait(d, false, i, c, now);
    // The next one waits for the hook of this one, whether it runs already or is about to.
    const bool starts = plan.main[i].hasPostStart && !d.actions.empty() &&
                        d.actions.back() == Action{ActionKind::Start, false, i, Duration{0}};
    if (starts || (c.phase == CPhase::Running && c.hookPending)) break;
  }
  return d;
}

void noteExit(const PodPlan& plan, ContainerState& c, ContainerExit exit, TimePoint now) {
  const BackoffRule& rule = plan.backoff;
  if (now - c.startedTick >= rule.resetAfter) c.failures = 0;
  Duration wait{0};
  if (c.failures > 0) {
    wait = rule.base;
    for (int i = 1; i < c.failures && wait < rule.limit; ++i) wait *= 2;
    wait = std::min(wait, rule.limit);
  }
  ++c.failures;
  c.backoff = wait;
  c.retryAt = now + std::chrono::duration_cast<TimePoint::duration>(wait);
  c.phase = CPhase::Exited;
  c.exit = std::move(exit);
  c.ready = c.started = c.unhealthy = c.stopping = c.hookPending = false;
  c.granted = Duration::max();
  c.pid = 0;
  c.unhealthyGrace.reset();
  c.waitReason.clear();
  c.waitMessage.clear();
}

void noteNeverStarted(ContainerState& c, TimePoint now) {
  const int instance = c.instance;
  std::optional<ContainerExit> previous = std::move(c.previous);
  c = ContainerState{};
  c.instance = instance;  // its folder is not used again: a shim that comes late writes there
  c.previous = std::move(previous);
  c.retryAt = now;
}

}  // namespace slipway::node
