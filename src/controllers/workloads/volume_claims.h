// PersistentVolumeClaims on one machine: binds a claim to a volume that fits, or makes one as a folder under the data
// directory, <volumes>/<namespace>/<claim>. Any storage class name is provisioned this way (there is one disk), only the
// empty name "" asks for existing volumes. A volume with reclaim policy Delete goes, folder included, when its claim has
// gone and no pod uses it any more.
#pragma once
#include <filesystem>

#include "base/offload.h"
#include "controllers/workloads/pods.h"
#include "kube/controller.h"
#include "kube/event_recorder.h"

namespace slipway::workloads {

inline constexpr const char* kLocalPathClass = "local-path";
inline constexpr const char* kProvisioner = "slipway.io/local-path";

// Whether an existing volume satisfies a claim: class, size, access modes, selector, volume mode, and not promised to
// another.
bool volumeFits(const Json& volume, const Json& claim);
// The smallest volume that fits, one already promised to this claim first; null when there is none.
Object chooseVolume(const std::vector<Object>& volumes, const Json& claim);
// The volume that is made for a claim.
Json provisionedVolume(const Json& claim, const std::string& folder);
// What binding sets on the claim's status.
Json boundClaimStatus(const Json& volume, const Json& claim);

class ClaimReconciler final : public kube::Reconciler {
 public:
  ClaimReconciler(kube::Client& client, kube::Cache& cache, kube::EventRecorder& events, BlockingPool& pool,
                  std::filesystem::path volumes);
  Task<Result<kube::Outcome>> reconcile(kube::Key key) override;

 private:
  Task<Result<Json>> provision(Json claim);
  Task<Status> bind(Json claim, Json volume);

  kube::Client& client_;
  kube::Informer& claims_;
  kube::Informer& volumes_;
  kube::EventRecorder& events_;
  BlockingPool& pool_;
  std::filesystem::path folder_;
};

// Volumes: phase Available, Bound or Released, and reclaiming.
class VolumeReconciler final : public kube::Reconciler {
 public:
  VolumeReconciler(kube::Client& client, kube::Cache& cache, kube::EventRecorder& events, BlockingPool& pool,
                   std::filesystem::path volumes);
  Task<Result<kube::Outcome>> reconcile(kube::Key key) override;

 private:
  Task<Status> setPhase(Json volume, std::string phase);
  Task<Result<kube::Outcome>> reclaim(Json volume);
  bool inUse(const kube::Key& claim) const;

  kube::Client& client_;
  kube::Informer& claims_;
  kube::Informer& volumes_;
  kube::Informer& pods_;
  kube::EventRecorder& events_;
  BlockingPool& pool_;
  std::filesystem::path folder_;
};

}  // namespace slipway::workloads
