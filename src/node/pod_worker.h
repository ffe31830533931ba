// PodWorker: runs one pod from its first appearance to the removal of its last file. It asks pod_state.h what to do, does it
// through the Runtime, and reports through the API. One coroutine; everything on the control loop.
#pragma once
#include <memory>

#include "base/scope.h"
#include "kube/client.h"
#include "kube/event_recorder.h"
#include "kube/informer.h"
#include "kube/signal.h"
#include "node/address_book.h"
#include "node/image_programs.h"
#include "node/node_options.h"
#include "node/pod_state.h"
#include "node/probe.h"
#include "node/runtime.h"
#include "node/service_names.h"
#include "node/volumes.h"

namespace slipway::node {

// What all workers of a node share. Outlives them.
struct NodeContext {
  kube::Client& client;
  kube::Cache& cache;
  Clock& clock;
  Runtime& runtime;
  TaskScope& scope;
  kube::EventRecorder& events;
  AddressBook& addresses;
  NodeOptions options;
  ImagePrograms images = ImagePrograms::defaults();
  bool hasPodman = false;
  PlatformUser user = PlatformUser::current();
  ServiceNames names;
  std::set<std::string> notesSaid;  // shortcomings of this machine that were logged already
};

// Where a pod's files live.
struct PodPaths {
  std::string pod;   // DIR/pods/<uid>
  std::string logs;  // DIR/logs/<namespace>_<name>_<uid>
  std::string runFolder(const std::string& container, int instance) const;
  std::string logFile(const std::string& container, int instance) const;
};
PodPaths pathsOf(const NodeOptions& options, const Json& pod);

class PodWorker : public std::enable_shared_from_this<PodWorker> {
 public:
  PodWorker(std::shared_ptr<NodeContext> node, Json pod);
  void start();
  void update(const Json& pod);   // a newer version of the same pod
  void gone();                    // the object no longer exists: end at once
  void shutDown(Duration grace);  // the platform stops: end, but keep the pod and its files
  void end(PodFailure failure);   // the node's own decision: the pod stays, as Failed
  void namesChanged();            // of services: its hosts file is written anew
  void referenceChanged(const Kind& kind, const std::string& name);  // a ConfigMap, Secret or claim of its namespace

  bool finished() const { return finished_; }
  const Json& pod() const { return pod_; }
  const PodState& state() const { return state_; }
  const PodPlan& plan() const { return plan_; }
  kube::Signal& changed() { return changed_; }  // notified at every change of a container, and when finished

 private:
  // One run of one container: how background tasks recognise that theirs is over.
  struct RunRef {
    bool init;
    std::size_t index;
    std::string id;
  };
  using Self = std::shared_ptr<PodWorker>;
  static Task<void> run(Self self);
  Task<void> perform(Action action);
  Task<void> publish();
  Task<void> finish();
  Task<void> endPulls();
  void wake();

  Task<void> setUp();
  Task<Result<VolumePlaces>> prepareVolumes();
  Task<Status> fetchTokens();
  Status writeNames();
  void noteImages();
  Task<References> fetchReferences();
  Task<Json> fetch(Kind kind, std::string name);
  Task<void> startContainer(bool init, std::size_t index);
  Task<Result<Launch>> prepareLaunch(bool init, std::size_t index);
  Status addMounts(Launch& launch, const Json& spec, const ContainerProgram& program);
  static Task<void> pullImage(Self self, bool init, std::size_t index);
  Task<Result<Launch>> preparePull(bool init, std::size_t index);
  void addEnvironment(Launch& launch, const Environment& own) const;
  void refuseStart(ContainerState& c, const ContainerPlan& plan, const Error& error, bool image);
  void noteStarted(bool init, std::size_t index, const Started& started);
  void watchRun(RunRef ref);
  static Task<void> awaitExit(Self self, RunRef ref);
  void onExit(const RunRef& ref, ContainerExit exit);
  void startProbes(const RunRef& ref);
  static Task<void> probeLoop(Self self, RunRef ref, ProbeKind kind);
  void onProbe(const RunRef& ref, ProbeKind kind, const ProbeSpec& spec, ProbeVerdict verdict);
  static Task<void> runHook(Self self, RunRef ref, bool preStop, Duration limit);
  void hookDone(const RunRef& ref, bool preStop, bool success);
  void stopContainer(bool init, std::size_t index, Duration grace);
  void recover();
  void recoverContainer(bool init, std::size_t index);
  void removeOldRuns(const std::string& container, int newest);

  ContainerState& stateOf(bool init, std::size_t index) { return init ? state_.init[index] : state_.main[index]; }
  const ContainerPlan& planOf(bool init, std::size_t index) const { return init ? plan_.init[index] : plan_.main[index]; }
  const Json& specOf(bool init, std::size_t index) const;
  ContainerState* current(const RunRef& ref);  // null when that run is over
  void event(const std::string& type, const std::string& reason, const std::string& message,
             const std::string& container = "", bool init = false);
  PodFacts facts() const;
  std::string uid() const { return textAt(at(pod_, "metadata"), "uid"); }

  std::shared_ptr<NodeContext> node_;
  Json pod_;
  PodPlan plan_;
  PodState state_;
  PodPaths paths_;
  kube::Signal wake_, changed_;
  std::uint64_t wakes_ = 0;  // counts wake(): one that comes while run() is busy must not be lost
  Json published_;           // the last status that the API took
  TimePoint publishAt_{};    // after a failed write: not before
  bool publishFailed_ = false;
  bool gone_ = false;
  bool keepFiles_ = false;  // ending because the platform stops
  bool refresh_ = false;    // a mounted ConfigMap or Secret changed
  bool finished_ = false;
  int setUpTries_ = 0;
  std::map<std::string, std::string> tokens_;  // as VolumeInput::tokens
  TimePoint tokensUntil_{};                    // then they are renewed; none: never
  struct Pull {
    int forInstance = -1;   // the start that its image is there for
    std::string imageUser;  // as the image names it
    std::string id;         // of the pull that runs now
  };
  std::map<std::pair<bool, std::size_t>, Pull> pulls_;  // by container, of images that run with podman
};

}  // namespace slipway::node
