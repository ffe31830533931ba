#include "apiserver/role_aggregation.h"

#include "apiserver/rbac.h"
#include "base/log.h"

namespace slipway::apiserver {
namespace {

constexpr const char* kRoles = "clusterroles.rbac.authorization.k8s.io";
constexpr std::chrono::seconds kRetry{1};

}  // namespace

RoleAggregation::RoleAggregation(Registry& registry, Executor executor) : registry_(registry), work_(executor) {
  registry.hub().observe([this](const Store::Batch& batch) {
    const bool changed = std::any_of(batch.begin(), batch.end(), [](const auto& item) { return item.first == kRoles; });
    if (changed) enqueueAll();
  });
  enqueueAll();
}

// Any role may be selected by any other; there are few of them.
void RoleAggregation::enqueueAll() {
  for (const EntryPtr& entry : registry_.store().list(kRoles).entries) {
    if (entry->text.find("\"clusterRoleSelectors\"") != std::string::npos) work_.add(entry->name);
  }
}

Task<void> RoleAggregation::run() {
  for (;;) {
    std::string name = co_await work_.take();
    co_await process(std::move(name));
  }
}

Task<void> RoleAggregation::process(std::string name) {
  const EntryPtr entry = registry_.store().get(kRoles, "", name);
  if (!entry || entry->deleting) co_return;
  Json role = entry->json();
  std::vector<Json> others;
  for (const EntryPtr& other : registry_.store().list(kRoles).entries) others.push_back(other->json());
  Json rules = rbac::aggregatedRules(role, others);
  if (rules == at(role, "rules") || (rules.empty() && at(role, "rules").empty())) co_return;
  WriteContext context;
  context.resource = registry_.resource(rbac::kGroup, "v1", "clusterroles");
  context.name = name;
  context.fieldManager = "clusterrole-aggregation-controller";
  context.validation = FieldValidation::Ignore;
  role["rules"] = std::move(rules);
  auto written = co_await registry_.update(std::move(context), std::move(role));
  if (written || written.error().code == Code::NotFound) co_return;
  if (written.error().code == Code::Conflict) {
    work_.add(std::move(name));
    co_return;
  }
  logWarn("aggregated rules of clusterrole {}: {}; trying again", name, written.error().message);
  work_.addAfter(std::move(name), kRetry);
}

}  // namespace slipway::apiserver
