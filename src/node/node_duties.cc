// The part of NodeAgent that looks after the machine and the names of services, beside the pods themselves.
#include <sys/stat.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/log.h"
#include "node/eviction.h"
#include "node/node_agent.h"
#include "node/pod_status.h"
#include "node/quantity.h"
#include "node/shim/memory_watch.h"

namespace slipway::node {
namespace asio = boost::asio;
namespace {

constexpr auto kNamesPause = std::chrono::milliseconds(100);  // between two rounds of writing hosts files
constexpr auto kRoutesPause = std::chrono::milliseconds(10);  // many pods change at once
constexpr auto kResolveAgain = std::chrono::seconds(60);

PodUse useOf(const PodWorker& worker) {
  PodUse use;
  const Json& spec = at(worker.pod(), "spec");
  use.name = textAt(at(worker.pod(), "metadata"), "name");
  use.priority = intAt(spec, "priority");
  const auto add = [&](const ContainerState& c, const Json& container) {
    if (c.pid == 0) return;
    std::vector<int> pids = descendants(c.pid);
    pids.push_back(c.pid);
    const std::int64_t memory = residentOf(pids);
    const Json& limits = at(container, "resources", "limits");
    const std::int64_t request =
        wholeOf(textAt(at(container, "resources", "requests"), "memory", textAt(limits, "memory", "0"))).value_or(0);
    use.memory += memory;
    use.request += request;
    if (memory <= use.containerMemory) return;
    use.container = textAt(container, "name");
    use.containerMemory = memory;
    use.containerRequest = request;
  };
  for (std::size_t i = 0; i < worker.state().init.size(); ++i) add(worker.state().init[i], spec["initContainers"][i]);
  for (std::size_t i = 0; i < worker.state().main.size(); ++i) add(worker.state().main[i], spec["containers"][i]);
  return use;
}

// Runs on the measuring thread: only the copied paths are used.
StorageUse measure(const Json& pod, const PodPaths& paths) {
  StorageUse use;
  for (const Json& v : at(pod, "spec", "volumes")) {
    const std::string name = textAt(v, "name");
    if (at(v, "emptyDir").is_object()) use.volumes[name] = bytesBelow(paths.pod + "/volumes/" + name);
  }
  for (const Json& c : at(pod, "spec", "containers")) {
    const std::string name = textAt(c, "name");
    use.containers[name] = bytesBelow(paths.logs + "/" + name);
  }
  return use;
}

}  // namespace

void NodeAgent::onService(const Kind& kind, const kube::InformerEvent& event) {
  const kube::Key key = kube::keyOf(*event.object);
  const Json gone;
  const Json& object = event.type == kube::InformerEvent::Type::Deleted ? gone : *event.object;
  routesChanged_.notifyAll();
  if (kind == kinds::kService && event.type == kube::InformerEvent::Type::Added && !event.initial) {
    for (const std::string& line : unforwardedPorts(*event.object))
      events_->record(*event.object, {.type = "Warning", .reason = "PortNotForwarded", .message = line});
  }
  const bool changed = kind == kinds::kService ? node_->names.setService(key.ns, key.name, object)
                                               : node_->names.setSlice(key.ns, key.name, object);
  if (!changed) return;
  const std::set<std::string> wanted = node_->names.externalHosts();
  if (!wanted.empty() && externalNames_.empty())
    node_->scope.spawn("external names", [self = shared_from_this()] { return resolveExternal(self); });
  externalNames_ = wanted;
  namesChanged_.notifyAll();
}

Task<void> NodeAgent::proxyLoop(std::shared_ptr<NodeAgent> self) {
  kube::Cache& cache = self->node_->cache;
  for (;;) {
    const auto services = cache.of(kinds::kService).list();
    const auto slices = cache.of(kinds::kEndpointSlice).list();
    const auto pods = cache.of(kinds::kPod).list();
    RouteInput input{services, slices, pods, self->node_->options.hostIp, self->node_->options.apiEndpoint};
    self->proxy_->update(serviceRoutes(input));
    input.protocol = "UDP";
    self->udpProxy_->update(serviceRoutes(input));
    co_await self->routesChanged_.wait();
    co_await self->node_->clock.sleepFor(kRoutesPause);
  }
}

Task<void> NodeAgent::nameLoop(std::shared_ptr<NodeAgent> self) {
  for (;;) {
    co_await self->namesChanged_.wait();
    co_await self->node_->clock.sleepFor(kNamesPause);  // a rollout changes many at once
    for (const auto& [uid, worker] : self->workers_) worker->namesChanged();
  }
}

// Ends when no ExternalName service is left.
Task<void> NodeAgent::resolveExternal(std::shared_ptr<NodeAgent> self) {
  asio::ip::tcp::resolver resolver(co_await asio::this_coro::executor);
  while (!self->externalNames_.empty()) {
    const std::set<std::string> hosts = self->externalNames_;
    for (const std::string& host : hosts) {
      boost::system::error_code ec;
      const auto found = co_await resolver.async_resolve(host, "", asio::redirect_error(asio::use_awaitable, ec));
      if (ec == asio::error::operation_aborted) throw boost::system::system_error(ec);
      std::vector<std::string> addresses;
      for (const auto& entry : found) {
        const std::string text = entry.endpoint().address().to_string();
        if (std::find(addresses.begin(), addresses.end(), text) == addresses.end()) addresses.push_back(text);
      }
      // What was known stays while the resolver is silent.
      if (!ec && self->node_->names.setExternal(host, std::move(addresses))) self->namesChanged_.notifyAll();
    }
    co_await self->node_->clock.sleepFor(kResolveAgain);
  }
}

Task<void> NodeAgent::evictionLoop(std::shared_ptr<NodeAgent> self) {
  for (;;) {
    co_await self->node_->clock.sleepFor(self->node_->options.eviction.every);
    if (self->stopping_) co_return;
    co_await self->relieveMemory();
    co_await self->checkStorage();
  }
}

void NodeAgent::evict(PodWorker& worker, const std::string& message) {
  logWarn("evicting pod {}: {}", podTag(worker.pod()), message);
  events_->record(worker.pod(), {.type = "Warning", .reason = "Evicted", .message = message});
  worker.end({"Evicted", message, Duration{0}});
}

// One pod at a time: what its end frees shows only afterwards.
Task<void> NodeAgent::relieveMemory() {
  const EvictionRule& rule = node_->options.eviction;
  const std::int64_t available = rule.availableMemory ? rule.availableMemory() : availableMemoryOfMachine();
  const bool pressure = available >= 0 && available < rule.leastMemory;
  if (pressure != memoryPressure_) {
    memoryPressure_ = pressure;
    co_await setMemoryPressure(pressure);
  }
  if (!pressure) co_return;
  std::vector<PodUse> uses;
  std::vector<std::shared_ptr<PodWorker>> owners;
  for (const auto& [uid, worker] : workers_) {
    if (worker->finished() || worker->state().failure || worker->state().stopGrace) continue;
    const PodPhase phase = phaseOf(worker->plan(), worker->state());
    if (phase != PodPhase::Running && phase != PodPhase::Pending) continue;
    PodUse use = useOf(*worker);
    if (use.memory == 0) continue;
    uses.push_back(std::move(use));
    owners.push_back(worker);
  }
  if (const auto victim = memoryVictim(uses)) evict(*owners[*victim], memoryMessage(uses[*victim], available, rule));
}

Task<void> NodeAgent::checkStorage() {
  std::vector<std::shared_ptr<PodWorker>> limited;
  for (const auto& [uid, worker] : workers_)
    if (!worker->finished() && !worker->state().failure && worker->state().sandboxReady && hasStorageLimits(worker->pod()))
      limited.push_back(worker);
  for (const auto& worker : limited) {
    const Json pod = worker->pod();
    const PodPaths paths = pathsOf(node_->options, pod);
    const StorageUse use = co_await offload(measuring_, [pod, paths] { return measure(pod, paths); });
    const auto breach = storageBreach(pod, use);
    if (breach) evict(*worker, *breach);
  }
}

Task<void> NodeAgent::setMemoryPressure(bool pressure) {
  if (pressure) logWarn("this machine is short of memory: pods are evicted by priority");
  const Json conditions = nodeObject()["status"]["conditions"];
  const Json patch = {{"status", {{"conditions", conditions}}}};
  auto done = co_await node_->client.patch(kinds::kNode, {"", node_->options.nodeName}, kube::PatchType::Merge, patch,
                                           {.fieldManager = "kubelet", .subresource = "status"});
  if (!done) logWarn("the node's conditions were not written: {}", done.error().message);
}

}  // namespace slipway::node
