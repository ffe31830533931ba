// The part of NodeAgent that answers for what only a node knows: logs, sessions, ports and usage of its pods.
#include <filesystem>

#include "base/log.h"
#include "net/dial.h"
#include "node/log_reader.h"
#include "node/loopback.h"
#include "node/node_agent.h"
#include "node/pod_status.h"
#include "node/process_session.h"
#include "node/shim/launch_file.h"
#include "node/shim/memory_watch.h"

namespace slipway::node {
namespace {

constexpr auto kDialTimeout = std::chrono::seconds(10);
constexpr auto kMeasureEvery = std::chrono::seconds(15);
constexpr const char* kMachine = "machine";

// What a worker knows of a container by name.
struct Known {
  const ContainerPlan* plan = nullptr;
  const ContainerState* state = nullptr;
  bool init = false;
};

Known find(const PodWorker& worker, const std::string& container) {
  for (const bool init : {true, false}) {
    const auto& plans = init ? worker.plan().init : worker.plan().main;
    const auto& states = init ? worker.state().init : worker.state().main;
    for (std::size_t i = 0; i < plans.size(); ++i)
      if (plans[i].name == container) return {&plans[i], &states[i], init};
  }
  return {};
}

bool running(const Known& known) { return known.state != nullptr && known.state->phase == ContainerState::Phase::Running; }

std::string uidOf(const Json& pod) { return textAt(at(pod, "metadata"), "uid"); }

// The containers that go on for as long as the pod does: the main ones and sidecars.
std::vector<Known> measured(const PodWorker& worker) {
  std::vector<Known> all;
  for (std::size_t i = 0; i < worker.plan().init.size(); ++i)
    if (worker.plan().init[i].sidecar) all.push_back({&worker.plan().init[i], &worker.state().init[i], true});
  for (std::size_t i = 0; i < worker.plan().main.size(); ++i)
    all.push_back({&worker.plan().main[i], &worker.state().main[i], false});
  return all;
}

// The processes of a pod's running containers.
std::vector<int> processesOf(const PodWorker& worker, const PodPaths& paths) {
  std::vector<int> pids;
  for (const bool init : {true, false}) {
    const auto& plans = init ? worker.plan().init : worker.plan().main;
    const auto& states = init ? worker.state().init : worker.state().main;
    for (std::size_t i = 0; i < plans.size(); ++i) {
      if (states[i].phase != ContainerState::Phase::Running) continue;
      const auto record = readShimRecord(paths.runFolder(plans[i].name, states[i].instance));
      if (!record) continue;
      const auto found = descendants(record->pid);
      pids.insert(pids.end(), found.begin(), found.end());
    }
  }
  return pids;
}

}  // namespace

Task<Result<net::Body>> NodeAgent::logs(Json pod, kube::LogOptions options) {
  const std::string name = textAt(at(pod, "metadata"), "name");
  if (options.container.empty()) {
    std::string all;
    for (const char* list : {"containers", "initContainers"})
      for (const Json& c : at(pod, "spec", list)) all += (all.empty() ? "" : " ") + textAt(c, "name");
    if (at(pod, "spec", "containers").size() != 1)
      co_return fail(Code::BadRequest,
                     fmt::format("a container name must be specified for pod {}, choose one of: [{}]", name, all));
    options.container = textAt(pod["spec"]["containers"][0], "name");
  }
  const std::string container = options.container;
  if (containerNamed(pod, container).is_null())
    co_return fail(Code::BadRequest, fmt::format("container {} is not valid for pod {}", container, name));
  const PodPaths paths = pathsOf(node_->options, pod);
  const auto found = worker(uidOf(pod));
  int instance = -1;
  std::string waiting = "ContainerCreating";
  const Known known = found ? find(*found, container) : Known{};
  if (known.state != nullptr) {
    instance = known.state->instance;
    if (!known.state->waitReason.empty())
      waiting = known.state->waitReason;
    else if (!known.init && !initDone(found->plan(), found->state()))
      waiting = "PodInitializing";
  }
  if (options.previous) {
    if (instance < 1)
      co_return fail(Code::BadRequest,
                     fmt::format("previous terminated container \"{}\" in pod \"{}\" not found", container, name));
    --instance;
  }
  if (instance < 0)
    co_return fail(Code::BadRequest,
                   fmt::format("container \"{}\" in pod \"{}\" is waiting to start: {}", container, name, waiting));
  options.follow = options.follow && !options.previous;
  std::weak_ptr<PodWorker> weak = found;
  auto stillRunning = [weak, container, instance] {
    const auto w = weak.lock();
    if (!w || w->finished()) return false;
    const Known now = find(*w, container);
    return running(now) && now.state->instance == instance;
  };
  co_return openLog(node_->scope.executor(), paths.logFile(container, instance), options, node_->clock.wall(),
                    std::move(stillRunning));
}

Status NodeAgent::canOpen(const Json& pod, const std::string& container) {
  const auto found = worker(uidOf(pod));
  if (found && !found->finished() && running(find(*found, container))) return {};
  return fail(Code::NotFound, fmt::format("container not found (\"{}\")", container));
}

Task<Result<std::unique_ptr<kube::ProcessSession>>> NodeAgent::open(Json pod, kube::SessionOptions options) {
  const Status possible = canOpen(pod, options.container);
  SLIP_CO_CHECK(possible);
  const auto found = worker(uidOf(pod));
  const int instance = find(*found, options.container).state->instance;
  const std::string folder = pathsOf(node_->options, pod).runFolder(options.container, instance);
  auto session = co_await openSession(node_->scope.executor(), folder, std::move(options));
  co_return session;
}

Task<Result<std::unique_ptr<net::ByteStream>>> NodeAgent::dial(Json pod, std::uint16_t port) {
  const auto found = worker(uidOf(pod));
  if (!found || found->finished() || found->state().ip.empty())
    co_return fail(Code::NotFound, fmt::format("pod {} does not run here", textAt(at(pod, "metadata"), "name")));
  const std::string ip = found->state().ip;
  auto stream = co_await net::dial(net::Origin{ip, port}, nullptr, kDialTimeout);
  if (stream || !listensOnLoopback(port, processesOf(*found, pathsOf(node_->options, pod)))) co_return stream;
  stream = co_await net::dial(net::Origin{"127.0.0.1", port}, nullptr, kDialTimeout);
  co_return stream;
}

// Regularly, so that a question is answered with what has been used lately.
Task<void> NodeAgent::measureLoop(std::shared_ptr<NodeAgent> self) {
  for (;;) {
    std::map<std::string, bool> keys{{kMachine, true}};
    self->measureMachine();
    std::vector<std::shared_ptr<PodWorker>> workers;
    for (const auto& [uid, worker] : self->workers_) workers.push_back(worker);
    for (const auto& worker : workers) {
      self->measurePod(*worker, &keys);
      co_await self->node_->clock.sleepFor(Duration{0});  // others get their turn in between
    }
    self->meter_.keepOnly(keys);
    co_await self->node_->clock.sleepFor(kMeasureEvery);
  }
}

void NodeAgent::measureMachine() {
  const TimePoint now = node_->clock.now();
  if (meter_.due(kMachine, now)) meter_.add(kMachine, machineCounters(), now);
}

void NodeAgent::measurePod(const PodWorker& worker, std::map<std::string, bool>* keys) {
  const PodPaths paths = pathsOf(node_->options, worker.pod());
  for (const auto& [plan, found, init] : measured(worker)) {
    const ContainerState& state = *found;
    if (state.phase != ContainerState::Phase::Running) continue;
    const std::string key = uidOf(worker.pod()) + "/" + state.id;
    if (keys != nullptr) (*keys)[key] = true;
    const TimePoint now = node_->clock.now();
    if (!meter_.due(key, now)) continue;
    const auto counters = containerCounters(paths.runFolder(plan->name, state.instance));
    if (counters) meter_.add(key, *counters, now, state.startedTick);
  }
}

std::optional<kube::Usage> NodeAgent::podUsage(const Json& pod) {
  const auto found = worker(uidOf(pod));
  if (!found) return std::nullopt;
  measurePod(*found, nullptr);
  kube::Usage usage;
  usage.timestamp = node_->clock.wall();
  for (const auto& [plan, state, init] : measured(*found)) {
    const auto rate = meter_.rate(uidOf(pod) + "/" + state->id);
    if (!rate || state->phase != ContainerState::Phase::Running) return std::nullopt;  // all or nothing, as metrics-server
    usage.window = std::max(usage.window, rate->window);
    usage.containers.push_back({plan->name, rate->cpuNanosPerSecond, rate->memoryBytes});
  }
  return usage;
}

std::optional<kube::Usage> NodeAgent::nodeUsage(const std::string& node) {
  if (node != nodeName()) return std::nullopt;
  measureMachine();
  const auto rate = meter_.rate(kMachine);
  if (!rate) return std::nullopt;
  kube::Usage usage;
  usage.timestamp = node_->clock.wall();
  usage.window = rate->window;
  usage.cpuNanos = rate->cpuNanosPerSecond;
  usage.memoryBytes = rate->memoryBytes;
  return usage;
}

}  // namespace slipway::node
