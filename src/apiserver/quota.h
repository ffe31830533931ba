// ResourceQuota and LimitRange, enforced: the checks run inside the write's transaction and count what is stored, so two
// writes at once cannot both take the last place. QuotaKeeper keeps status.used of the quotas true; it lives on the control
// executor.
#pragma once
#include <string>
#include <vector>

#include "apiserver/admission.h"
#include "apiserver/registry.h"
#include "apiserver/work_set.h"
#include "base/scope.h"

namespace slipway::apiserver {

// LimitRange's defaults and bounds, then the quotas. Goes after all other admission: what counts is the final object.
std::vector<Admission> quotaAdmissions();

class QuotaKeeper {
 public:
  QuotaKeeper(Registry& registry, Executor executor);
  Task<void> run();
  bool idle() const { return work_.idle(); }

 private:
  void onBatch(const Store::Batch& batch);
  Task<void> refresh(EntryPtr quota);
  Json statusOf(const Json& quota) const;

  Registry& registry_;
  WorkSet<std::string> work_;  // namespaces
};

}  // namespace slipway::apiserver
