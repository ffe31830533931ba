#include "node/pod_status.h"

namespace slipway::node {
namespace {

using CPhase = ContainerState::Phase;

ContainerPlan containerPlan(const Json& container) {
  ContainerPlan plan;
  plan.name = textAt(container, "name");
  plan.image = textAt(container, "image");
  plan.sidecar = textAt(container, "restartPolicy") == "Always";
  plan.hasStartup = at(container, "startupProbe").is_object();
  plan.hasReadiness = at(container, "readinessProbe").is_object();
  plan.stopSignal = textAt(at(container, "lifecycle"), "stopSignal");
  plan.hasPostStart = at(container, "lifecycle", "postStart").is_object();
  return plan;
}

Json terminatedJson(const ContainerExit& e) {
  Json t = {{"exitCode", e.exitCode}, {"reason", e.reason}, {"finishedAt", formatRfc3339(e.finishedAt)}};
  t["startedAt"] = e.startedAt.time_since_epoch().count() != 0 ? Json(formatRfc3339(e.startedAt)) : Json(nullptr);
  if (e.signal != 0 && e.reason != "OOMKilled") t["signal"] = e.signal;
  if (!e.message.empty()) t["message"] = e.message;
  if (!e.containerId.empty()) t["containerID"] = kContainerIdScheme + e.containerId;
  return t;
}

Json waitingJson(const std::string& reason, const std::string& message) {
  Json w = {{"reason", reason}};
  if (!message.empty()) w["message"] = message;
  return w;
}

struct Where {
  const Json& pod;
  const PodPlan& plan;
  const PodState& state;
  bool init;
  std::size_t index;
};

// state and lastState of a container's status.
std::pair<Json, Json> statesOf(const Where& w, const ContainerState& c, bool initialised) {
  const ContainerPlan& plan = w.init ? w.plan.init[w.index] : w.plan.main[w.index];
  Json last = c.previous ? Json{{"terminated", terminatedJson(*c.previous)}} : Json::object();
  const char* pending = w.plan.init.empty() ? "ContainerCreating" : "PodInitializing";
  if (c.phase == CPhase::Running && c.hookPending) return {Json{{"waiting", waitingJson(pending, "")}}, last};
  if (c.phase == CPhase::Running) return {Json{{"running", {{"startedAt", formatRfc3339(c.startedAt)}}}}, last};
  if (c.phase == CPhase::Exited && c.exit) {
    const bool backingOff =
        c.backoff.count() > 0 && !w.state.stopGrace && !w.state.failure && willRestart(w.plan, w.init, w.index, c);
    if (!backingOff && c.waitReason.empty()) return {Json{{"terminated", terminatedJson(*c.exit)}}, last};
    last = Json{{"terminated", terminatedJson(*c.exit)}};
    if (!c.waitReason.empty()) return {Json{{"waiting", waitingJson(c.waitReason, c.waitMessage)}}, last};
    const std::string message =
        fmt::format("back-off {} restarting failed container={} pod={}", durationText(c.backoff), plan.name, podTag(w.pod));
    return {Json{{"waiting", waitingJson("CrashLoopBackOff", message)}}, last};
  }
  if (!c.waitReason.empty()) return {Json{{"waiting", waitingJson(c.waitReason, c.waitMessage)}}, last};
  const bool initializing = !w.plan.init.empty() && !initialised && !(w.init && w.index == 0 && !w.state.sandboxReady);
  const std::string reason = !w.state.waitReason.empty() ? w.state.waitReason
                             : initializing              ? "PodInitializing"
                                                         : "ContainerCreating";
  return {Json{{"waiting", waitingJson(reason, w.state.waitMessage)}}, last};
}

Json containerStatus(const Where& w, bool initialised) {
  const ContainerState& c = w.init ? w.state.init[w.index] : w.state.main[w.index];
  const ContainerPlan& plan = w.init ? w.plan.init[w.index] : w.plan.main[w.index];
  auto [state, last] = statesOf(w, c, initialised);
  const bool done = w.init && !plan.sidecar && c.phase == CPhase::Exited && c.exit && c.exit->exitCode == 0;
  Json status = {{"name", plan.name},
                 {"image", plan.image},
                 {"imageID", c.instance >= 0 ? "slipway://" + plan.image : ""},
                 {"restartCount", c.restarts()},
                 {"ready", done || (c.phase == CPhase::Running && c.ready && (!w.init || plan.sidecar))},
                 {"started", c.phase == CPhase::Running && c.started && !c.hookPending},
                 {"state", std::move(state)},
                 {"lastState", std::move(last)}};
  if (!plan.stopSignal.empty()) status["stopSignal"] = plan.stopSignal;
  if (!c.id.empty()) status["containerID"] = kContainerIdScheme + c.id;
  return status;
}

Json statusList(const Json& pod, const PodPlan& plan, const PodState& state, bool init) {
  Json list = Json::array();
  const bool initialised = initDone(plan, state);
  for (std::size_t i = 0; i < (init ? state.init.size() : state.main.size()); ++i)
    list.push_back(containerStatus({pod, plan, state, init, i}, initialised));
  return list;
}

std::string joinNames(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& n : names) out += (out.empty() ? "" : " ") + n;
  return out;
}

struct Condition {
  std::string type;
  bool status = false;
  std::string reason, message;
};

std::vector<Condition> conditionsOf(const Json& pod, const PodPlan& plan, const PodState& state, PodPhase phase) {
  std::vector<std::string> uninitialised;
  for (std::size_t i = 0; i < state.init.size(); ++i) {
    const ContainerState& c = state.init[i];
    const bool ok = plan.init[i].sidecar ? c.phase == CPhase::Running && c.started
                                         : c.phase == CPhase::Exited && c.exit && c.exit->exitCode == 0;
    if (!ok) uninitialised.push_back(plan.init[i].name);
  }
  std::vector<std::string> unready;
  for (std::size_t i = 0; i < state.main.size(); ++i)
    if (!(state.main[i].phase == CPhase::Running && state.main[i].ready)) unready.push_back(plan.main[i].name);
  for (std::size_t i = 0; i < state.init.size(); ++i)
    if (plan.init[i].sidecar && !(state.init[i].phase == CPhase::Running && state.init[i].ready))
      unready.push_back(plan.init[i].name);
  Condition initialized{"Initialized", true, "", ""};
  if (!initDone(plan, state))
    initialized = {"Initialized", false, "ContainersNotInitialized",
                   fmt::format("containers with incomplete status: [{}]", joinNames(uninitialised))};
  Condition containersReady{"ContainersReady", true, "", ""};
  if (!unready.empty())
    containersReady = {"ContainersReady", false, "ContainersNotReady",
                       fmt::format("containers with unready status: [{}]", joinNames(unready))};
  if (phase == PodPhase::Succeeded) containersReady = {"ContainersReady", false, "PodCompleted", ""};
  if (phase == PodPhase::Succeeded) initialized = {"Initialized", true, "PodCompleted", ""};
  if (phase == PodPhase::Failed) containersReady = {"ContainersReady", false, "PodFailed", ""};
  Condition ready = containersReady;
  ready.type = "Ready";
  if (ready.status) {
    for (const Json& gate : at(pod, "spec", "readinessGates")) {
      const std::string type = textAt(gate, "conditionType");
      std::string value;
      for (const Json& c : at(pod, "status", "conditions"))
        if (textAt(c, "type") == type) value = textAt(c, "status");
      if (value == "True") continue;
      ready = {"Ready", false, "ReadinessGatesNotReady",
               value.empty() ? fmt::format("corresponding condition of pod readiness gate \"{}\" does not exist.", type)
                             : fmt::format("the status of pod readiness gate \"{}\" is not \"True\", but {}", type, value)};
    }
  }
  const bool anyRunning =
      std::any_of(state.main.begin(), state.main.end(), [](const ContainerState& c) { return c.phase == CPhase::Running; });
  const bool terminal = phase == PodPhase::Succeeded || phase == PodPhase::Failed;
  std::vector<Condition> all = {{"PodReadyToStartContainers", state.sandboxReady && (!terminal || anyRunning), "", ""},
                                initialized,
                                ready,
                                containersReady,
                                {"PodScheduled", true, "", ""}};
  if (state.failure && state.failure->reason == "Evicted")
    all.push_back({"DisruptionTarget", true, "TerminationByKubelet", state.failure->message});
  return all;
}

Json conditionsJson(const Json& pod, const std::vector<Condition>& conditions, WallTime now) {
  Json list = Json::array();
  const Json& before = at(pod, "status", "conditions");
  for (const Condition& c : conditions) {
    Json json = {{"type", c.type},
                 {"status", c.status ? "True" : "False"},
                 {"lastProbeTime", nullptr},
                 {"lastTransitionTime", formatRfc3339(now)}};
    if (!c.reason.empty()) json["reason"] = c.reason;
    if (!c.message.empty()) json["message"] = c.message;
    for (const Json& old : before) {
      if (textAt(old, "type") == c.type && textAt(old, "status") == textAt(json, "status") &&
          !textAt(old, "lastTransitionTime").empty())
        json["lastTransitionTime"] = old["lastTransitionTime"];
    }
    list.push_back(std::move(json));
  }
  for (const Json& old : before) {
    const bool ours =
        std::any_of(conditions.begin(), conditions.end(), [&](const Condition& c) { return c.type == textAt(old, "type"); });
    if (!ours) list.push_back(old);
  }
  return list;
}

// Kubernetes' quality-of-service class, from requests and limits of cpu and memory.
std::string qosOf(const Json& pod) {
  bool any = false;
  bool guaranteed = true;
  for (const char* list : {"initContainers", "containers"}) {
    for (const Json& c : at(pod, "spec", list)) {
      const Json& limits = at(c, "resources", "limits");
      const Json& requests = at(c, "resources", "requests");
      for (const char* resource : {"cpu", "memory"}) {
        const std::string limit = textAt(limits, resource);
        const std::string request = textAt(requests, resource, limit);
        if (!limit.empty() || !request.empty()) any = true;
        if (limit.empty() || limit != request) guaranteed = false;
      }
    }
  }
  return !any ? "BestEffort" : guaranteed ? "Guaranteed" : "Burstable";
}

}  // namespace

