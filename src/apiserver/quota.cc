#include "apiserver/quota.h"

#include "apiserver/api_status.h"
#include "base/log.h"
#include "objects/quota/usage.h"

namespace slipway::apiserver {
namespace {

using quota::Usage;

// The request has no name when the server makes one up.
std::string nameOf(const Json& object) { return textAt(at(object, "metadata"), "name"); }

bool isPod(const Resource& r) { return r.group.empty() && r.plural == "pods"; }

// What the namespace holds already of the object's own kind, as this quota counts it.
Usage usedOf(const AdmissionRequest& request, const Json& quotaObject) {
  Usage used;
  for (const Json& o : request.list(request.resource.apiVersion(), request.resource.kind, request.ns)) {
    if (quota::counts(quotaObject, request.resource, o))
      used = quota::add(std::move(used), quota::usageOf(request.resource, o));
  }
  return used;
}

std::string listed(const std::vector<std::string>& names, const Usage& amounts) {
  std::string out;
  for (const std::string& name : names) {
    auto it = amounts.find(name);
    out += (out.empty() ? "" : ",") + name + "=" + (it == amounts.end() ? "0" : it->second.canonical());
  }
  return out;
}

Status checkQuota(const AdmissionRequest& request, const Json& quotaObject, const Json& object) {
  if (!quota::counts(quotaObject, request.resource, object)) return {};
  const Usage hard = quota::amounts(at(quotaObject, "spec", "hard"));
  const std::string name = textAt(at(quotaObject, "metadata"), "name");
  if (isPod(request.resource) && request.operation == Operation::Create) {
    const std::string missing = quota::unspecified(hard, object);
    if (!missing.empty())
      return forbidden(request.resource, nameOf(object), fmt::format("failed quota: {}: must specify {}", name, missing));
  }
  Usage more = quota::boundedBy(quota::usageOf(request.resource, object), hard);
  if (more.empty()) return {};
  if (request.old != nullptr)
    more = quota::subtract(more, quota::boundedBy(quota::usageOf(request.resource, *request.old), hard));
  const Usage used = quota::boundedBy(usedOf(request, quotaObject), hard);
  const std::vector<std::string> over = quota::overLimit(hard, used, more);
  if (over.empty()) return {};
  return forbidden(request.resource, nameOf(object),
                   fmt::format("exceeded quota: {}, requested: {}, used: {}, limited: {}", name, listed(over, more),
                               listed(over, used), listed(over, hard)));
}

Status checkLimits(const AdmissionRequest& request, const Json& object) {
  if (!request.resource.group.empty() || (!isPod(request.resource) && request.resource.plural != "persistentvolumeclaims"))
    return {};
  if (isPod(request.resource) && request.operation != Operation::Create) return {};
  for (const Json& range : request.list("v1", "LimitRange", request.ns)) {
    const std::vector<std::string> problems = quota::outsideLimits(range, request.resource, object);
    if (problems.empty()) continue;
    std::string text;
    for (const std::string& p : problems) text += (text.empty() ? "" : ", ") + p;
    return forbidden(request.resource, nameOf(object), problems.size() == 1 ? text : "[" + text + "]");
  }
  return {};
}

Status checkAll(const AdmissionRequest& request, const Json& object) {
  if (!request.resource.namespaced || request.operation == Operation::Delete || !request.subresource.empty()) return {};
  SLIP_CHECK(checkLimits(request, object));
  for (const Json& q : request.list("v1", "ResourceQuota", request.ns)) SLIP_CHECK(checkQuota(request, q, object));
  return {};
}

Status fillPod(const AdmissionRequest& request, Json& pod) {
  if (request.operation != Operation::Create || !request.subresource.empty()) return {};
  for (const Json& range : request.list("v1", "LimitRange", request.ns)) quota::applyLimitDefaults(range, pod);
  return {};
}

// ServiceAccounts, leases and events come and go by the thousand and rarely have a quota.
bool concerns(const std::string& resource) { return resource != "events" && resource != "leases.coordination.k8s.io"; }

}  // namespace

std::vector<Admission> quotaAdmissions() {
  Admission pods{.group = "", .kind = "Pod"};
  pods.mutate = fillPod;
  Admission all{.group = "*", .kind = "*"};
  all.validate = checkAll;
  return {std::move(pods), std::move(all)};
}

QuotaKeeper::QuotaKeeper(Registry& registry, Executor executor) : registry_(registry), work_(executor) {
  registry.hub().observe([this](const Store::Batch& batch) { onBatch(batch); });
  for (const EntryPtr& entry : registry.store().list("resourcequotas").entries) work_.add(entry->ns);
}

void QuotaKeeper::onBatch(const Store::Batch& batch) {
  if (registry_.store().count("resourcequotas") == 0) return;
  for (const auto& [resource, change] : batch) {
    if (change.after->ns.empty() || !concerns(resource)) continue;
    if (!registry_.store().list("resourcequotas", change.after->ns).entries.empty()) work_.add(change.after->ns);
  }
}

Task<void> QuotaKeeper::run() {
  for (;;) {
    std::string ns = co_await work_.take();
    const Snapshot quotas = registry_.store().list("resourcequotas", ns);
    for (const EntryPtr& entry : quotas.entries) co_await refresh(entry);
  }
}

Json QuotaKeeper::statusOf(const Json& object) const {
  const Usage hard = quota::amounts(at(object, "spec", "hard"));
  Usage used;
  for (const auto& [name, limit] : hard) used[name] = Quantity(0, Quantity::Format::DecimalSI);
  std::set<std::string> seen;
  for (const Resource& r : registry_.catalog().resources()) {
    const bool stored = r.namespaced && r.storedAs.empty() && seen.insert(r.qualified()).second;
    // A kind that no bounded name could be about need not be read.
    const bool core = r.group.empty();
    if (!stored || (!core && !hard.contains("count/" + r.qualified()))) continue;
    for (const EntryPtr& entry :
         registry_.store().list(r.qualified(), textAt(at(object, "metadata"), "namespace")).entries) {
      const Json one = entry->json();
      if (quota::counts(object, r, one)) used = quota::add(std::move(used), quota::boundedBy(quota::usageOf(r, one), hard));
    }
  }
  return Json{{"hard", at(object, "spec", "hard")}, {"used", quota::toJson(used)}};
}

Task<void> QuotaKeeper::refresh(EntryPtr entry) {
  Json object = entry->json();
  Json status = statusOf(object);
  if (at(object, "status") == status || entry->deleting) co_return;
  object["status"] = std::move(status);
  WriteContext c;
  c.resource = registry_.resource("", "v1", "resourcequotas");
  c.ns = entry->ns;
  c.name = entry->name;
  c.subresource = "status";
  c.fieldManager = "slipway-quota";
  c.validation = FieldValidation::Ignore;
  auto written = co_await registry_.update(std::move(c), std::move(object));
  if (!written && written.error().code != Code::NotFound && written.error().code != Code::Conflict)
    logWarn("quota {}/{}: {}", entry->ns, entry->name, written.error().message);
}

}  // namespace slipway::apiserver
