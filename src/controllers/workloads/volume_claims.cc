#include "controllers/workloads/volume_claims.h"

#include "data/quantity.h"
#include "kube/status_update.h"

namespace slipway::workloads {
namespace {

namespace fs = std::filesystem;

std::string nameOf(const Json& object) { return textAt(at(object, "metadata"), "name"); }
std::string uidOf(const Json& object) { return textAt(at(object, "metadata"), "uid"); }
bool leaving(const Json& object) { return at(object, "metadata", "deletionTimestamp").is_string(); }

// The class that a claim asks for; an absent one is the default.
std::string classOf(const Json& claim) { return textAt(at(claim, "spec"), "storageClassName", kLocalPathClass); }

Json claimRefOf(const Json& claim) {
  return {{"apiVersion", "v1"},
          {"kind", "PersistentVolumeClaim"},
          {"name", nameOf(claim)},
          {"namespace", textAt(at(claim, "metadata"), "namespace")},
          {"uid", uidOf(claim)}};
}

// Whether a volume is promised to this claim; a reference without uid was written by a user and means any claim of that
// name.
bool promisedTo(const Json& volume, const Json& claim) {
  const Json& ref = at(volume, "spec", "claimRef");
  const std::string uid = textAt(ref, "uid");
  return textAt(ref, "name") == nameOf(claim) && textAt(ref, "namespace") == textAt(at(claim, "metadata"), "namespace") &&
         (uid.empty() || uid == uidOf(claim));
}

std::optional<Quantity> storageOf(const Json& list) {
  auto q = quantityOf(at(list, "storage"));
  return q ? std::optional<Quantity>(*q) : std::nullopt;
}

bool contains(const Json& list, const Json& value) { return std::find(list.begin(), list.end(), value) != list.end(); }

std::string makeFolder(const fs::path& path) {
  std::error_code ec;
  fs::create_directories(path, ec);
  if (ec) return fmt::format("cannot create {}: {}", path.string(), ec.message());
  fs::permissions(path, fs::perms::all, ec);  // as hostPath provisioners do: the pod's user is not known here
  return "";
}

}  // namespace

bool volumeFits(const Json& volume, const Json& claim) {
  const Json& spec = at(volume, "spec");
  const Json& wanted = at(claim, "spec");
  if (leaving(volume)) return false;
  if (!at(spec, "claimRef").is_null()) return promisedTo(volume, claim);
  const std::string phase = textAt(at(volume, "status"), "phase");
  if (phase == "Released" || phase == "Failed") return false;
  if (textAt(spec, "storageClassName") != classOf(claim)) return false;
  if (textAt(spec, "volumeMode", "Filesystem") != textAt(wanted, "volumeMode", "Filesystem")) return false;
  const auto have = storageOf(at(spec, "capacity"));
  const auto need = storageOf(at(wanted, "resources", "requests"));
  if (need && (!have || *have < *need)) return false;
  for (const auto& mode : at(wanted, "accessModes")) {
    if (!contains(at(spec, "accessModes"), mode)) return false;
  }
  if (at(wanted, "selector").is_null()) return true;
  return selects(at(wanted, "selector"), volume);
}

Object chooseVolume(const std::vector<Object>& volumes, const Json& claim) {
  Object best;
  for (const auto& volume : volumes) {
    if (!volumeFits(*volume, claim)) continue;
    if (!at(*volume, "spec", "claimRef").is_null()) return volume;
    const auto size = storageOf(at(*volume, "spec", "capacity"));
    const auto least = best ? storageOf(at(*best, "spec", "capacity")) : std::nullopt;
    if (!best || (size && least && *size < *least)) best = volume;
  }
  return best;
}

Json provisionedVolume(const Json& claim, const std::string& folder) {
  const Json& wanted = at(claim, "spec");
  Json capacity = at(wanted, "resources", "requests");
  if (!capacity.is_object() || !capacity.contains("storage")) capacity = {{"storage", "1Gi"}};
  Json modes = at(wanted, "accessModes");
  if (modes.empty()) modes = {"ReadWriteOnce"};
  return {
      {"apiVersion", "v1"},
      {"kind", "PersistentVolume"},
      {"metadata", {{"name", "pvc-" + uidOf(claim)}, {"annotations", {{"pv.kubernetes.io/provisioned-by", kProvisioner}}}}},
      {"spec",
       {{"capacity", {{"storage", capacity["storage"]}}},
        {"accessModes", modes},
        {"claimRef", claimRefOf(claim)},
        {"hostPath", {{"path", folder}, {"type", "DirectoryOrCreate"}}},
        {"persistentVolumeReclaimPolicy", "Delete"},
        {"storageClassName", classOf(claim)},
        {"volumeMode", textAt(wanted, "volumeMode", "Filesystem")}}}};
}

Json boundClaimStatus(const Json& volume, const Json& claim) {
  Json status = at(claim, "status").is_object() ? at(claim, "status") : Json::object();
  status["phase"] = "Bound";
  status["accessModes"] = at(volume, "spec", "accessModes");
  status["capacity"] = at(volume, "spec", "capacity");
  return status;
}

ClaimReconciler::ClaimReconciler(kube::Client& client, kube::Cache& cache, kube::EventRecorder& events, BlockingPool& pool,
                                 fs::path volumes)
    : client_(client),
      claims_(cache.of(kinds::kPersistentVolumeClaim)),
      volumes_(cache.of(kinds::kPersistentVolume)),
      events_(events),
      pool_(pool),
      folder_(std::move(volumes)) {}

Task<Result<kube::Outcome>> ClaimReconciler::reconcile(kube::Key key) {
  const Object claim = claims_.get(key);
  if (!claim || leaving(*claim)) co_return kube::Outcome{};
  const std::string chosen = textAt(at(*claim, "spec"), "volumeName");
  const bool bound = textAt(at(*claim, "status"), "phase") == "Bound" && !chosen.empty();
  Object volume = chosen.empty() ? chooseVolume(volumes_.list(), *claim) : volumes_.get({"", chosen});
  if (bound) {
    if (volume && promisedTo(*volume, *claim)) co_return kube::Outcome{};
    Json status = at(*claim, "status");
    status["phase"] = "Lost";
    events_.warning(*claim, "ClaimLost",
                    volume ? "Bound claim has lost its PersistentVolume. Data on the volume is lost!"
                           : "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!");
    auto lost = co_await kube::updateStatus(client_, kinds::kPersistentVolumeClaim, *claim, std::move(status));
    if (!lost) co_return fail(lost.error());
    co_return kube::Outcome{};
  }
  if (!chosen.empty() && (!volume || (!at(*volume, "spec", "claimRef").is_null() && !promisedTo(*volume, *claim)))) {
    events_.warning(*claim, "FailedBinding",
                    volume ? fmt::format("volume \"{}\" already bound to a different claim.", chosen)
                           : fmt::format("volume \"{}\" not found", chosen));
    co_return kube::Outcome{};  // a change of the volumes comes back here
  }
  Json target;
  if (volume) {
    target = *volume;
  } else if (classOf(*claim).empty()) {
    events_.record(*claim, {.reason = "FailedBinding",
                            .message = "no persistent volumes available for this claim and no storage class is set"});
    co_return kube::Outcome{};
  } else {
    auto made = co_await provision(*claim);
    if (!made) co_return fail(made.error());
    target = std::move(*made);
  }
  auto done = co_await bind(*claim, std::move(target));
  if (!done) co_return fail(done.error());
  co_return kube::Outcome{};
}

Task<Result<Json>> ClaimReconciler::provision(Json claim) {
  const kube::Key key = kube::keyOf(claim);
  const fs::path folder = folder_ / key.ns / key.name;
  auto problem = co_await offload(pool_, [folder] { return makeFolder(folder); });
  if (!problem.empty()) {
    events_.warning(claim, "ProvisioningFailed", problem);
    co_return fail(Code::Internal, problem);
  }
  const Json volume = provisionedVolume(claim, folder.string());
  auto created = co_await client_.create(kinds::kPersistentVolume, volume);
  if (!created && created.error().code == Code::AlreadyExists) {
    created = co_await client_.get(kinds::kPersistentVolume, {"", nameOf(volume)});
  } else if (created) {
    events_.record(claim,
                   {.reason = "ProvisioningSucceeded", .message = "Successfully provisioned volume " + nameOf(volume)});
  }
  co_return created;
}

// The volume first: a claim is Bound only when its volume says so too.
Task<Status> ClaimReconciler::bind(Json claim, Json volume) {
  if (textAt(at(volume, "spec", "claimRef"), "uid") != uidOf(claim)) {
    const Json patch{{"metadata",
                      {{"resourceVersion", textAt(at(volume, "metadata"), "resourceVersion")},
                       {"annotations", {{"pv.kubernetes.io/bound-by-controller", "yes"}}}}},
                     {"spec", {{"claimRef", claimRefOf(claim)}}}};
    auto written = co_await client_.patch(kinds::kPersistentVolume, {"", nameOf(volume)}, kube::PatchType::Merge, patch);
    if (!written) co_return fail(written.error());
  }
  if (textAt(at(claim, "spec"), "volumeName").empty()) {
    Json patch{
        {"metadata",
         {{"annotations", {{"pv.kubernetes.io/bind-completed", "yes"}, {"pv.kubernetes.io/bound-by-controller", "yes"}}}}},
        {"spec", {{"volumeName", nameOf(volume)}}}};
    if (!at(claim, "spec", "storageClassName").is_string()) patch["spec"]["storageClassName"] = kLocalPathClass;
    auto written =
        co_await client_.patch(kinds::kPersistentVolumeClaim, kube::keyOf(claim), kube::PatchType::Merge, std::move(patch));
    if (!written) co_return fail(written.error());
    claim = std::move(*written);
  }
  auto status = co_await kube::updateStatus(client_, kinds::kPersistentVolumeClaim, claim, boundClaimStatus(volume, claim));
  if (!status) co_return fail(status.error());
  co_return Status{};
}

VolumeReconciler::VolumeReconciler(kube::Client& client, kube::Cache& cache, kube::EventRecorder& events, BlockingPool& pool,
                                   fs::path volumes)
    : client_(client),
      claims_(cache.of(kinds::kPersistentVolumeClaim)),
      volumes_(cache.of(kinds::kPersistentVolume)),
      pods_(cache.of(kinds::kPod)),
      events_(events),
      pool_(pool),
      folder_(std::move(volumes)) {}

Task<Result<kube::Outcome>> VolumeReconciler::reconcile(kube::Key key) {
  const Object volume = volumes_.get(key);
  if (!volume || leaving(*volume)) co_return kube::Outcome{};
  const Json& ref = at(*volume, "spec", "claimRef");
  std::string phase = "Available";
  if (!ref.is_null()) {
    const Object claim = claims_.get({textAt(ref, "namespace"), textAt(ref, "name")});
    if (!claim || !promisedTo(*volume, *claim)) {
      if (textAt(ref, "uid").empty()) co_return kube::Outcome{};  // promised by a user to a claim that does not exist yet
      auto reclaimed = co_await reclaim(*volume);
      co_return reclaimed;
    }
    if (textAt(at(*claim, "spec"), "volumeName") == key.name) phase = "Bound";
  }
  auto written = co_await setPhase(*volume, std::move(phase));
  if (!written) co_return fail(written.error());
  co_return kube::Outcome{};
}

Task<Status> VolumeReconciler::setPhase(Json volume, std::string phase) {
  Json status = at(volume, "status").is_object() ? at(volume, "status") : Json::object();
  status["phase"] = phase;
  auto written = co_await kube::updateStatus(client_, kinds::kPersistentVolume, std::move(volume), std::move(status));
  if (!written && written.error().code != Code::NotFound) co_return fail(written.error());
  co_return Status{};
}

bool VolumeReconciler::inUse(const kube::Key& claim) const {
  for (const auto& pod : pods_.inNamespace(claim.ns)) {
    if (isTerminal(*pod)) continue;
    for (const auto& v : at(*pod, "spec", "volumes")) {
      if (textAt(at(v, "persistentVolumeClaim"), "claimName") == claim.name) return true;
    }
  }
  return false;
}

Task<Result<kube::Outcome>> VolumeReconciler::reclaim(Json volume) {
  const Json& ref = at(volume, "spec", "claimRef");
  if (inUse({textAt(ref, "namespace"), textAt(ref, "name")})) co_return kube::Outcome{};
  const bool ours = textAt(at(volume, "metadata", "annotations"), "pv.kubernetes.io/provisioned-by") == kProvisioner;
  if (!ours || textAt(at(volume, "spec"), "persistentVolumeReclaimPolicy", "Retain") != "Delete") {
    auto written = co_await setPhase(std::move(volume), "Released");
    if (!written) co_return fail(written.error());
    co_return kube::Outcome{};
  }
  const fs::path folder = textAt(at(volume, "spec", "hostPath"), "path");
  // Only what lies under our own folder is ever deleted, whatever the object says.
  const auto relative = folder.lexically_normal().lexically_relative(folder_.lexically_normal());
  if (relative.empty() || *relative.begin() == ".." || relative == ".") {
    events_.warning(volume, "VolumeFailedDelete",
                    fmt::format("{} is not under {}; delete it by hand", folder.string(), folder_.string()));
    co_return kube::Outcome{};
  }
  // A claim of the same name made since then has the same folder: its data is not ours to delete.
  const Object successor = claims_.get({textAt(ref, "namespace"), textAt(ref, "name")});
  if (!successor) {
    co_await offload(pool_, [folder] {
      std::error_code ec;
      fs::remove_all(folder, ec);
      return ec.value();
    });
  }
  auto gone = co_await client_.remove(kinds::kPersistentVolume, kube::keyOf(volume), {.uid = uidOf(volume)});
  if (!gone && gone.error().code != Code::NotFound) co_return fail(gone.error());
  co_return kube::Outcome{};
}

}  // namespace slipway::workloads
