#include "node/node_agent.h"

#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <filesystem>

#include "base/log.h"
#include "node/pod_status.h"
#include "node/podman.h"
#include "node/shim/launch_file.h"

namespace slipway::node {
namespace {
namespace fs = std::filesystem;

std::string hostName() {
  char buffer[256] = "";
  ::gethostname(buffer, sizeof buffer - 1);
  std::string name = buffer;
  for (char& c : name)
    c = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '-'
            ? static_cast<char>(std::tolower(static_cast<unsigned char>(c)))
            : '-';
  return name.empty() || name == "(none)" ? "localhost" : name;
}

std::string firstLine(const std::string& path) {
  std::string text = readWholeFile(path, 4096).value_or("");
  return text.substr(0, text.find('\n'));
}

std::string osImage() {
  const std::string text = readWholeFile("/etc/os-release", 65536).value_or("");
  const std::size_t from = text.find("PRETTY_NAME=\"");
  if (from == std::string::npos) return "Linux";
  return text.substr(from + 13, text.find('"', from + 13) - from - 13);
}

void fillDefaults(NodeOptions& options) {
  // Shims work from another folder.
  options.dataDir = fs::absolute(options.dataDir).lexically_normal().string();
  if (options.hostIp.empty() || options.hostIp == "0.0.0.0" || options.hostIp == "::") options.hostIp = "127.0.0.1";
  if (options.self == "/proc/self/exe") {
    // Shims are another program, for which that link means something else.
    std::error_code ec;
    const fs::path real = fs::read_symlink("/proc/self/exe", ec);
    options.self = !ec && fs::exists(real, ec) ? real.string() : fmt::format("/proc/{}/exe", ::getpid());
  }
  if (options.nodeName.empty()) options.nodeName = hostName();
  if (options.cpuMillis == 0) options.cpuMillis = 1000 * std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN));
  if (options.memoryBytes == 0) {
    struct sysinfo info{};
    if (::sysinfo(&info) == 0) options.memoryBytes = static_cast<std::int64_t>(info.totalram) * info.mem_unit;
  }
}

// Each container costs a descriptor, each service a few; the usual soft limit of 1024 is for interactive shells.
void raiseDescriptorLimit() {
  constexpr rlim_t kWanted = 65536;
  struct rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= kWanted) return;
  limit.rlim_cur = std::min(limit.rlim_max, kWanted);
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

NodeAgent::NodeAgent(kube::Client& client, kube::Cache& cache, Clock& clock, TaskScope& scope, Runtime& runtime,
                     NodeOptions options)
    : addresses_(fs::absolute(options.dataDir).lexically_normal().string()),
      namesChanged_(scope.executor()),
      routesChanged_(scope.executor()) {
  fillDefaults(options);
  events_ = std::make_unique<kube::EventRecorder>(client, clock, scope, "kubelet");
  node_ = std::make_shared<NodeContext>(
      NodeContext{client, cache, clock, runtime, scope, *events_, addresses_, std::move(options)});
  node_->hasPodman = podmanInstalled();
  proxy_ = std::make_shared<ServiceProxy>(clock, scope);
  udpProxy_ = std::make_shared<UdpProxy>(clock, scope);
}

NodeAgent::~NodeAgent() = default;

