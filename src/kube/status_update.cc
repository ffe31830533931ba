#include "kube/status_update.h"

namespace slipway::kube {
namespace {
const Json kNone;
}  // namespace

Json mergeDiff(const Json& from, const Json& to) {
  Json patch = Json::object();
  if (!to.is_object()) return patch;
  for (const auto& [key, value] : to.items()) {
    const Json& old = at(from, key);
    if (old == value) continue;
    if (old.is_object() && value.is_object())
      patch[key] = mergeDiff(old, value);
    else
      patch[key] = value;
  }
  if (!from.is_object()) return patch;
  for (const auto& [key, value] : from.items()) {
    if (!to.contains(key)) patch[key] = nullptr;
  }
  return patch;
}

Task<Result<Json>> updateStatus(Client& client, Kind kind, Json live, Json status, std::string fieldManager) {
  const Json diff = mergeDiff(at(live, "status"), status);
  if (diff.empty()) co_return live;
  const Json patch{{"metadata", {{"resourceVersion", textAt(at(live, "metadata"), "resourceVersion")}}}, {"status", diff}};
  auto written = co_await client.patch(kind, keyOf(live), PatchType::Merge, patch,
                                       {.fieldManager = std::move(fieldManager), .subresource = "status"});
  co_return written;
}

void setCondition(Json& conditions, Json condition, const std::string& now) {
  if (!conditions.is_array()) conditions = Json::array();
  const std::string type = textAt(condition, "type");
  for (auto& old : conditions) {
    if (textAt(old, "type") != type) continue;
    const bool same = textAt(old, "status") == textAt(condition, "status");
    condition["lastTransitionTime"] = same ? textAt(old, "lastTransitionTime", now) : now;
    old = std::move(condition);
    return;
  }
  condition["lastTransitionTime"] = now;
  conditions.push_back(std::move(condition));
}

const Json& findCondition(const Json& conditions, std::string_view type) {
  if (!conditions.is_array()) return kNone;
  for (const auto& c : conditions) {
    if (textAt(c, "type") == type) return c;
  }
  return kNone;
}

}  // namespace slipway::kube
