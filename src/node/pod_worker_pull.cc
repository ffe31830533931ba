// The part of PodWorker that makes images present, for containers that run with podman. A pull runs under a shim like a
// container, so that it can be watched, ended, and found again.
#include <filesystem>

#include "base/ids.h"
#include "node/log_reader.h"
#include "node/pod_status.h"
#include "node/pod_worker.h"
#include "node/podman.h"
#include "node/shim/launch_file.h"

namespace slipway::node {
namespace {
namespace fs = std::filesystem;

constexpr std::size_t kOutput = 4096;
constexpr std::size_t kLines = 20;

}  // namespace

Task<Result<Launch>> PodWorker::preparePull(bool init, std::size_t index) {
  const ContainerPlan& plan = planOf(init, index);
  std::vector<Json> secrets;
  for (const Json& ref : at(pod_, "spec", "imagePullSecrets")) {
    Json secret = co_await fetch(kinds::kSecret, textAt(ref, "name"));
    if (secret.is_null())
      event("Warning", "FailedToRetrieveImagePullSecret",
            fmt::format("Unable to retrieve some image pull secrets ({}); attempting to pull the image may not succeed.",
                        textAt(ref, "name")));
    else
      secrets.push_back(std::move(secret));
  }
  Launch l;
  l.id = randomHex(32);
  l.podUid = uid();
  l.container = plan.name;
  l.folder = fmt::format("{}/containers/{}/pull-{}", paths_.pod, plan.name, l.id.substr(0, 8));
  l.logPath = l.folder + "/log";
  std::error_code ec;
  fs::create_directories(l.folder, ec);
  if (ec) co_return fail(Code::Internal, fmt::format("cannot create {}: {}", l.folder, ec.message()));
  const std::string auth = authFileText(secrets);
  const std::string authFile = auth.empty() ? "" : l.folder + "/auth.json";
  if (!auth.empty()) SLIP_CO_CHECK(writeFileAtomic(authFile, auth, 0600));
  co_return pullLaunch(std::move(l), specOf(init, index), authFile);
}

Task<void> PodWorker::pullImage(Self self, bool init, std::size_t index) {
  PodWorker& w = *self;
  const ContainerPlan plan = w.planOf(init, index);
  const Json spec = w.specOf(init, index);
  const TimePoint began = w.node_->clock.now();
  Pull& pull = w.pulls_[{init, index}];
  Result<Launch> launch = co_await w.preparePull(init, index);
  std::string output;
  bool done = false;
  if (launch) {
    const std::string folder = launch->folder;
    const std::string log = launch->logPath;
    if (textAt(spec, "imagePullPolicy") == "Always")
      w.event("Normal", "Pulling", fmt::format("Pulling image \"{}\"", plan.image), plan.name, init);
    pull.id = launch->id;
    Result<Started> started = co_await w.node_->runtime.start(std::move(*launch));
    if (started) {
      const ContainerExit exit = co_await w.node_->runtime.wait(pull.id);
      output = lastLogText(log, kOutput, kLines);
      done = exit.exitCode == 0;
    } else {
      output = started.error().message;
    }
    std::error_code ec;
    fs::remove_all(folder, ec);
  } else {
    output = launch.error().message;
  }
  ContainerState& c = w.stateOf(init, index);
  const auto user = imageUserIn(output);
  pull.id.clear();
  if (done && user) {
    pull.forInstance = c.instance + 1;
    pull.imageUser = *user;
    c.retryAt = {};
    w.event("Normal", "Pulled",
            fmt::format("Successfully pulled image \"{}\" in {}", plan.image, durationText(w.node_->clock.now() - began)),
            plan.name, init);
  } else {
    w.refuseStart(c, plan, Error{Code::Unavailable, pullFailure(spec, output), "image"}, true);
  }
  w.wake();
}

}  // namespace slipway::node
