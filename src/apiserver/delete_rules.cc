#include "apiserver/api_status.h"
#include "apiserver/kind_rules.h"
#include "apiserver/write_rules.h"

namespace slipway::apiserver {
namespace {

constexpr std::int64_t kDefaultGraceSeconds = 30;

void setFinalizer(Json& meta, const char* name, bool present) {
  Json kept = Json::array();
  for (const Json& f : at(meta, "finalizers")) {
    if (f != name) kept.push_back(f);
  }
  if (present) kept.push_back(name);
  if (kept.empty())
    meta.erase("finalizers");
  else
    meta["finalizers"] = kept;
}

}  // namespace

Status WriteRules::checkPreconditions(const EntryPtr& entry, const DeleteRequest& request) const {
  if (!request.uid.empty() && request.uid != entry->uid) {
    return conflict(
        asked_, context_.name,
        fmt::format("Precondition failed: UID in precondition: {}, UID in object meta: {}", request.uid, entry->uid));
  }
  if (!request.resourceVersion.empty() && request.resourceVersion != std::to_string(entry->revision)) {
    return conflict(
        asked_, context_.name,
        fmt::format("Precondition failed: ResourceVersion in precondition: {}, ResourceVersion in object meta: {}",
                    request.resourceVersion, entry->revision));
  }
  return {};
}

// Only pods have a grace period: one that never ran, or ended, needs none.
std::int64_t WriteRules::graceSeconds(const Json& object, const DeleteRequest& request) const {
  if (bucket_ != "pods") return 0;
  const std::string phase = textAt(at(object, "status"), "phase");
  if (textAt(at(object, "spec"), "nodeName").empty() || phase == "Succeeded" || phase == "Failed") return 0;
  if (request.gracePeriodSeconds) return std::max<std::int64_t>(0, *request.gracePeriodSeconds);
  return intAt(at(object, "spec"), "terminationGracePeriodSeconds", kDefaultGraceSeconds);
}

Written WriteRules::removeNow(Json object) {
  Written written = done(txn_.remove(bucket_, std::move(object)));
  written.removed = true;
  return written;
}

Result<Written> WriteRules::remove(const DeleteRequest& request) {
  SLIP_TRY(const EntryPtr entry, current());
  SLIP_CHECK(checkPreconditions(entry, request));
  Json object = entry->json();
  const AdmissionRequest admission = admissionRequest(Operation::Delete, &object);
  for (const Admission& a : registry_.admissions()) {
    if (a.validate && a.matches(resource_)) SLIP_CHECK(a.validate(admission, object));
  }
  if (bucket_ == "namespaces" &&
      (context_.name == "default" || context_.name == "kube-system" || context_.name == "kube-public")) {
    return forbidden(asked_, context_.name, "this namespace may not be deleted");
  }
  const Json before = object;
  Json& meta = object["metadata"];
  if (request.propagationPolicy == "Foreground") {
    setFinalizer(meta, "orphan", false);
    setFinalizer(meta, "foregroundDeletion", true);
  } else if (request.propagationPolicy == "Orphan") {
    setFinalizer(meta, "foregroundDeletion", false);
    setFinalizer(meta, "orphan", true);
  } else if (request.propagationPolicy == "Background") {
    setFinalizer(meta, "foregroundDeletion", false);
    setFinalizer(meta, "orphan", false);
  }
  std::int64_t grace = graceSeconds(object, request);
  const bool already = meta.contains("deletionTimestamp");
  if (already) grace = std::min(grace, intAt(meta, "deletionGracePeriodSeconds", 0));
  const bool pending =
      !at(meta, "finalizers").empty() || grace > 0 || (bucket_ == "namespaces" && !at(object, "spec", "finalizers").empty());
  if (!pending) return removeNow(std::move(object));
  if (!already || grace < intAt(meta, "deletionGracePeriodSeconds", 0)) {
    meta["deletionTimestamp"] = formatRfc3339(registry_.clock().wall() + std::chrono::seconds(grace));
    meta["deletionGracePeriodSeconds"] = grace;
    if (!already && hasGeneration(resource_)) meta["generation"] = intAt(meta, "generation", 0) + 1;
  }
  if (bucket_ == "namespaces") object["status"]["phase"] = "Terminating";
  if (sameObject(before, object)) return done(entry);
  return done(txn_.put(bucket_, std::move(object)));
}

}  // namespace slipway::apiserver
