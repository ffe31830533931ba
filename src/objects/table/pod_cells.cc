#include "objects/table/cells.h"

namespace slipway::table {
namespace {

bool conditionTrue(const Json& status, std::string_view type) {
  const Json& all = at(status, "conditions");
  if (!all.is_array()) return false;
  return std::any_of(all.begin(), all.end(),
                     [&](const Json& c) { return textAt(c, "type") == type && textAt(c, "status") == "True"; });
}

std::string endReason(const Json& terminated, const std::string& prefix) {
  const std::string reason = textAt(terminated, "reason");
  if (!reason.empty()) return prefix + reason;
  if (const auto signal = intAt(terminated, "signal"); signal != 0) return fmt::format("{}Signal:{}", prefix, signal);
  return fmt::format("{}ExitCode:{}", prefix, intAt(terminated, "exitCode"));
}

// What the columns READY, STATUS and RESTARTS say of one pod.
struct PodSummary {
  std::string reason;
  std::int64_t ready = 0;
  std::int64_t total = 0;
  std::int64_t restarts = 0;
  std::int64_t sidecarRestarts = 0;
  std::string lastRestart;  // RFC 3339; such times compare as text
  std::string lastSidecarRestart;
  bool initializing = false;
};

void noteRestart(std::string& latest, const Json& status) {
  latest = std::max(latest, textAt(at(status, "lastState", "terminated"), "finishedAt"));
}

bool isSidecar(const Json& spec, const std::string& name) {
  const Json& containers = at(spec, "initContainers");
  if (!containers.is_array()) return false;
  return std::any_of(containers.begin(), containers.end(),
                     [&](const Json& c) { return textAt(c, "name") == name && textAt(c, "restartPolicy") == "Always"; });
}

void initContainers(const Json& spec, const Json& status, PodSummary& out) {
  const Json& list = at(status, "initContainerStatuses");
  for (std::size_t i = 0; list.is_array() && i < list.size(); ++i) {
    const Json& s = list[i];
    out.restarts += intAt(s, "restartCount");
    noteRestart(out.lastRestart, s);
    const bool sidecar = isSidecar(spec, textAt(s, "name"));
    if (sidecar) {
      out.sidecarRestarts += intAt(s, "restartCount");
      noteRestart(out.lastSidecarRestart, s);
    }
    const Json& ended = at(s, "state", "terminated");
    const std::string waits = textAt(at(s, "state", "waiting"), "reason");
    if (ended.is_object() && intAt(ended, "exitCode") == 0) continue;
    if (sidecar && boolAt(s, "started")) {
      if (boolAt(s, "ready")) ++out.ready;
      continue;
    }
    out.initializing = true;
    if (ended.is_object())
      out.reason = endReason(ended, "Init:");
    else if (!waits.empty() && waits != "PodInitializing")
      out.reason = "Init:" + waits;
    else
      out.reason = fmt::format("Init:{}/{}", i, at(spec, "initContainers").size());
    return;
  }
}

void containers(const Json& status, PodSummary& out) {
  out.restarts = out.sidecarRestarts;
  out.lastRestart = out.lastSidecarRestart;
  bool running = false;
  const Json& list = at(status, "containerStatuses");
  for (std::size_t i = list.is_array() ? list.size() : 0; i-- > 0;) {
    const Json& s = list[i];
    out.restarts += intAt(s, "restartCount");
    noteRestart(out.lastRestart, s);
    const std::string waits = textAt(at(s, "state", "waiting"), "reason");
    const Json& ended = at(s, "state", "terminated");
    if (!waits.empty()) {
      out.reason = waits;
    } else if (ended.is_object()) {
      out.reason = endReason(ended, "");
    } else if (boolAt(s, "ready") && at(s, "state", "running").is_object()) {
      running = true;
      ++out.ready;
    }
  }
  if (out.reason == "Completed" && running) out.reason = conditionTrue(status, "Ready") ? "Running" : "NotReady";
}

PodSummary summarize(const Json& pod) {
  const Json& spec = at(pod, "spec");
  const Json& status = at(pod, "status");
  PodSummary out;
  out.reason = textAt(status, "reason", textAt(status, "phase"));
  out.total = static_cast<std::int64_t>(at(spec, "containers").size());
  for (const Json& c : at(spec, "initContainers")) out.total += textAt(c, "restartPolicy") == "Always" ? 1 : 0;
  for (const Json& c : at(status, "conditions")) {
    if (textAt(c, "type") == "PodScheduled" && textAt(c, "reason") == "SchedulingGated") out.reason = "SchedulingGated";
  }
  initContainers(spec, status, out);
  if (!out.initializing || conditionTrue(status, "Initialized")) containers(status, out);
  const std::string phase = textAt(status, "phase");
  if (!at(pod, "metadata", "deletionTimestamp").is_null()) {
    if (textAt(status, "reason") == "NodeLost")
      out.reason = "Unknown";
    else if (phase != "Failed" && phase != "Succeeded")
      out.reason = "Terminating";
  }
  return out;
}

std::string gates(const Json& pod) {
  const Json& list = at(pod, "spec", "readinessGates");
  if (list.empty()) return "<none>";
  const auto good = std::count_if(
      list.begin(), list.end(), [&](const Json& g) { return conditionTrue(at(pod, "status"), textAt(g, "conditionType")); });
  return fmt::format("{}/{}", good, list.size());
}

}  // namespace

std::vector<Json> podCells(const Json& pod, std::int64_t now) {
  const PodSummary s = summarize(pod);
  std::string restarts = std::to_string(s.restarts);
  if (s.restarts > 0 && !s.lastRestart.empty()) restarts += " (" + age(s.lastRestart, now) + " ago)";
  const Json& status = at(pod, "status");
  const Json& ips = at(status, "podIPs");
  const std::string ip = ips.is_array() && !ips.empty() ? textAt(ips[0], "ip") : textAt(status, "podIP");
  const auto orNone = [](const std::string& text) { return text.empty() ? "<none>" : text; };
  return {textAt(at(pod, "metadata"), "name"),
          fmt::format("{}/{}", s.ready, s.total),
          s.reason,
          restarts,
          age(at(pod, "metadata", "creationTimestamp"), now),
          orNone(ip),
          orNone(textAt(at(pod, "spec"), "nodeName")),
          orNone(textAt(status, "nominatedNodeName")),
          gates(pod)};
}

}  // namespace slipway::table