PodPlan planOf(const Json& pod, const BackoffRule& backoff) {
  PodPlan plan;
  const Json& spec = at(pod, "spec");
  const std::string policy = textAt(spec, "restartPolicy", "Always");
  plan.restartPolicy = policy == "Never"       ? RestartPolicy::Never
                       : policy == "OnFailure" ? RestartPolicy::OnFailure
                                               : RestartPolicy::Always;
  plan.grace = std::chrono::seconds(std::max<std::int64_t>(0, intAt(spec, "terminationGracePeriodSeconds", 30)));
  if (at(spec, "activeDeadlineSeconds").is_number_integer())
    plan.activeDeadline = std::chrono::seconds(intAt(spec, "activeDeadlineSeconds"));
  for (const Json& c : at(spec, "initContainers")) plan.init.push_back(containerPlan(c));
  for (const Json& c : at(spec, "containers")) plan.main.push_back(containerPlan(c));
  plan.backoff = backoff;
  return plan;
}

std::string podTag(const Json& pod) {
  const Json& meta = at(pod, "metadata");
  return fmt::format("{}_{}({})", textAt(meta, "name"), textAt(meta, "namespace"), textAt(meta, "uid"));
}

std::string durationText(Duration d) {
  const auto millis = std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
  if (millis < 1000) return fmt::format("{}ms", millis);
  const auto seconds = millis / 1000;
  return seconds < 60 ? fmt::format("{}s", seconds) : fmt::format("{}m{}s", seconds / 60, seconds % 60);
}

Json statusOf(const Json& pod, const PodPlan& plan, const PodState& state, WallTime now) {
  const PodPhase phase = phaseOf(plan, state);
  const Json& before = at(pod, "status");
  Json status = {{"phase", phaseName(phase)},
                 {"conditions", conditionsJson(pod, conditionsOf(pod, plan, state, phase), now)},
                 {"hostIP", state.hostIp},
                 {"hostIPs", Json::array({{{"ip", state.hostIp}}})},
                 {"startTime", formatRfc3339(state.startTime)},
                 {"qosClass", textAt(before, "qosClass", qosOf(pod))},
                 {"containerStatuses", statusList(pod, plan, state, false)}};
  if (state.failure) {
    status["reason"] = state.failure->reason;
    status["message"] = state.failure->message;
  }
  if (!state.ip.empty()) {
    status["podIP"] = state.ip;
    status["podIPs"] = Json::array({{{"ip", state.ip}}});
  }
  if (!plan.init.empty()) status["initContainerStatuses"] = statusList(pod, plan, state, true);
  return status;
}

}  // namespace slipway::node
