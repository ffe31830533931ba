// The part of PodWorker that starts, watches and stops single containers.
#include <sys/stat.h>

#include <csignal>
#include <filesystem>

#include "base/ids.h"
#include "base/log.h"
#include "node/log_reader.h"
#include "node/pod_status.h"
#include "node/pod_worker.h"
#include "node/podman.h"
#include "node/quantity.h"
#include "node/shim/launch_file.h"

namespace slipway::node {
namespace {
namespace fs = std::filesystem;
using CPhase = ContainerState::Phase;

constexpr auto kQuietStart = std::chrono::seconds(2);  // failed probes this soon after the start make no event
constexpr std::size_t kMaxTerminationMessage = 4096;   // bytes, as the kubelet's
constexpr auto kHookLimit = std::chrono::hours(24);   // a postStart hook has no limit of its own; it ends with its container
constexpr auto kAfterHook = std::chrono::seconds(2);  // for the program to end after a preStop hook that took all its grace

TimePoint after(TimePoint t, Duration d) { return t + std::chrono::duration_cast<TimePoint::duration>(d); }

const char* probeField(ProbeKind kind) {
  return kind == ProbeKind::Startup ? "startupProbe" : kind == ProbeKind::Readiness ? "readinessProbe" : "livenessProbe";
}
const char* probeName(ProbeKind kind) {
  return kind == ProbeKind::Startup ? "Startup" : kind == ProbeKind::Readiness ? "Readiness" : "Liveness";
}

// "SIGUSR1" or "SIGRTMIN+2"; nullopt: no such signal.
std::optional<int> signalNumber(const std::string& name) {
  if (name.starts_with("SIGRTMIN+")) return SIGRTMIN + std::atoi(name.c_str() + 9);
  if (name.starts_with("SIGRTMAX-")) return SIGRTMAX - std::atoi(name.c_str() + 9);
  if (name == "SIGRTMIN") return SIGRTMIN;
  if (name == "SIGRTMAX") return SIGRTMAX;
  for (int n = 1; n < SIGRTMIN; ++n) {
    const char* known = ::sigabbrev_np(n);
    if (known != nullptr && name == std::string("SIG") + known) return n;
  }
  return std::nullopt;
}

}  // namespace

Task<void> PodWorker::startContainer(bool init, std::size_t index) {
  const ContainerPlan& plan = planOf(init, index);
  Result<Launch> launch = co_await prepareLaunch(init, index);
  ContainerState& c = stateOf(init, index);
  if (!launch && launch.error().detail == "pull") {
    c.retryAt = TimePoint::max();  // pullImage says when
    node_->scope.spawn("pull", [self = shared_from_this(), init, index] { return pullImage(self, init, index); });
    co_return;
  }
  if (!launch) {
    refuseStart(c, plan, launch.error(), launch.error().detail == "image");
    co_return;
  }
  if (c.exit) c.previous = std::move(c.exit);
  c.exit.reset();
  c.instance = launch->instance;
  c.id = launch->id;
  c.waitReason.clear();
  c.waitMessage.clear();
  removeOldRuns(plan.name, c.instance);
  if (!pulls_.contains({init, index}))
    event("Normal", "Pulled", fmt::format("Container image \"{}\" already present on machine", plan.image), plan.name, init);
  event("Normal", "Created", "Created container: " + plan.name, plan.name, init);
  c.startedTick = node_->clock.now();
  Result<Started> started = co_await node_->runtime.start(std::move(*launch));
  if (started) {
    noteStarted(init, index, *started);
    co_return;
  }
  ContainerExit exit;
  exit.exitCode = 128;
  exit.reason = "StartError";
  exit.message = started.error().message;
  exit.containerId = c.id;
  exit.startedAt = exit.finishedAt = node_->clock.wall();
  (void)writeExitRecord(paths_.runFolder(plan.name, c.instance), exit);
  event("Warning", "Failed", "Error: " + exit.message, plan.name, init);
  noteExit(plan_, stateOf(init, index), std::move(exit), node_->clock.now());
  wake();
}

void PodWorker::refuseStart(ContainerState& c, const ContainerPlan& plan, const Error& error, bool image) {
  if (image) {
    c.waitReason =
        c.waitReason == "ErrImagePull" || c.waitReason == "ImagePullBackOff" ? "ImagePullBackOff" : "ErrImagePull";
    event("Warning", "Failed", fmt::format("Failed to pull image \"{}\": {}", plan.image, error.message), plan.name);
    event("Warning", "Failed", "Error: " + c.waitReason, plan.name);
  } else {
    c.waitReason = "CreateContainerConfigError";
    event("Warning", "Failed", "Error: " + error.message, plan.name);
  }
  c.waitMessage = error.message;
  c.retryAt = after(node_->clock.now(), image ? plan_.backoff.configRetry * 5 : plan_.backoff.configRetry);
}

Task<Result<Launch>> PodWorker::prepareLaunch(bool init, std::size_t index) {
  const References refs = co_await fetchReferences();
  const PodFacts known = facts();
  const Json& spec = specOf(init, index);
  const ContainerPlan& plan = planOf(init, index);
  Result<ContainerProgram> program = programFor(spec, node_->images, node_->options.self, node_->hasPodman);
  if (!program) co_return fail(program.error().code, program.error().message, "image");
  const int instance = stateOf(init, index).instance + 1;
  if (program->podman && pulls_[{init, index}].forInstance != instance) co_return fail(Code::Unavailable, "", "pull");
  Environment services = node_->names.environmentOf(textAt(at(pod_, "metadata"), "namespace"),
                                                    boolAt(at(pod_, "spec"), "enableServiceLinks", true));
  const auto& api = node_->options.apiEndpoint;
  // Nobody listens on port 443 of the API's Service where that needs root: pods get the server's own address.
  if (api && node_->user.user != 0) {
    services.emplace_back("KUBERNETES_SERVICE_HOST", api->host);
    for (const char* name : {"KUBERNETES_SERVICE_PORT", "KUBERNETES_SERVICE_PORT_HTTPS"})
      services.emplace_back(name, std::to_string(api->port));
  }
  SLIP_CO_TRY(const Environment env, resolveEnvironment(pod_, spec, refs, known, services));
  Result<VolumePlaces> places = co_await prepareVolumes();
  SLIP_CO_CHECK(places);
  Launch l;
  SLIP_CO_TRY(l.mounts, mountsOf(spec, *places, env));
  const bool ours = program->known && program->argv[0] == node_->options.self;
  SLIP_CO_TRY(l.security, securityOf(pod_, spec, node_->user,
                                     {.ours = ours,
                                      .image = program->podman,
                                      .imageUser = program->podman ? pulls_[{init, index}].imageUser : ""}));
  l.id = randomHex(32);
  l.podUid = uid();
  l.podName = textAt(at(pod_, "metadata"), "name");
  l.ns = textAt(at(pod_, "metadata"), "namespace");
  l.container = plan.name;
  l.instance = instance;
  l.hostname = boolAt(at(pod_, "spec"), "hostNetwork") ? "" : hostnameOf(pod_);
  l.stopSignal = signalNumber(plan.stopSignal).value_or(SIGTERM);
  addEnvironment(l, env);
  const Json& limits = at(spec, "resources", "limits");
  l.memoryLimit = std::max<std::int64_t>(0, wholeOf(textAt(limits, "memory", "0")).value_or(0));
  l.cpuMillis = std::max<std::int64_t>(0, milliOf(textAt(limits, "cpu", "0")).value_or(0));
  l.workingDir = expandVariables(textAt(spec, "workingDir"), env);
  l.openStdin = boolAt(spec, "stdin");
  l.stdinOnce = boolAt(spec, "stdinOnce");
  l.tty = boolAt(spec, "tty");
  l.folder = paths_.runFolder(plan.name, l.instance);
  l.logPath = paths_.logFile(plan.name, l.instance);
  l.logMaxBytes = node_->options.logMaxBytes;
  l.logMaxFiles = node_->options.logMaxFiles;
  l.substituteMounts = program->known;
  for (const std::string& word : program->argv) l.argv.push_back(expandVariables(word, env));
  std::error_code ec;
  fs::create_directories(l.folder, ec);
  if (!ec) fs::create_directories(fs::path(l.logPath).parent_path(), ec);
  if (ec) co_return fail(Code::Internal, fmt::format("cannot create {}: {}", l.folder, ec.message()));
  SLIP_CO_CHECK(writeFileAtomic(l.folder + "/termination-log", "", 0666));
  SLIP_CO_CHECK(addMounts(l, spec, *program));
  if (program->podman) l = podmanLaunch(std::move(l), spec, env);
  co_return l;
}

// What every container sees besides its own volumes.
Status PodWorker::addMounts(Launch& l, const Json& spec, const ContainerProgram& program) {
  const auto taken = [&l](const std::string& path) {
    return std::any_of(l.mounts.begin(), l.mounts.end(), [&](const Mount& m) { return m.target == path; });
  };
  std::error_code ec;
  for (const char* name : {"hosts", "resolv.conf"}) {
    const std::string target = std::string("/etc/") + name;
    const std::string source = paths_.pod + "/" + name;
    if (!taken(target) && fs::exists(source, ec)) l.mounts.push_back({source, target, false});
  }
  const std::string messagePath = textAt(spec, "terminationMessagePath", "/dev/termination-log");
  if ((messagePath != "/dev/termination-log" || program.podman) && messagePath.starts_with("/") && !taken(messagePath))
    l.mounts.push_back({l.folder + "/termination-log", messagePath, false});
  const bool ours = program.known && program.argv[0] == node_->options.self;
  if (!ours) return {};
  if (program.argv.size() > 1 && program.argv[1] == "storage-init") {
    // It works for the node: it fills the node's cache, which no pod may write.
    l.security.user.reset();
    l.security.group.reset();
    l.security.groups.clear();
  } else if (l.security.user && *l.security.user != node_->user.user) {
    // Another user may not reach this binary where it lies.
    l.mounts.push_back({node_->options.self, "/.slipway/slipway", true});
    l.argv[0] = "/.slipway/slipway";
  }
  return {};
}

void PodWorker::addEnvironment(Launch& l, const Environment& own) const {
  Environment all = {{"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
                     {"HOME", "/root"},
                     {"HOSTNAME", hostnameOf(pod_)},
                     {"SLIPWAY_POD_IP", state_.ip},
                     {"SLIPWAY_STORAGE_CACHE", node_->options.dataDir + "/cache/models"}};
  if (l.security.user && *l.security.user != 0) all[1].second = "/";
  all.insert(all.end(), node_->options.environment.begin(), node_->options.environment.end());
  all.insert(all.end(), own.begin(), own.end());
  std::map<std::string, std::string> last;
  for (const auto& [name, value] : all) last[name] = value;
  for (const auto& [name, value] : last) l.env.push_back(name + "=" + value);
}

void PodWorker::noteStarted(bool init, std::size_t index, const Started& started) {
  ContainerState& c = stateOf(init, index);
  const ContainerPlan& plan = planOf(init, index);
  c.phase = CPhase::Running;
  c.pid = started.pid;
  c.startedAt = started.startedAt;
  c.stopping = c.unhealthy = false;
  c.started = !plan.hasStartup;
  c.hookPending = plan.hasPostStart;
  c.ready = c.started && !plan.hasReadiness && !c.hookPending;
  if (!started.note.empty() && node_->notesSaid.insert(started.note).second) logWarn("this machine: {}", started.note);
  event("Normal", "Started", "Started container " + plan.name, plan.name, init);
  const RunRef ref{init, index, c.id};
  watchRun(ref);
  if (plan.hasPostStart)
    node_->scope.spawn("postStart", [self = shared_from_this(), ref] { return runHook(self, ref, false, kHookLimit); });
  wake();
}

void PodWorker::watchRun(RunRef ref) {
  node_->scope.spawn("container " + ref.id, [self = shared_from_this(), ref] { return awaitExit(self, ref); });
  startProbes(ref);
}

Task<void> PodWorker::awaitExit(Self self, RunRef ref) {
  ContainerExit exit = co_await self->node_->runtime.wait(ref.id);
  self->onExit(ref, std::move(exit));
}

void PodWorker::onExit(const RunRef& ref, ContainerExit exit) {
  ContainerState* c = current(ref);
  if (c == nullptr) return;
  const ContainerPlan& plan = planOf(ref.init, ref.index);
  const Json& spec = specOf(ref.init, ref.index);
  const std::string folder = paths_.runFolder(plan.name, c->instance);
  if (exit.message.empty()) exit.message = readWholeFile(folder + "/termination-log", kMaxTerminationMessage).value_or("");
  if (exit.message.empty() && exit.exitCode != 0 && textAt(spec, "terminationMessagePolicy") == "FallbackToLogsOnError")
    exit.message = lastLogText(paths_.logFile(plan.name, c->instance), 2048, 80);
  if (exit.startedAt.time_since_epoch().count() == 0) exit.startedAt = c->startedAt;
  exit.containerId = ref.id;
  (void)writeExitRecord(folder, exit);  // with the message, for a platform that starts later
  noteExit(plan_, *c, std::move(exit), node_->clock.now());
  if (c->backoff.count() > 0 && !state_.stopGrace && willRestart(plan_, ref.init, ref.index, *c))
    event("Warning", "BackOff", fmt::format("Back-off restarting failed container {} in pod {}", plan.name, podTag(pod_)),
          plan.name, ref.init);
  wake();
}

void PodWorker::startProbes(const RunRef& ref) {
  const ContainerState* c = current(ref);
  if (c == nullptr || (ref.init && !planOf(true, ref.index).sidecar)) return;
  const Json& spec = specOf(ref.init, ref.index);
  for (const ProbeKind kind : {ProbeKind::Startup, ProbeKind::Readiness, ProbeKind::Liveness}) {
    if ((kind == ProbeKind::Startup) == c->started || !at(spec, probeField(kind)).is_object()) continue;
    node_->scope.spawn("probe", [self = shared_from_this(), ref, kind] { return probeLoop(self, ref, kind); });
  }
}

Task<void> PodWorker::probeLoop(Self self, RunRef ref, ProbeKind kind) {
  PodWorker& w = *self;
  ContainerState* c = w.current(ref);
  if (c == nullptr) co_return;
  const Json& spec = w.specOf(ref.init, ref.index);
  ProbeTracker tracker(probeSpecOf(at(spec, probeField(kind)), spec), kind, c->startedTick);
  for (;;) {
    co_await w.node_->clock.sleepUntil(tracker.nextAt());
    c = w.current(ref);
    if (c == nullptr || c->stopping) co_return;
    const bool counts = tracker.countsFailures(w.node_->clock.now());
    const ProbeResult result = co_await runProbe(tracker.spec(), w.state_.ip, ref.id, w.node_->runtime);
    c = w.current(ref);
    if (c == nullptr || c->stopping) co_return;
    const ProbeVerdict verdict = tracker.record(result.success, w.node_->clock.now());
    if (!result.success && counts && w.node_->clock.now() - c->startedTick > kQuietStart)
      w.event("Warning", "Unhealthy", fmt::format("{} probe failed: {}", probeName(kind), result.message),
              w.planOf(ref.init, ref.index).name, ref.init);
    if (verdict != ProbeVerdict::Unchanged) w.onProbe(ref, kind, tracker.spec(), verdict);
    if (kind == ProbeKind::Startup && verdict == ProbeVerdict::Success) co_return;
  }
}

void PodWorker::onProbe(const RunRef& ref, ProbeKind kind, const ProbeSpec& spec, ProbeVerdict verdict) {
  ContainerState& c = stateOf(ref.init, ref.index);
  const bool success = verdict == ProbeVerdict::Success;
  const ContainerPlan& plan = planOf(ref.init, ref.index);
  if (kind == ProbeKind::Readiness) {
    c.ready = success;
  } else if (kind == ProbeKind::Startup && success) {
    c.started = true;
    c.ready = !plan.hasReadiness && !c.hookPending;
    startProbes(ref);
  } else if (!success && !c.unhealthy) {
    c.unhealthy = true;
    c.unhealthyGrace = spec.grace;
    event("Normal", "Killing",
          fmt::format("Container {} failed {} probe, will be restarted", plan.name,
                      kind == ProbeKind::Startup ? "startup" : "liveness"),
          plan.name, ref.init);
  }
  wake();
}

Task<void> PodWorker::runHook(Self self, RunRef ref, bool preStop, Duration limit) {
  PodWorker& w = *self;
  const Json& spec = w.specOf(ref.init, ref.index);
  const Json& hook = at(spec, "lifecycle", preStop ? "preStop" : "postStart");
  ProbeSpec action = probeSpecOf(hook, spec);
  action.timeout = limit;
  const std::int64_t pause = intAt(at(hook, "sleep"), "seconds");
  if (pause > 0) {
    co_await w.node_->clock.sleepFor(std::min<Duration>(std::chrono::seconds(pause), limit));
  }
  const ProbeResult result = co_await runProbe(action, w.state_.ip, ref.id, w.node_->runtime);
  ContainerState* c = w.current(ref);
  if (c == nullptr) co_return;
  if (!result.success)
    w.event("Warning", preStop ? "FailedPreStopHook" : "FailedPostStartHook",
            fmt::format("{} failed: {}", preStop ? "PreStopHook" : "PostStartHook", result.message),
            w.planOf(ref.init, ref.index).name, ref.init);
  w.hookDone(ref, preStop, result.success);
}

void PodWorker::hookDone(const RunRef& ref, bool preStop, bool success) {
  ContainerState& c = stateOf(ref.init, ref.index);
  if (preStop) {
    node_->runtime.terminate(ref.id);
    c.killAt = std::max(c.killAt, after(node_->clock.now(), kAfterHook));
  } else {
    c.hookPending = false;
    c.ready = success && c.started && !planOf(ref.init, ref.index).hasReadiness;
    c.unhealthy = c.unhealthy || !success;
  }
  wake();
}

void PodWorker::stopContainer(bool init, std::size_t index, Duration grace) {
  ContainerState& c = stateOf(init, index);
  const bool again = c.stopping;
  c.stopping = true;
  c.granted = state_.stopGrace.value_or(state_.failure ? state_.failure->grace : grace);
  c.killAt = after(node_->clock.now(), grace);
  c.ready = false;
  const ContainerPlan& plan = planOf(init, index);
  if (!c.unhealthy && !again) event("Normal", "Killing", "Stopping container " + plan.name, plan.name, init);
  const RunRef ref{init, index, c.id};
  if (!again && grace.count() > 0 && at(specOf(init, index), "lifecycle", "preStop").is_object()) {
    node_->scope.spawn("preStop", [self = shared_from_this(), ref, grace] { return runHook(self, ref, true, grace); });
    return;
  }
  if (grace.count() > 0) {
    node_->runtime.terminate(c.id);
  } else {
    node_->runtime.kill(c.id);
  }
}

void PodWorker::removeOldRuns(const std::string& container, int newest) {
  // The run before stays: `kubectl logs --previous` and lastState read it.
  const int old = newest - 2;
  if (old < 0) return;
  std::error_code ec;
  fs::remove_all(paths_.runFolder(container, old), ec);
  for (int i = 0; i <= node_->options.logMaxFiles; ++i)
    fs::remove(paths_.logFile(container, old) + (i == 0 ? "" : fmt::format(".{}", i)), ec);
}

void PodWorker::recover() {
  const auto text = readWholeFile(paths_.pod + "/pod.json");
  if (!text) return;
  const auto record = parseJson(*text);
  if (!record) return;
  state_.ip = textAt(*record, "ip");
  if (state_.ip.empty()) return;
  node_->addresses.keep(uid(), state_.ip);
  state_.sandboxReady = true;
  refresh_ = true;  // its tokens are renewed, and what was written while nobody looked is caught up with
  const Json& status = at(pod_, "status");
  const std::string reason = textAt(status, "reason");
  if (textAt(status, "phase") == "Failed" && (reason == "Evicted" || reason == "DeadlineExceeded"))
    state_.failure = PodFailure{reason, textAt(status, "message"), Duration{0}};
  for (std::size_t i = 0; i < state_.init.size(); ++i) recoverContainer(true, i);
  for (std::size_t i = 0; i < state_.main.size(); ++i) recoverContainer(false, i);
}

void PodWorker::recoverContainer(bool init, std::size_t index) {
  const ContainerPlan& plan = planOf(init, index);
  ContainerState& c = stateOf(init, index);
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator(paths_.pod + "/containers/" + plan.name, ec)) {
    const std::string name = entry.path().filename().string();
    const int n = std::atoi(name.c_str());
    if (std::to_string(n) == name && fs::exists(entry.path() / "spec.json", ec)) c.instance = std::max(c.instance, n);
  }
  if (c.instance < 0) return;
  const std::string folder = paths_.runFolder(plan.name, c.instance);
  c.previous = readExitRecord(paths_.runFolder(plan.name, c.instance - 1));
  const auto spec = readSpec(folder + "/spec.json");
  if (spec) c.id = spec->id;
  c.startedTick = node_->clock.now();
  c.exit = readExitRecord(folder);
  if (c.exit) {
    c.phase = CPhase::Exited;
    return;
  }
  const Result<Started> adopted = node_->runtime.adopt(c.id, folder);
  if (!adopted) {
    ContainerExit lost;
    lost.exitCode = 137;
    lost.reason = "ContainerStatusUnknown";
    lost.message = "The container ended while the platform was down";
    lost.containerId = c.id;
    lost.finishedAt = node_->clock.wall();
    c.exit = lost;
    c.phase = CPhase::Exited;
    return;
  }
  c.phase = CPhase::Running;
  c.pid = adopted->pid;
  c.startedAt = adopted->startedAt;
  c.startedTick = after(node_->clock.now(), -(node_->clock.wall() - c.startedAt));
  c.started = !plan.hasStartup;
  for (const Json& s : at(pod_, "status", init ? "initContainerStatuses" : "containerStatuses")) {
    if (textAt(s, "name") != plan.name) continue;
    c.started = c.started || boolAt(s, "started");
    c.ready = boolAt(s, "ready");
  }
  c.ready = c.ready || (c.started && !plan.hasReadiness);
  logInfo("pod {}: container {} goes on (pid {})", podTag(pod_), plan.name, adopted->pid);
  watchRun({init, index, c.id});
}

}  // namespace slipway::node