Json NodeAgent::nodeObject() const {
  const NodeOptions& o = node_->options;
  struct utsname system{};
  ::uname(&system);
  const Json resources = {
      {"cpu", o.cpuMillis % 1000 == 0 ? std::to_string(o.cpuMillis / 1000) : fmt::format("{}m", o.cpuMillis)},
      {"memory", fmt::format("{}Ki", o.memoryBytes / 1024)},
      {"pods", std::to_string(o.maxPods)}};
  const std::string arch = std::string(system.machine) == "x86_64"    ? "amd64"
                           : std::string(system.machine) == "aarch64" ? "arm64"
                                                                      : system.machine;
  const std::string now = formatRfc3339(node_->clock.wall());
  auto condition = [&now](const char* type, const char* status, const char* reason, const char* message) {
    return Json{{"type", type},       {"status", status},         {"reason", reason},
                {"message", message}, {"lastHeartbeatTime", now}, {"lastTransitionTime", now}};
  };
  return {
      {"apiVersion", "v1"},
      {"kind", "Node"},
      {"metadata",
       {{"name", o.nodeName},
        {"labels", {{"kubernetes.io/hostname", o.nodeName}, {"kubernetes.io/os", "linux"}, {"kubernetes.io/arch", arch}}}}},
      {"spec", Json::object()},
      {"status",
       {{"capacity", resources},
        {"allocatable", resources},
        {"addresses",
         Json::array({{{"type", "InternalIP"}, {"address", o.hostIp}}, {{"type", "Hostname"}, {"address", o.nodeName}}})},
        {"conditions",
         Json::array({memoryPressure_ ? condition("MemoryPressure", "True", "KubeletHasInsufficientMemory",
                                                  "kubelet has insufficient memory available")
                                      : condition("MemoryPressure", "False", "KubeletHasSufficientMemory",
                                                  "kubelet has sufficient memory available"),
                      condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
                      condition("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
                      condition("Ready", "True", "KubeletReady", "the node runs pods as processes")})},
        {"nodeInfo",
         {{"architecture", arch},
          {"bootID", bootId()},
          {"containerRuntimeVersion", "slipway://0.1.0"},
          {"kernelVersion", system.release},
          {"kubeProxyVersion", ""},
          {"kubeletVersion", "v1.34.0-slipway"},
          {"machineID", firstLine("/etc/machine-id")},
          {"operatingSystem", "linux"},
          {"osImage", osImage()},
          {"systemUUID", firstLine("/etc/machine-id")}}},
        {"daemonEndpoints", {{"kubeletEndpoint", {{"Port", 0}}}}}}}};
}

Task<Status> NodeAgent::registerNode() {
  Json node = nodeObject();
  const kube::Key key{"", node_->options.nodeName};
  auto made = co_await node_->client.create(kinds::kNode, node);
  if (!made && made.error().code != Code::AlreadyExists) co_return failIn("cannot register node " + key.name, made.error());
  const Json labels = {{"metadata", {{"labels", node["metadata"]["labels"]}}}};
  if (!made) {
    auto patched = co_await node_->client.patch(kinds::kNode, key, kube::PatchType::Merge, labels);
    SLIP_CO_CHECK(patched);
  }
  const Json status = {{"status", node["status"]}};
  auto updated = co_await node_->client.patch(kinds::kNode, key, kube::PatchType::Merge, status,
                                              {.fieldManager = "kubelet", .subresource = "status"});
  if (!updated) co_return failIn("cannot register node " + key.name, updated.error());
  co_return Status{};
}

Task<void> NodeAgent::heartbeat(std::shared_ptr<NodeAgent> self) {
  NodeContext& n = *self->node_;
  const kube::Key key{"kube-node-lease", n.options.nodeName};
  for (;;) {
    const std::string now = formatRfc3339Micro(n.clock.wall());
    const Json renew = {{"spec", {{"renewTime", now}}}};
    auto patched = co_await n.client.patch(kinds::kLease, key, kube::PatchType::Merge, renew);
    if (!patched && patched.error().code == Code::NotFound) {
      const std::int64_t seconds = 2 * std::chrono::duration_cast<std::chrono::seconds>(n.options.heartbeat).count();
      const Json lease = {{"apiVersion", "coordination.k8s.io/v1"},
                          {"kind", "Lease"},
                          {"metadata", {{"name", key.name}, {"namespace", key.ns}}},
                          {"spec", {{"holderIdentity", key.name}, {"leaseDurationSeconds", seconds}, {"renewTime", now}}}};
      auto made = co_await n.client.create(kinds::kLease, lease);
      (void)made;  // no such namespace: nobody here needs the lease
    }
    co_await n.clock.sleepFor(n.options.heartbeat);
  }
}

Task<Status> NodeAgent::start() {
  raiseDescriptorLimit();
  std::error_code ec;
  for (const char* name : {"/pods", "/logs"}) {
    fs::create_directories(node_->options.dataDir + name, ec);
    if (ec)
      co_return fail(Code::Internal, fmt::format("cannot create {}{}: {}", node_->options.dataDir, name, ec.message()));
  }
  Status registered = co_await registerNode();
  SLIP_CO_CHECK(registered);
  const std::weak_ptr<NodeAgent> weak = weak_from_this();
  kube::Informer& pods = node_->cache.of(kinds::kPod);
  for (const Kind* kind : {&kinds::kConfigMap, &kinds::kSecret, &kinds::kPersistentVolumeClaim, &kinds::kPersistentVolume,
                           &kinds::kServiceAccount}) {
    node_->cache.of(*kind).onEvent([weak, kind](const kube::InformerEvent& e) {
      if (auto self = weak.lock()) self->onReference(*kind, e);
    });
  }
  for (const Kind* kind : {&kinds::kService, &kinds::kEndpointSlice}) {
    node_->cache.of(*kind).onEvent([weak, kind](const kube::InformerEvent& e) {
      if (auto self = weak.lock()) self->onService(*kind, e);
    });
  }
  co_await node_->cache.waitForSync();
  keepAddresses();
  pods.onEvent([weak](const kube::InformerEvent& e) {
    if (auto self = weak.lock()) self->onPod(e);
  });
  co_await removeOrphans();
  node_->scope.spawn("heartbeat", [self = shared_from_this()] { return heartbeat(self); });
  node_->scope.spawn("usage", [self = shared_from_this()] { return measureLoop(self); });
  if (node_->options.forwardServices)
    node_->scope.spawn("service ports", [self = shared_from_this()] { return proxyLoop(self); });
  node_->scope.spawn("service names", [self = shared_from_this()] { return nameLoop(self); });
  node_->scope.spawn("evictions", [self = shared_from_this()] { return evictionLoop(self); });
  co_return Status{};
}

void NodeAgent::onPod(const kube::InformerEvent& event) {
  const Json& pod = *event.object;
  const std::string uid = textAt(at(pod, "metadata"), "uid");
  const auto found = workers_.find(uid);
  routesChanged_.notifyAll();  // host ports
  if (event.type == kube::InformerEvent::Type::Deleted) {
    if (found == workers_.end()) return;
    found->second->gone();
    // The worker's own coroutine keeps it until its last process is gone; stop() must see it until then.
    std::erase_if(workers_, [&](const auto& w) { return w.second->finished(); });
    return;
  }
  if (found != workers_.end()) {
    if (!found->second->finished()) found->second->update(pod);
    return;
  }
  if (stopping_ || textAt(at(pod, "spec"), "nodeName") != node_->options.nodeName) return;
  // A pod replaced under the same name shows as a change of uid.
  if (event.old && textAt(at(*event.old, "metadata"), "uid") != uid) {
    const auto old = workers_.find(textAt(at(*event.old, "metadata"), "uid"));
    if (old != workers_.end()) old->second->gone();
  }
  std::erase_if(workers_, [](const auto& w) { return w.second->finished(); });
  const std::string phase = textAt(at(pod, "status"), "phase");
  std::error_code ec;
  const bool over = (phase == "Succeeded" || phase == "Failed") && !fs::exists(pathsOf(node_->options, pod).pod, ec);
  if (over && textAt(at(pod, "metadata"), "deletionTimestamp").empty()) return;
  auto worker = std::make_shared<PodWorker>(node_, pod);
  workers_[uid] = worker;
  worker->start();
}

void NodeAgent::onReference(const Kind& kind, const kube::InformerEvent& event) {
  const kube::Key key = kube::keyOf(*event.object);
  if (kind == kinds::kConfigMap && key.ns == kImagesNamespace && key.name == kImagesName) {
    std::vector<std::string> warnings;
    const bool deleted = event.type == kube::InformerEvent::Type::Deleted;
    node_->images = ImagePrograms::fromConfigMap(deleted ? Json() : *event.object, &warnings);
    for (const std::string& w : warnings) logWarn("{}", w);
  }
  if (event.initial) return;
  for (const auto& [uid, worker] : workers_) {
    if (kind == kinds::kPersistentVolume) {
      const std::string claim = textAt(at(*event.object, "spec", "claimRef"), "name");
      if (!claim.empty()) worker->referenceChanged(kinds::kPersistentVolumeClaim, claim);
    } else if (textAt(at(worker->pod(), "metadata"), "namespace") == key.ns) {
      worker->referenceChanged(kind, key.name);
    }
  }
}

// Those of the pods that are on disk: before the first new pod asks for one.
void NodeAgent::keepAddresses() {
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator(node_->options.dataDir + "/pods", ec)) {
    const auto record = parseJson(readWholeFile(entry.path().string() + "/pod.json").value_or(""));
    const std::string ip = record ? textAt(*record, "ip") : "";
    if (!ip.empty()) addresses_.keep(entry.path().filename().string(), ip);
  }
}

