// NodeAgent: this machine as a Kubernetes node. Registers a Node, watches the pods bound to it, runs each with a PodWorker,
// and answers for their logs, sessions, ports and usage (kube::PodStreams). Everything on the control loop.
//
//   auto node = std::make_shared<NodeAgent>(client, cache, clock, scope, runtime, options);
//   co_await node->start();            // registered, and what ran before is adopted
//   ...  co_await node->stop(10s);     // ends every pod's processes; the pods stay in the API and start again next time
#pragma once
#include <map>
#include <memory>
#include <set>

#include "base/offload.h"
#include "kube/informer.h"
#include "kube/pod_streams.h"
#include "node/node_options.h"
#include "node/pod_worker.h"
#include "node/udp_proxy.h"
#include "node/usage.h"

namespace slipway::node {

class NodeAgent final : public kube::PodStreams, public std::enable_shared_from_this<NodeAgent> {
 public:
  // `cache` is the control loop's shared one: pods, ConfigMaps, Secrets and claims are read from it. All outlive the agent.
  NodeAgent(kube::Client& client, kube::Cache& cache, Clock& clock, TaskScope& scope, Runtime& runtime, NodeOptions options);
  ~NodeAgent() override;

  // Error when the data folder cannot be used or the API refuses the node.
  Task<Status> start();
  // SIGTERM, then after `grace` (or a pod's own shorter one) SIGKILL. Returns when no process is left.
  Task<void> stop(Duration grace);

  // node_streams.cc
  Task<Result<net::Body>> logs(Json pod, kube::LogOptions options) override;
  Status canOpen(const Json& pod, const std::string& container) override;
  Task<Result<std::unique_ptr<kube::ProcessSession>>> open(Json pod, kube::SessionOptions options) override;
  Task<Result<std::unique_ptr<net::ByteStream>>> dial(Json pod, std::uint16_t port) override;
  std::optional<kube::Usage> podUsage(const Json& pod) override;
  std::optional<kube::Usage> nodeUsage(const std::string& node) override;

  const std::string& nodeName() const { return node_->options.nodeName; }
  std::shared_ptr<PodWorker> worker(const std::string& podUid) const;  // null when it has none
  std::size_t podCount() const { return workers_.size(); }

 private:
  Task<Status> registerNode();
  static Task<void> heartbeat(std::shared_ptr<NodeAgent> self);
  static Task<void> measureLoop(std::shared_ptr<NodeAgent> self);
  void measureMachine();
  void measurePod(const PodWorker& worker, std::map<std::string, bool>* keys);
  void onPod(const kube::InformerEvent& event);
  void onReference(const Kind& kind, const kube::InformerEvent& event);
  void onService(const Kind& kind, const kube::InformerEvent& event);
  static Task<void> proxyLoop(std::shared_ptr<NodeAgent> self);
  static Task<void> nameLoop(std::shared_ptr<NodeAgent> self);
  static Task<void> resolveExternal(std::shared_ptr<NodeAgent> self);
  static Task<void> evictionLoop(std::shared_ptr<NodeAgent> self);
  Task<void> relieveMemory();
  Task<void> checkStorage();
  void evict(PodWorker& worker, const std::string& message);
  Task<void> setMemoryPressure(bool pressure);
  void keepAddresses();
  Task<void> removeOrphans();
  Task<void> endOrphan(std::string folder);
  Json nodeObject() const;

  std::shared_ptr<NodeContext> node_;
  std::unique_ptr<kube::EventRecorder> events_;
  AddressBook addresses_;
  UsageMeter meter_;
  std::map<std::string, std::shared_ptr<PodWorker>> workers_;  // by pod uid
  kube::Signal namesChanged_, routesChanged_;
  std::shared_ptr<ServiceProxy> proxy_;
  std::shared_ptr<UdpProxy> udpProxy_;
  std::set<std::string> externalNames_;  // those being resolved
  BlockingPool measuring_{1};            // walks folders
  bool memoryPressure_ = false;
  bool stopping_ = false;
};

}  // namespace slipway::node
