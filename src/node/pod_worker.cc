#include "node/pod_worker.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/log.h"
#include "node/pod_fields.h"
#include "node/pod_status.h"
#include "node/shim/launch_file.h"

namespace slipway::node {
namespace {
namespace fs = std::filesystem;

constexpr auto kPublishRetry = std::chrono::seconds(1);
constexpr auto kTokenRetry = std::chrono::seconds(10);
constexpr auto kSetUpRetryMax = std::chrono::seconds(30);

TimePoint after(TimePoint t, Duration d) { return t + std::chrono::duration_cast<TimePoint::duration>(d); }

}  // namespace

std::string PodPaths::runFolder(const std::string& container, int instance) const {
  return fmt::format("{}/containers/{}/{}", pod, container, instance);
}

std::string PodPaths::logFile(const std::string& container, int instance) const {
  return fmt::format("{}/{}/{}.log", logs, container, instance);
}

PodPaths pathsOf(const NodeOptions& options, const Json& pod) {
  const Json& meta = at(pod, "metadata");
  const std::string uid = textAt(meta, "uid");
  return {fmt::format("{}/pods/{}", options.dataDir, uid),
          fmt::format("{}/logs/{}_{}_{}", options.dataDir, textAt(meta, "namespace"), textAt(meta, "name"), uid)};
}

PodWorker::PodWorker(std::shared_ptr<NodeContext> node, Json pod)
    : node_(std::move(node)),
      pod_(std::move(pod)),
      plan_(node::planOf(pod_, node_->options.backoff)),
      state_(initialState(plan_)),
      paths_(pathsOf(node_->options, pod_)),
      wake_(node_->scope.executor()),
      changed_(node_->scope.executor()) {
  state_.hostIp = node_->options.hostIp;
  state_.startTime = node_->clock.wall();
  const std::string before = textAt(at(pod_, "status"), "startTime");
  if (!before.empty()) (void)parseRfc3339(before, &state_.startTime);
  if (plan_.activeDeadline)
    state_.expiresAt = after(node_->clock.now(), state_.startTime + *plan_.activeDeadline - node_->clock.wall());
}

void PodWorker::start() {
  recover();
  update(pod_);
  node_->scope.spawn("pod " + podTag(pod_), [self = shared_from_this()] { return run(self); });
}

void PodWorker::wake() {
  ++wakes_;
  wake_.notifyAll();
  changed_.notifyAll();
}

const Json& PodWorker::specOf(bool init, std::size_t index) const {
  return at(pod_, "spec", init ? "initContainers" : "containers").at(index);
}

ContainerState* PodWorker::current(const RunRef& ref) {
  ContainerState& c = stateOf(ref.init, ref.index);
  return c.id == ref.id && c.phase == ContainerState::Phase::Running ? &c : nullptr;
}

void PodWorker::update(const Json& pod) {
  Json conditions = Json::array();
  if (published_.is_object()) {
    // What comes back may be older than what we wrote last: our own conditions stay as written.
    conditions = published_["conditions"];
    for (const Json& c : at(pod, "status", "conditions")) {
      const bool ours = std::any_of(conditions.begin(), conditions.end(),
                                    [&](const Json& o) { return textAt(o, "type") == textAt(c, "type"); });
      if (!ours) conditions.push_back(c);
    }
  }
  const bool describes = at(pod, "metadata", "labels") != at(pod_, "metadata", "labels") ||
                         at(pod, "metadata", "annotations") != at(pod_, "metadata", "annotations");
  refresh_ = refresh_ || (describes && state_.sandboxReady);  // downward API volumes show them
  pod_ = pod;
  noteImages();
  pod_["apiVersion"] = "v1";  // events name them, and items of lists may lack them
  pod_["kind"] = "Pod";
  if (published_.is_object()) pod_["status"]["conditions"] = std::move(conditions);
  const Json& meta = at(pod_, "metadata");
  if (!gone_ && !textAt(meta, "deletionTimestamp").empty()) {
    const Duration grace =
        std::chrono::seconds(intAt(meta, "deletionGracePeriodSeconds", plan_.grace / std::chrono::seconds(1)));
    if (!state_.stopGrace || grace < *state_.stopGrace) state_.stopBy = after(node_->clock.now(), grace);
    state_.stopGrace = state_.stopGrace ? std::min(*state_.stopGrace, grace) : grace;
    keepFiles_ = false;
  }
  wake();
}

void PodWorker::gone() {
  gone_ = true;
  keepFiles_ = false;
  state_.stopGrace = Duration{0};
  state_.stopBy = node_->clock.now();
  wake();
}

void PodWorker::end(PodFailure failure) {
  if (state_.failure || state_.stopGrace) return;
  state_.stopBy = after(node_->clock.now(), failure.grace);
  state_.failure = std::move(failure);
  wake();
}

// A container whose image was changed in place starts anew with it.
void PodWorker::noteImages() {
  for (const bool init : {true, false}) {
    auto& plans = init ? plan_.init : plan_.main;
    for (std::size_t i = 0; i < plans.size(); ++i) {
      const std::string image = textAt(specOf(init, i), "image");
      if (image == plans[i].image) continue;
      plans[i].image = image;
      ContainerState& c = stateOf(init, i);
      if (c.phase != ContainerState::Phase::Running || c.unhealthy) continue;
      c.unhealthy = true;
      event("Normal", "Killing", fmt::format("Container {} definition changed, will be restarted", plans[i].name),
            plans[i].name, init);
    }
  }
}

void PodWorker::namesChanged() {
  if (!state_.sandboxReady || finished_) return;
  const Status written = writeNames();
  if (!written) logWarn("pod {}: {}", podTag(pod_), written.error().message);
}

void PodWorker::shutDown(Duration grace) {
  const Duration wanted = std::min(grace, plan_.grace);
  if (!state_.stopGrace) keepFiles_ = true;
  if (!state_.stopGrace || wanted < *state_.stopGrace) state_.stopBy = after(node_->clock.now(), wanted);
  state_.stopGrace = state_.stopGrace ? std::min(*state_.stopGrace, wanted) : wanted;
  wake();
}

void PodWorker::referenceChanged(const Kind& kind, const std::string& name) {
  const ReferenceNames names = referencesOf(pod_);
  static const std::set<std::string> kNone;
  const auto& set = kind == kinds::kConfigMap               ? names.configMaps
                    : kind == kinds::kSecret                ? names.secrets
                    : kind == kinds::kPersistentVolumeClaim ? names.claims
                                                            : kNone;
  const bool signsTokens = kind == kinds::kServiceAccount && tokens_.empty() && !tokensWanted(pod_).empty() &&
                           name == textAt(at(pod_, "spec"), "serviceAccountName", "default");
  if (!set.contains(name) && !signsTokens) return;
  refresh_ = state_.sandboxReady;
  state_.retryAt = {};
  for (auto* list : {&state_.init, &state_.main})
    for (ContainerState& c : *list)
      if (c.waitReason == "CreateContainerConfigError") c.retryAt = {};
  wake();
}

Task<void> PodWorker::run(Self self) {
  PodWorker& w = *self;
  while (!w.finished_) {
    const std::uint64_t seen = w.wakes_;
    const bool tokensDue = w.tokensUntil_ != TimePoint{} && w.node_->clock.now() >= w.tokensUntil_;
    if (w.refresh_ || tokensDue) {
      w.refresh_ = false;
      auto places = co_await w.prepareVolumes();
      if (!places) logWarn("pod {}: {}", podTag(w.pod_), places.error().message);
    }
    const Decision decision = decide(w.plan_, w.state_, w.node_->clock.now());
    for (const Action& action : decision.actions) co_await w.perform(action);
    if (w.finished_) break;
    co_await w.publish();
    // What was done may have changed what there is to do; the same question again costs little.
    const Decision next = decide(w.plan_, w.state_, w.node_->clock.now());
    if (!next.actions.empty() && next.actions != decision.actions) continue;
    if (w.wakes_ != seen) continue;  // a container may have ended while the status was being written
    std::optional<TimePoint> until = next.wakeAt;
    if (w.tokensUntil_ != TimePoint{} && (!until || w.tokensUntil_ < *until)) until = w.tokensUntil_;
    if (w.publishFailed_ && (!until || w.publishAt_ < *until)) until = w.publishAt_;
    if (!next.actions.empty() && !until) until = after(w.node_->clock.now(), kPublishRetry);
    co_await w.wake_.waitUntil(w.node_->clock, until);
  }
  w.changed_.notifyAll();
}

Task<void> PodWorker::perform(Action action) {
  switch (action.kind) {
    case ActionKind::Setup: co_await setUp(); break;
    case ActionKind::Start: co_await startContainer(action.init, action.index); break;
    case ActionKind::Stop: stopContainer(action.init, action.index, action.grace); break;
    case ActionKind::Kill: node_->runtime.kill(stateOf(action.init, action.index).id); break;
    case ActionKind::Expire:
      event("Normal", "DeadlineExceeded", "Pod was active on the node longer than the specified deadline");
      end({"DeadlineExceeded", "Pod was active on the node longer than the specified deadline", plan_.grace});
      break;
    case ActionKind::Finish: co_await finish(); break;
  }
}

Task<void> PodWorker::publish() {
  if (gone_ || (publishFailed_ && node_->clock.now() < publishAt_)) co_return;
  Json status = statusOf(pod_, plan_, state_, node_->clock.wall());
  if (status == published_) co_return;
  const Json patch = {{"metadata", {{"uid", uid()}}}, {"status", status}};
  auto done = co_await node_->client.patch(kinds::kPod, kube::keyOf(pod_), kube::PatchType::Merge, patch,
                                           {.fieldManager = "kubelet", .subresource = "status"});
  publishFailed_ = !done && done.error().code != Code::NotFound;
  if (publishFailed_) {
    publishAt_ = after(node_->clock.now(), kPublishRetry);
    logDebug("pod {}: status not written: {}", podTag(pod_), done.error().message);
    co_return;
  }
  pod_["status"]["conditions"] = status["conditions"];
  published_ = std::move(status);
}

// A pull of an image that nobody waits for any more.
Task<void> PodWorker::endPulls() {
  for (auto& [container, pull] : pulls_)
    if (!pull.id.empty()) node_->runtime.kill(pull.id);
  for (auto& [container, pull] : pulls_) {
    while (!pull.id.empty()) {
      co_await changed_.wait();
    }
  }
}

Task<void> PodWorker::finish() {
  co_await endPulls();
  if (keepFiles_) {
    finished_ = true;
    changed_.notifyAll();
    co_return;
  }
  if (!gone_) {
    co_await publish();
    const std::string id = uid();
    auto removed = co_await node_->client.remove(kinds::kPod, kube::keyOf(pod_), {.gracePeriodSeconds = 0, .uid = id});
    if (!removed && removed.error().code != Code::NotFound && removed.error().code != Code::Conflict) {
      logWarn("pod {}: cannot finish its deletion, trying again: {}", podTag(pod_), removed.error().message);
      co_return;
    }
  }
  std::error_code ec;
  removePodFolder(paths_.pod);
  fs::remove_all(paths_.logs, ec);
  node_->addresses.release(uid());
  finished_ = true;
  changed_.notifyAll();
}

Task<Json> PodWorker::fetch(Kind kind, std::string name) {
  const kube::Key key{kind.namespaced ? textAt(at(pod_, "metadata"), "namespace") : "", name};
  kube::Object known = node_->cache.of(kind).get(key);
  if (known) co_return *known;
  // The pod may have been seen before what it refers to.
  auto got = co_await node_->client.get(kind, key);
  if (got) co_return std::move(*got);
  co_return Json();
}

Task<References> PodWorker::fetchReferences() {
  const ReferenceNames names = referencesOf(pod_);
  References refs;
  for (const std::string& name : names.configMaps) {
    Json object = co_await fetch(kinds::kConfigMap, name);
    refs.configMaps[name] = std::move(object);
  }
  for (const std::string& name : names.secrets) {
    Json object = co_await fetch(kinds::kSecret, name);
    refs.secrets[name] = std::move(object);
  }
  for (const std::string& name : names.claims) {
    Json claim = co_await fetch(kinds::kPersistentVolumeClaim, name);
    const std::string volume = textAt(at(claim, "spec"), "volumeName");
    if (!volume.empty()) {
      Json object = co_await fetch(kinds::kPersistentVolume, volume);
      refs.volumes[volume] = std::move(object);
    }
    refs.claims[name] = std::move(claim);
  }
  co_return refs;
}

Task<Result<VolumePlaces>> PodWorker::prepareVolumes() {
  Status signedTokens = co_await fetchTokens();
  if (!signedTokens) co_return fail(signedTokens.error());
  const References refs = co_await fetchReferences();
  const PodFacts known = facts();
  const VolumeInput input{pod_, refs, known, paths_.pod + "/volumes", tokens_};
  co_return setUpVolumes(input);
}

// Renewed, as by the kubelet, when 80 % of the shortest lifetime is over.
Task<Status> PodWorker::fetchTokens() {
  const std::vector<TokenWish> wishes = tokensWanted(pod_);
  if (wishes.empty() || (!tokens_.empty() && node_->clock.now() < tokensUntil_)) co_return Status{};
  if (!node_->options.tokens) co_return fail(Code::Unavailable, "this node has nobody who signs ServiceAccount tokens");
  std::map<std::string, std::string> fresh;
  std::int64_t shortest = 24 * 3600;
  for (const TokenWish& wish : wishes) {
    const TokenAsk ask{textAt(at(pod_, "metadata"), "namespace"),
                       textAt(at(pod_, "spec"), "serviceAccountName", "default"),
                       wish.audience,
                       wish.seconds,
                       textAt(at(pod_, "metadata"), "name"),
                       uid()};
    auto token = co_await node_->options.tokens(ask);
    if (!token) {
      // The old ones stay good for a while.
      if (state_.sandboxReady) tokensUntil_ = after(node_->clock.now(), kTokenRetry);
      co_return failIn("cannot sign a token for ServiceAccount " + ask.account, token.error());
    }
    fresh[wish.key] = std::move(*token);
    shortest = std::min(shortest, wish.seconds);
  }
  tokens_ = std::move(fresh);
  tokensUntil_ = after(node_->clock.now(), std::chrono::seconds(std::max<std::int64_t>(1, shortest * 8 / 10)));
  co_return Status{};
}

// /etc/hosts and, where the pod asks for another resolver, /etc/resolv.conf. Written in place: containers have the file
// itself mounted.
Status PodWorker::writeNames() {
  const std::string text = hostsFile(pod_, state_.ip, node_->names.blockOf(textAt(at(pod_, "metadata"), "namespace")),
                                     readWholeFile("/etc/hosts", 1 << 20).value_or(""));
  SLIP_CHECK(writeFileInPlace(paths_.pod + "/hosts", text));
  const std::string resolver = resolverFile(pod_, readWholeFile("/etc/resolv.conf", 1 << 20).value_or(""));
  if (resolver.empty()) return {};
  return writeFileInPlace(paths_.pod + "/resolv.conf", resolver);
}

Task<void> PodWorker::setUp() {
  if (const std::vector<std::string> refused = podRefusals(at(pod_, "spec")); !refused.empty()) {
    std::string all;
    for (const std::string& line : refused) all += (all.empty() ? "" : "; ") + line;
    event("Warning", "Failed", "Error: " + all);
    state_.waitReason = "CreateContainerConfigError";
    state_.waitMessage = all;
    state_.retryAt = TimePoint::max();  // what it asks for cannot change
    co_return;
  }
  const bool hostNetwork = boolAt(at(pod_, "spec"), "hostNetwork");
  state_.ip = hostNetwork ? state_.hostIp : node_->addresses.assign(uid());
  std::error_code ec;
  fs::create_directories(paths_.pod, ec);
  ::chmod(paths_.pod.c_str(), 0700);
  const Json record = {{"ip", state_.ip},
                       {"name", textAt(at(pod_, "metadata"), "name")},
                       {"namespace", textAt(at(pod_, "metadata"), "namespace")}};
  const Status written = ec ? Status(fail(Code::Internal, fmt::format("cannot create {}: {}", paths_.pod, ec.message())))
                            : writeFileAtomic(paths_.pod + "/pod.json", dumpJson(record), 0600);
  Result<VolumePlaces> places = fail(Code::Internal, "");
  if (written) {
    places = co_await prepareVolumes();
  }
  if (written && places) {
    const Status named = writeNames();
    if (!named) places = fail(named.error());
  }
  if (written && places) {
    state_.sandboxReady = true;
    state_.waitMessage.clear();
    co_return;
  }
  const std::string message = written ? places.error().message : written.error().message;
  event("Warning", written ? "FailedMount" : "FailedCreatePodSandBox", message);
  state_.waitMessage = message;
  const Duration wait = std::min<Duration>(plan_.backoff.configRetry * (1 << std::min(setUpTries_++, 10)), kSetUpRetryMax);
  state_.retryAt = after(node_->clock.now(), wait);
}

PodFacts PodWorker::facts() const {
  return {state_.ip, state_.hostIp, node_->options.nodeName, node_->options.cpuMillis, node_->options.memoryBytes};
}

void PodWorker::event(const std::string& type, const std::string& reason, const std::string& message,
                      const std::string& container, bool init) {
  const std::string field =
      container.empty() ? "" : fmt::format("spec.{}{{{}}}", init ? "initContainers" : "containers", container);
  node_->events.record(pod_, {.type = type, .reason = reason, .message = message, .fieldPath = field});
}

}  // namespace slipway::node
