#include "objects/table/table.h"

#include <gtest/gtest.h>

#include "objects/table/cells.h"

namespace slipway {
namespace {

constexpr std::int64_t kNow = 1767225600;  // 2026-01-01T00:00:00Z

std::string row(const char* apiVersion, const char* kind, const char* object) {
  const Resource* r = Catalog::builtin()->findKind(apiVersion, kind);
  EXPECT_NE(r, nullptr);
  const TablePrinter printer(*r);
  const Json cells = printer.row(Json::parse(object), {kNow}).at("cells");
  EXPECT_EQ(cells.size(), printer.columns().size());
  std::string out;
  for (const Json& c : cells) out += (out.empty() ? "" : "|") + (c.is_string() ? c.get<std::string>() : dumpJson(c));
  return out;
}

std::string podStatus(const char* rest) {
  const std::string pod =
      std::string(
          R"({"metadata":{"name":"p","creationTimestamp":"2025-12-31T23:55:00Z"},"spec":{"containers":[{"name":"a"},{"name":"b"}],"initContainers":[{"name":"i"}]},)") +
      rest + "}";
  const std::string cells = row("v1", "Pod", pod.c_str());
  const auto begin = cells.find('|') + 1;
  return cells.substr(begin, cells.find("|5m") - begin);
}

TEST(Table, ShowsAgesAsKubectlDoes) {
  const std::pair<std::int64_t, const char*> cases[] = {
      {0, "0s"},         {119, "119s"},         {120, "2m"},           {125, "2m5s"},
      {600, "10m"},      {10740, "179m"},       {10800, "3h"},         {11000, "3h3m"},
      {8 * 3600, "8h"},  {47 * 3600, "47h"},    {48 * 3600, "2d"},     {76 * 3600, "3d4h"},
      {8 * 86400, "8d"}, {729 * 86400, "729d"}, {731 * 86400, "2y1d"}, {3000LL * 86400, "8y"},
      {-1, "0s"},        {-5, "<invalid>"}};
  for (const auto& [seconds, text] : cases) EXPECT_EQ(table::humanDuration(seconds), text) << seconds;
  EXPECT_EQ(table::age(nullptr, kNow), "<unknown>");
  EXPECT_EQ(table::age("2026-01-01T01:00:00.123456+01:30", kNow), "30m");
}

TEST(Table, SaysWhatAPodDoes) {
  EXPECT_EQ(podStatus(R"("status":{"phase":"Pending"})"), "0/2|Pending|0");
  EXPECT_EQ(podStatus(R"("status":{"phase":"Pending","initContainerStatuses":[{"name":"i","state":{"running":{}}}]})"),
            "0/2|Init:0/1|0");
  EXPECT_EQ(
      podStatus(
          R"("status":{"phase":"Pending","initContainerStatuses":[{"name":"i","restartCount":2,"state":{"waiting":{"reason":"CrashLoopBackOff"}}}]})"),
      "0/2|Init:CrashLoopBackOff|2");
  EXPECT_EQ(
      podStatus(
          R"("status":{"phase":"Pending","initContainerStatuses":[{"name":"i","state":{"terminated":{"exitCode":1}}}]})"),
      "0/2|Init:ExitCode:1|0");
  EXPECT_EQ(
      podStatus(
          R"("status":{"phase":"Running","conditions":[{"type":"Initialized","status":"True"}],"initContainerStatuses":[{"name":"i","state":{"terminated":{"exitCode":0}}}],
    "containerStatuses":[{"name":"a","ready":true,"restartCount":3,"state":{"running":{}},"lastState":{"terminated":{"finishedAt":"2025-12-31T23:59:00Z"}}},{"name":"b","ready":true,"restartCount":0,"state":{"running":{}}}]})"),
      "2/2|Running|3 (60s ago)");
  EXPECT_EQ(
      podStatus(
          R"("status":{"phase":"Running","containerStatuses":[{"name":"a","state":{"waiting":{"reason":"CrashLoopBackOff"}}},{"name":"b","ready":true,"state":{"running":{}}}]})"),
      "1/2|CrashLoopBackOff|0");
  EXPECT_EQ(
      podStatus(
          R"("status":{"phase":"Failed","containerStatuses":[{"name":"a","state":{"terminated":{"reason":"OOMKilled","exitCode":137}}}]})"),
      "0/2|OOMKilled|0");
  EXPECT_EQ(
      podStatus(
          R"("status":{"phase":"Succeeded","containerStatuses":[{"name":"a","state":{"terminated":{"reason":"Completed","exitCode":0}}}]})"),
      "0/2|Completed|0");
  const std::string gone = row(
      "v1", "Pod",
      R"({"metadata":{"name":"p","creationTimestamp":"2025-12-31T23:55:00Z","deletionTimestamp":"2026-01-01T00:00:00Z"},"spec":{"containers":[{"name":"a"}]},"status":{"phase":"Running","podIP":"127.1.0.1"}})");
  EXPECT_EQ(gone, "p|0/1|Terminating|0|5m|127.1.0.1|<none>|<none>|<none>");
}

TEST(Table, ShowsWorkloadsAndServices) {
  EXPECT_EQ(
      row("apps/v1", "Deployment",
          R"({"metadata":{"name":"web","creationTimestamp":"2025-12-31T23:59:50Z"},"spec":{"replicas":3,"selector":{"matchLabels":{"app":"web"}},
    "template":{"spec":{"containers":[{"name":"c","image":"nginx:1.26"}]}}},"status":{"readyReplicas":3,"updatedReplicas":3,"availableReplicas":3}})"),
      "web|3/3|3|3|10s|c|nginx:1.26|app=web");
  EXPECT_EQ(
      row("v1", "Service",
          R"({"metadata":{"name":"web"},"spec":{"type":"NodePort","clusterIP":"10.0.0.1","ports":[{"port":80,"nodePort":30080,"protocol":"TCP"},{"port":53,"protocol":"UDP"}],"selector":{"app":"web"}}})"),
      "web|NodePort|10.0.0.1|<none>|80:30080/TCP,53/UDP|<unknown>|app=web");
  EXPECT_EQ(
      row("v1", "Endpoints",
          R"({"metadata":{"name":"e"},"subsets":[{"addresses":[{"ip":"1.1.1.1"},{"ip":"2.2.2.2"}],"ports":[{"port":80},{"port":81}]}]})"),
      "e|1.1.1.1:80,1.1.1.1:81,2.2.2.2:80 + 1 more...|<unknown>");
  EXPECT_EQ(
      row("autoscaling/v2", "HorizontalPodAutoscaler",
          R"({"metadata":{"name":"web"},"spec":{"scaleTargetRef":{"kind":"Deployment","name":"web"},"minReplicas":1,"maxReplicas":3,
    "metrics":[{"type":"Resource","resource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":80}}}]},"status":{"desiredReplicas":0,"currentMetrics":null}})"),
      "web|Deployment/web|cpu: <unknown>/80%|1|3|0|<unknown>");
  EXPECT_EQ(
      row("v1", "Event",
          R"({"metadata":{"name":"e"},"type":"Normal","reason":"Started","message":"ok\n","involvedObject":{"kind":"Pod","name":"p"},"count":4,"firstTimestamp":"2025-12-31T23:00:00Z","lastTimestamp":"2025-12-31T23:59:00Z","source":{"component":"kubelet","host":"n"}})"),
      "60s|Normal|Started|pod/p||kubelet, n|ok|60m|4|e");
  EXPECT_EQ(
      row("v1", "Node",
          R"({"metadata":{"name":"n","labels":{"node-role.kubernetes.io/control-plane":""}},"spec":{"unschedulable":true},"status":{"conditions":[{"type":"Ready","status":"True"}],"nodeInfo":{"kubeletVersion":"v1"}}})"),
      "n|Ready,SchedulingDisabled|control-plane|<unknown>|v1|<none>|<none>|<unknown>|<unknown>|<unknown>");
  EXPECT_EQ(
      row("v1", "PersistentVolumeClaim",
          R"({"metadata":{"name":"c"},"spec":{"volumeName":"v","volumeMode":"Filesystem"},"status":{"phase":"Bound","capacity":{"storage":"1024Mi"},"accessModes":["ReadWriteOnce"]}})"),
      "c|Bound|v|1Gi|RWO||<unset>|<unknown>|Filesystem");
}

