#include "controllers/serving/model_state.h"

#include "objects/serving/keys.h"

namespace slipway::isvc {

namespace {

bool isGoing(const Json& pod) { return at(pod, "metadata", "deletionTimestamp").is_string(); }

bool isPodReady(const Json& pod) {
  const Json& conditions = at(pod, "status", "conditions");
  if (!conditions.is_array()) return false;
  return std::any_of(conditions.begin(), conditions.end(), [](const Json& condition) {
    return textAt(condition, "type") == "Ready" && textAt(condition, "status") == "True";
  });
}

const Json& containerStatus(const Json& pod, const char* list, std::string_view name) {
  static const Json kNone;
  const Json& all = at(pod, "status", list);
  if (!all.is_array()) return kNone;
  for (const Json& status : all) {
    if (textAt(status, "name") == name) return status;
  }
  return kNone;
}

ModelFailure failureOf(const Json& terminated, std::string_view container) {
  ModelFailure failure;
  failure.exitCode = intAt(terminated, "exitCode");
  failure.message = textAt(terminated, "message");
  if (failure.message.empty()) {
    std::string reason = textAt(terminated, "reason");
    failure.message = fmt::format("container {} ended with exit code {}{}", container, failure.exitCode,
                                  reason.empty() || reason == "Error" ? "" : " (" + reason + ")");
  }
  return failure;
}

// The failure that a container's status tells of now, if any.
std::optional<ModelFailure> failed(const Json& status, std::string_view container) {
  const Json& terminated = at(status, "state", "terminated");
  if (terminated.is_object() && intAt(terminated, "exitCode") != 0) return failureOf(terminated, container);
  std::string waiting = textAt(at(status, "state", "waiting"), "reason");
  if (waiting == "CrashLoopBackOff") return failureOf(at(status, "lastState", "terminated"), container);
  // An image that cannot be had never gets as far as a termination.
  if (waiting == "ErrImagePull" || waiting == "ImagePullBackOff" || waiting == "InvalidImageName" ||
      waiting == "CreateContainerError" || waiting == "CreateContainerConfigError") {
    return ModelFailure{
        fmt::format("container {}: {}: {}", container, waiting, textAt(at(status, "state", "waiting"), "message")), 0};
  }
  return std::nullopt;
}

std::optional<ModelFailure> podFailure(const Json& pod) {
  if (auto failure = failed(containerStatus(pod, "initContainerStatuses", kInitializerContainer), kInitializerContainer))
    return failure;
  return failed(containerStatus(pod, "containerStatuses", kServingContainer), kServingContainer);
}

bool newer(const Json& a, const Json& b) {
  std::string ca = textAt(at(a, "metadata"), "creationTimestamp"), cb = textAt(at(b, "metadata"), "creationTimestamp");
  if (ca != cb) return ca > cb;
  return textAt(at(a, "metadata"), "name") < textAt(at(b, "metadata"), "name");
}

void judge(const Json& pod, bool ready, ModelState& out) {
  const Json& fetch = containerStatus(pod, "initContainerStatuses", kInitializerContainer);
  if (at(fetch, "state", "running").is_object()) {
    if (!at(fetch, "lastState", "terminated").is_object()) out.state = "Loading";
    return;
  }
  // A server that ended and was started again: its last word stands until it is ready or has ended once more.
  const Json& server = containerStatus(pod, "containerStatuses", kServingContainer);
  if (!ready && at(server, "state", "running").is_object() && intAt(at(server, "lastState", "terminated"), "exitCode") != 0)
    return;
  // A service stays Ready on its older pods while the newest one fails to load: the target model has failed all the same.
  if (!isPodReady(pod)) out.failure = podFailure(pod);
  out.state = out.failure ? "FailedToLoad" : ready ? "Loaded" : "Pending";
}

const Json* newestOf(const std::vector<Json>& pods) {
  const Json* newest = nullptr;
  for (const Json& pod : pods) {
    if (!isGoing(pod) && (!newest || newer(pod, *newest))) newest = &pod;
  }
  return newest;
}

}  // namespace

std::string whatPodWaitsFor(const std::vector<Json>& pods) {
  const Json* pod = newestOf(pods);
  if (!pod || !at(*pod, "status", "conditions").is_array()) return "";
  for (const Json& condition : at(*pod, "status", "conditions")) {
    const std::string message = textAt(condition, "message");
    if (textAt(condition, "type") == "PodScheduled" && textAt(condition, "status") == "False" && !message.empty())
      return fmt::format("pod {}: {}", textAt(at(*pod, "metadata"), "name"), message);
  }
  return "";
}

ModelState modelState(const std::vector<Json>& pods, bool ready) {
  ModelState out;
  for (const Json& pod : pods) {
    if (isGoing(pod)) continue;
    out.readyCopies += isPodReady(pod);
    out.failedCopies += podFailure(pod).has_value();
  }
  const Json* newest = newestOf(pods);
  if (!newest) {
    out.state = "Pending";
    return out;
  }
  judge(*newest, ready, out);
  return out;
}

}  // namespace slipway::isvc
