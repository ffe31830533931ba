#include "apiserver/http/metrics_routes.h"

#include "apiserver/api_status.h"

namespace slipway::apiserver {
namespace {

constexpr const char* kGroupVersion = "metrics.k8s.io/v1beta1";

Json usageJson(std::int64_t cpuNanos, std::int64_t memoryBytes) {
  return {{"cpu", fmt::format("{}n", cpuNanos)}, {"memory", fmt::format("{}Ki", memoryBytes / 1024)}};
}

std::string windowText(Duration window) { return fmt::format("{:.3f}s", std::chrono::duration<double>(window).count()); }

}  // namespace

bool MetricsRoutes::serves(const RequestInfo& info) const {
  return streams_ != nullptr && info.isResource && info.group == "metrics.k8s.io" && info.version == "v1beta1" &&
         (info.resource == "pods" || info.resource == "nodes") && info.subresource.empty();
}

Result<net::Response> MetricsRoutes::handle(const Call& call) const {
  if (call.info.verb != "get" && call.info.verb != "list") return methodNotAllowed(call.request.method);
  const bool pods = call.info.resource == "pods";
  if (pods && call.info.verb == "get" && call.info.ns.empty()) return noSuchPath();
  SLIP_TRY(Json answer, call.info.verb == "get" ? one(call) : list(call));
  return jsonResponse(200, dumpJson(answer));
}

std::optional<Json> MetricsRoutes::metricsOf(const Json& object, bool pods) const {
  const Json& meta = at(object, "metadata");
  const auto usage = pods ? streams_->podUsage(object) : streams_->nodeUsage(textAt(meta, "name"));
  if (!usage) return std::nullopt;
  Json metrics{{"kind", pods ? "PodMetrics" : "NodeMetrics"},
               {"apiVersion", kGroupVersion},
               {"metadata", {{"name", textAt(meta, "name")}, {"creationTimestamp", formatRfc3339(usage->timestamp)}}},
               {"timestamp", formatRfc3339(usage->timestamp)},
               {"window", windowText(usage->window)}};
  if (pods) metrics["metadata"]["namespace"] = textAt(meta, "namespace");
  if (at(meta, "labels").is_object()) metrics["metadata"]["labels"] = at(meta, "labels");
  if (!pods) {
    metrics["usage"] = usageJson(usage->cpuNanos, usage->memoryBytes);
    return metrics;
  }
  metrics["containers"] = Json::array();
  for (const kube::ContainerUsage& c : usage->containers)
    metrics["containers"].push_back({{"name", c.name}, {"usage", usageJson(c.cpuNanos, c.memoryBytes)}});
  return metrics;
}

Result<Json> MetricsRoutes::one(const Call& call) const {
  const bool pods = call.info.resource == "pods";
  const Resource* resource = registry_.resource("", "v1", call.info.resource);
  Resource named = *resource;
  named.group = "metrics.k8s.io";
  const auto entry = registry_.get(*resource, call.info.ns, call.info.name);
  if (!entry) return fail(entry.error());
  auto metrics = metricsOf((*entry)->json(), pods);
  if (!metrics) return notFound(named, pods ? call.info.ns + "/" + call.info.name : call.info.name);
  return std::move(*metrics);
}

Result<Json> MetricsRoutes::list(const Call& call) const {
  const bool pods = call.info.resource == "pods";
  ListQuery query;
  query.ns = pods ? call.info.ns : "";
  query.labelSelector = call.request.queryValue("labelSelector").value_or("");
  query.fieldSelector = call.request.queryValue("fieldSelector").value_or("");
  SLIP_TRY(const ListPage page, registry_.list(*registry_.resource("", "v1", call.info.resource), query));
  Json items = Json::array();
  for (const EntryPtr& entry : page.entries) {
    if (auto metrics = metricsOf(entry->json(), pods)) items.push_back(std::move(*metrics));
  }
  return Json{{"kind", pods ? "PodMetricsList" : "NodeMetricsList"},
              {"apiVersion", kGroupVersion},
              {"metadata", Json::object()},
              {"items", std::move(items)}};
}

}  // namespace slipway::apiserver
