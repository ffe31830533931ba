// RbacIndex: the committed roles and bindings, parsed once and found by whom they name: a request is authorised without
// parsing anything and without looking at bindings of others. Kept up to date change by change, before a write is
// acknowledged.
//
// Lives on the hub's executor.
//
//   RbacIndex index(hub);      auto decision = rbac::authorize(index.source(), user, what);
#pragma once
#include <map>
#include <set>
#include <string>

#include "apiserver/rbac.h"
#include "apiserver/watch_hub.h"

namespace slipway::apiserver {

class RbacIndex {
 public:
  // Reads what the hub's store holds and observes the hub from then on. `hub` must outlive it.
  explicit RbacIndex(WatchHub& hub);
  // Valid while the index lives. What it returns stays as it was, whatever changes.
  const rbac::Source& source() const { return source_; }

 private:
  struct State;
  std::shared_ptr<State> state_;
  rbac::Source source_;
};

}  // namespace slipway::apiserver