TEST(Table, ShowsOurKindsByTheirPrinterColumns) {
  EXPECT_EQ(
      row("serving.kserve.io/v1beta1", "InferenceService",
          R"({"metadata":{"name":"iris","creationTimestamp":"2025-12-31T23:00:00Z"},"status":{"url":"http://iris-kt.example.com",
    "conditions":[{"type":"PredictorReady","status":"False"},{"type":"Ready","status":"True"}],"components":{"predictor":{"traffic":[{"latestRevision":true,"percent":90,"revisionName":"r2"},{"tag":"prev","percent":10,"revisionName":"r1"}]}}}})"),
      "iris|http://iris-kt.example.com|True|10|90|r1|r2|60m");
  EXPECT_EQ(row("serving.kserve.io/v1beta1", "InferenceService", R"({"metadata":{"name":"iris"}})"),
            "iris|null|null|null|null|null|null|null");
  EXPECT_EQ(row("networking.istio.io/v1beta1", "VirtualService",
                R"({"metadata":{"name":"kn"},"spec":{"gateways":["a","b"],"hosts":["h"]}})"),
            "kn|[\"a\",\"b\"]|[\"h\"]|null");
  EXPECT_EQ(
      row("serving.knative.dev/v1", "Revision",
          R"({"metadata":{"name":"r","labels":{"serving.knative.dev/configuration":"c","serving.knative.dev/configurationGeneration":"1"}},"status":{"actualReplicas":1}})"),
      "r|c|1|null|null|1|null");
}

TEST(Table, EveryKindHasARow) {
  for (const Resource& r : Catalog::builtin()->resources()) {
    const TablePrinter printer(r);
    const Json row = printer.row(Json{{"metadata", {{"name", "x"}}}}, {kNow});
    EXPECT_EQ(row["cells"].size(), printer.columns().size()) << r.qualified();
    EXPECT_EQ(row["object"]["kind"], "PartialObjectMetadata");
  }
}

}  // namespace
}  // namespace slipway
