// updateStatus: writes an object's status when it differs, and only then.
//
//   auto written = co_await updateStatus(client, kinds::kDeployment, *live, std::move(status));
#pragma once
#include "kube/client.h"

namespace slipway::kube {

// Patches what differs from live.status, on condition that the object has not changed since `live` was read: error Conflict
// otherwise, which a controller retries quietly. Returns the object as it is afterwards.
Task<Result<Json>> updateStatus(Client& client, Kind kind, Json live, Json status, std::string fieldManager = "slipway");

// The RFC 7386 patch that turns `from` into `to`; an empty object when they are equal.
Json mergeDiff(const Json& from, const Json& to);

// Sets one entry of a Kubernetes condition list: keeps lastTransitionTime while `status` stays the same, replaces the entry
// in place, appends a new type. `condition` needs type and status; `now` is RFC 3339.
void setCondition(Json& conditions, Json condition, const std::string& now);
// The entry of that type, or a null Json.
const Json& findCondition(const Json& conditions, std::string_view type);

}  // namespace slipway::kube