// What is on disk for pods that the API no longer knows: ended and removed.
Task<void> NodeAgent::removeOrphans() {
  std::error_code ec;
  std::vector<std::string> orphans;
  for (const auto& entry : fs::directory_iterator(node_->options.dataDir + "/pods", ec))
    if (!workers_.contains(entry.path().filename().string())) orphans.push_back(entry.path().string());
  for (const std::string& folder : orphans) co_await endOrphan(folder);
  for (const auto& entry : fs::directory_iterator(node_->options.dataDir + "/logs", ec)) {
    const std::string name = entry.path().filename().string();
    if (!workers_.contains(name.substr(name.rfind('_') + 1))) fs::remove_all(entry.path(), ec);
  }
}

Task<void> NodeAgent::endOrphan(std::string folder) {
  std::vector<std::string> running;
  std::error_code ec;
  for (fs::recursive_directory_iterator it(folder + "/containers", ec), end; it != end; it.increment(ec)) {
    if (ec || it->path().filename() != "shim.json") continue;
    const std::string run = it->path().parent_path().string();
    if (node_->runtime.adopt(run, run)) running.push_back(run);
  }
  for (const std::string& id : running) {
    logInfo("ending a container of a pod that no longer exists: {}", id);
    node_->runtime.kill(id);
    const ContainerExit exit = co_await node_->runtime.wait(id);
    (void)exit;
  }
  removePodFolder(folder);
  addresses_.release(fs::path(folder).filename().string());
}

Task<void> NodeAgent::stop(Duration grace) {
  stopping_ = true;
  std::vector<std::shared_ptr<PodWorker>> all;
  for (const auto& [uid, worker] : workers_) all.push_back(worker);
  for (const auto& worker : all)
    if (!worker->finished()) worker->shutDown(grace);
  for (const auto& worker : all) {
    while (!worker->finished()) {
      co_await worker->changed().wait();
    }
  }
}

std::shared_ptr<PodWorker> NodeAgent::worker(const std::string& podUid) const {
  const auto found = workers_.find(podUid);
  return found == workers_.end() ? nullptr : found->second;
}

}  // namespace slipway::node
