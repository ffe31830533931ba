// What a pod's spec asks for, on real processes: one test per promise.
#include <gmock/gmock.h>
#include <sys/statfs.h>

#include <fstream>

#include "node/shim/launch_file.h"
#include "node/testing/agent_fixture.h"

namespace slipway::node {
namespace {
using namespace std::chrono_literals;
using ::testing::HasSubstr;
using testing::shellContainer;
namespace fs = std::filesystem;

class PodFieldsRun : public testing::AgentFixture {
 protected:
  // A pod with a folder of this machine at /out, for what its containers tell.
  void createWithOut(const std::string& name, Json spec) {
    fs::create_directories(dir_ / "out");
    fs::permissions(dir_ / "out", fs::perms::all);
    spec["volumes"].push_back({{"name", "out"}, {"hostPath", {{"path", dir_ / "out"}}}});
    for (const char* list : {"initContainers", "containers"})
      if (spec.contains(list))
        for (Json& c : spec[list]) c["volumeMounts"].push_back({{"name", "out"}, {"mountPath", "/out"}});
    create(name, std::move(spec));
  }
  std::string out(const std::string& file) const { return readWholeFile(dir_ / ("out/" + file)).value_or(""); }
  bool waitsWith(const std::string& name, const std::string& part) const {
    return textAt(at(containerStatus(name), "state", "waiting"), "message").find(part) != std::string::npos;
  }
  void configMap(const std::string& name, Json data) {
    api_.put(
        {{"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"metadata", {{"name", name}, {"namespace", "ns"}}}, {"data", data}});
  }
};

TEST_F(PodFieldsRun, SidecarsStartInOrderBeforeTheRestAndEndAfterItInReverse) {
  const std::string wait = "; while true; do sleep 0.02; done";
  Json a = shellContainer("a", "echo +a >> /out/order; trap 'echo -a >> /out/order; exit 0' TERM" + wait);
  Json b = shellContainer("b", "echo +b >> /out/order; trap 'echo -b >> /out/order; exit 0' TERM; touch /tmp/b-$$" + wait);
  a["restartPolicy"] = b["restartPolicy"] = "Always";
  a["startupProbe"] = {{"exec", {{"command", {"grep", "-q", "+a", "/out/order"}}}}};
  b["startupProbe"] = {{"exec", {{"command", {"grep", "-q", "+b", "/out/order"}}}}};
  createWithOut(
      "p", {{"initContainers", Json::array({a, shellContainer("plain", "echo init >> /out/order"), b})},
            {"containers", Json::array({shellContainer(
                               "main", "echo +main >> /out/order; trap 'echo -main >> /out/order; exit 0' TERM" + wait)})}});
  ASSERT_TRUE(loop_.until([&] { return ready("p"); })) << pod("p").dump(1);
  ASSERT_TRUE(loop_.until([&] { return out("order").ends_with("+main\n"); }));
  EXPECT_EQ(out("order"), "+a\ninit\n+b\n+main\n");
  EXPECT_TRUE(boolAt(containerStatus("p", 0, "initContainerStatuses"), "ready"));
  remove("p");
  ASSERT_TRUE(loop_.until([&] { return pod("p").is_null(); }));
  EXPECT_EQ(out("order"), "+a\ninit\n+b\n+main\n-main\n-b\n-a\n");
}

TEST_F(PodFieldsRun, AFinishedPodEndsItsSidecars) {
  Json side = shellContainer("side", "trap 'echo bye > /out/side; exit 0' TERM; while true; do sleep 0.02; done");
  side["restartPolicy"] = "Always";
  createWithOut("p", {{"restartPolicy", "Never"},
                      {"initContainers", Json::array({side})},
                      {"containers", Json::array({shellContainer("main", "exit 0")})}});
  ASSERT_TRUE(loop_.until([&] { return phase("p") == "Succeeded" && out("side") == "bye\n"; })) << pod("p").dump(1);
}

TEST_F(PodFieldsRun, TheNextContainerWaitsForThePostStartHook) {
  Json first = shellContainer("first", "exec sleep 300");
  first["lifecycle"] = {
      {"postStart",
       {{"exec",
         {{"command", {"/bin/sh", "-c", "while [ ! -e /out/go ]; do sleep 0.02; done; echo hook >> /out/order"}}}}}}};
  createWithOut(
      "p", {{"containers", Json::array({first, shellContainer("second", "echo second >> /out/order; exec sleep 300")})}});
  ASSERT_TRUE(loop_.until([&] { return hasEvent("Started", "Started container first"); }));
  EXPECT_EQ(textAt(at(containerStatus("p"), "state", "waiting"), "reason"), "ContainerCreating");
  std::ofstream(dir_ / "out/go") << "";
  ASSERT_TRUE(loop_.until([&] { return ready("p") && out("order") == "hook\nsecond\n"; })) << pod("p").dump(1);
}

TEST_F(PodFieldsRun, AFailedPostStartHookRestartsTheContainer) {
  Json main = shellContainer("main", "exec sleep 300");
  main["lifecycle"] = {{"postStart", {{"exec", {{"command", {"false"}}}}}}};
  create("p", {{"terminationGracePeriodSeconds", 1}, {"containers", Json::array({main})}});
  ASSERT_TRUE(loop_.until([&] { return intAt(containerStatus("p"), "restartCount") >= 1; })) << pod("p").dump(1);
  EXPECT_TRUE(loop_.until([&] { return hasEvent("FailedPostStartHook", "PostStartHook failed"); }));
}

TEST_F(PodFieldsRun, StopSignalAndSleepHook) {
  Json main = shellContainer("main", "trap 'echo usr1 > /out/signal; exit 0' USR1; while true; do sleep 0.02; done");
  main["lifecycle"] = {{"stopSignal", "SIGUSR1"}, {"preStop", {{"sleep", {{"seconds", 1}}}}}};
  createWithOut("p", {{"os", {{"name", "linux"}}}, {"containers", Json::array({main})}});
  ASSERT_TRUE(loop_.until([&] { return ready("p"); })) << pod("p").dump(1);
  EXPECT_EQ(textAt(containerStatus("p"), "stopSignal"), "SIGUSR1");
  const auto before = std::chrono::steady_clock::now();
  remove("p");
  ASSERT_TRUE(loop_.until([&] { return pod("p").is_null(); }));
  EXPECT_GE(std::chrono::steady_clock::now() - before, 950ms);
  EXPECT_EQ(out("signal"), "usr1\n");
}

TEST_F(PodFieldsRun, GrpcHealthProbes) {
  Json main = {{"name", "main"},
               {"image", "local"},
               {"command", {testing::selfPath(), "test-program", "grpc", "18090", "/out/serving"}},
               {"readinessProbe", {{"grpc", {{"port", 18090}}}, {"periodSeconds", 1}}}};
  createWithOut("p", {{"containers", Json::array({main})}});
  ASSERT_TRUE(loop_.until([&] { return phase("p") == "Running"; })) << pod("p").dump(1);
  ASSERT_TRUE(loop_.until([&] { return hasEvent("Unhealthy", "service unhealthy (responded with \"NOT_SERVING\")"); }));
  EXPECT_FALSE(ready("p"));
  std::ofstream(dir_ / "out/serving") << "";
  EXPECT_TRUE(loop_.until([&] { return ready("p"); })) << pod("p").dump(1);
}

TEST_F(PodFieldsRun, UsersGroupsAndRightsAreThoseOfTheSecurityContext) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may become another user";
  Json main =
      shellContainer("main",
                     "id -u > /out/id; id -g >> /out/id; id -G >> /out/id; grep -E 'CapBnd|NoNewPrivs' /proc/self/status "
                     ">> /out/id; stat -c %g /data >> /out/id; cat /etc/conf/k >> /out/id; exec sleep 300");
  main["securityContext"] = {{"runAsUser", 4321},
                             {"allowPrivilegeEscalation", false},
                             {"capabilities", {{"drop", {"ALL"}}, {"add", {"NET_BIND_SERVICE"}}}}};
  main["readinessProbe"] = {{"exec", {{"command", {"/bin/sh", "-c", "id -u > /out/exec"}}}}};
  main["volumeMounts"] =
      Json::array({{{"name", "data"}, {"mountPath", "/data"}}, {{"name", "conf"}, {"mountPath", "/etc/conf"}}});
  configMap("c", {{"k", "readable\n"}});
  createWithOut(
      "p", {{"securityContext", {{"runAsGroup", 77}, {"fsGroup", 88}, {"supplementalGroups", {99}}, {"runAsNonRoot", true}}},
            {"volumes", Json::array({{{"name", "data"}, {"emptyDir", Json::object()}},
                                     {{"name", "conf"}, {"configMap", {{"name", "c"}, {"defaultMode", 0400}}}}})},
            {"containers", Json::array({main})}});
  ASSERT_TRUE(loop_.until([&] { return ready("p") && out("id").ends_with("readable\n"); })) << pod("p").dump(1) << out("id");
  EXPECT_EQ(out("id"), "4321\n77\n77 88 99\nCapBnd:\t0000000000000400\nNoNewPrivs:\t1\n88\nreadable\n");
  EXPECT_EQ(out("exec"), "4321\n") << "exec is confined too";
}

TEST_F(PodFieldsRun, AReadOnlyRootFolderLeavesVolumesAndDevWritable) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs a mount namespace";
  Json main =
      shellContainer("main",
                     "(echo x > /tmp/slipway-ro-test || echo no) > /out/ro 2>/dev/null; (echo x > /new-file || echo no) >> "
                     "/out/ro 2>/dev/null; echo x > /dev/shm/slipway-ro-test && rm /dev/shm/slipway-ro-test; echo x > "
                     "/data/f && echo data >> /out/ro; echo > /dev/null && echo dev >> /out/ro; exec sleep 300");
  main["securityContext"] = {{"readOnlyRootFilesystem", true}};
  main["volumeMounts"] = Json::array({{{"name", "data"}, {"mountPath", "/data"}}});
  createWithOut("p", {{"volumes", Json::array({{{"name", "data"}, {"emptyDir", Json::object()}}})},
                      {"containers", Json::array({main})}});
  ASSERT_TRUE(loop_.until([&] { return ready("p") && out("ro").ends_with("dev\n"); })) << pod("p").dump(1) << out("ro");
  EXPECT_EQ(out("ro"), "no\nno\ndata\ndev\n");
  EXPECT_FALSE(fs::exists("/tmp/slipway-ro-test"));
}

TEST_F(PodFieldsRun, WhatCannotBeIsRefusedByNameAndStartsNothing) {
  Json main = shellContainer("main", "echo ran > /out/ran");
  main["securityContext"] = {{"privileged", true}};
  createWithOut("p", {{"hostUsers", false}, {"containers", Json::array({main})}});
  ASSERT_TRUE(loop_.until([&] {
    return waitsWith("p", "spec.containers[0].securityContext.privileged: true is not possible");
  })) << pod("p").dump(1);
  EXPECT_TRUE(waitsWith("p", "spec.hostUsers: false is not possible"));
  EXPECT_EQ(textAt(at(containerStatus("p"), "state", "waiting"), "reason"), "CreateContainerConfigError");
  EXPECT_EQ(out("ran"), "");
}

TEST_F(PodFieldsRun, MountedConfigMapsChangeInPlaceButNotSubPaths) {
  configMap("c", {{"k", "one"}});
  Json main = shellContainer(
      "main", "cp /live/k /out/first; while true; do cat /live/k > /out/live; cat /fixed > /out/fixed; sleep 0.05; done");
  main["volumeMounts"] = Json::array(
      {{{"name", "conf"}, {"mountPath", "/live"}}, {{"name", "conf"}, {"mountPath", "/fixed"}, {"subPath", "k"}}});
  createWithOut("p", {{"volumes", Json::array({{{"name", "conf"}, {"configMap", {{"name", "c"}}}}})},
                      {"containers", Json::array({main})}});
  ASSERT_TRUE(loop_.until([&] { return out("live") == "one"; })) << pod("p").dump(1);
  configMap("c", {{"k", "two"}});
  ASSERT_TRUE(loop_.until([&] { return out("live") == "two"; }));
  EXPECT_EQ(out("fixed"), "one");
}

TEST_F(PodFieldsRun, DownwardFilesFollowLabels) {
  Json main = shellContainer("main", "while true; do cat /info/labels > /out/labels; sleep 0.05; done");
  main["volumeMounts"] = Json::array({{{"name", "info"}, {"mountPath", "/info"}}});
  const Json item = {{"path", "labels"}, {"fieldRef", {{"fieldPath", "metadata.labels"}}}};
  createWithOut("p", {{"volumes", Json::array({{{"name", "info"}, {"downwardAPI", {{"items", Json::array({item})}}}}})},
                      {"containers", Json::array({main})}});
  ASSERT_TRUE(loop_.until([&] { return out("labels") == "app=\"x\""; })) << pod("p").dump(1);
  auto patched = loop_.run(
      api_.patch(kinds::kPod, {"ns", "p"}, kube::PatchType::Merge, {{"metadata", {{"labels", {{"app", "y"}}}}}}, {}));
  ASSERT_TRUE(patched);
  EXPECT_TRUE(loop_.until([&] { return out("labels") == "app=\"y\""; }));
}

TEST_F(PodFieldsRun, ServicesHaveNamesAndEnvironmentInsidePods) {
  const auto service = [&](const char* name, const char* ip) {
    api_.put({{"apiVersion", "v1"},
              {"kind", "Service"},
              {"metadata", {{"name", name}, {"namespace", "ns"}}},
              {"spec", {{"clusterIP", ip}, {"ports", Json::array({{{"port", 80}}})}}}});
  };
  service("web", "127.96.0.9");
  loop_.settle();
  createWithOut("p", {{"containers",
                       Json::array({shellContainer(
                           "main",
                           "echo $WEB_SERVICE_HOST > /out/env; hostname >> /out/env; while true; do getent ahostsv4 "
                           "late.ns.svc.cluster.local > /out/late; getent ahostsv4 web > /out/web; sleep 0.05; done")})}});
  ASSERT_TRUE(loop_.until([&] { return ready("p") && out("web").starts_with("127.96.0.9"); })) << out("web");
  EXPECT_EQ(out("env"), "127.96.0.9\np\n");
  EXPECT_EQ(out("late"), "");
  service("late", "127.96.0.10");
  EXPECT_TRUE(loop_.until([&] { return out("late").starts_with("127.96.0.10"); }));
}

TEST_F(PodFieldsRun, ServiceAccountTokensAreSignedForThePod) {
  platform_.reset();
  TokenAsk asked;
  change_ = [&](NodeOptions& o) {
    o.tokens = [&](TokenAsk ask) -> Task<Result<std::string>> {
      asked = ask;
      co_return "signed";
    };
  };
  start();
  Json main = shellContainer("main", "cp /var/run/secrets/tokens/t /out/token; exec sleep 300");
  main["volumeMounts"] = Json::array({{{"name", "t"}, {"mountPath", "/var/run/secrets/tokens"}}});
  const Json source = {{"serviceAccountToken", {{"path", "t"}, {"audience", "vault"}, {"expirationSeconds", 700}}}};
  createWithOut("p", {{"serviceAccountName", "bot"},
                      {"volumes", Json::array({{{"name", "t"}, {"projected", {{"sources", Json::array({source})}}}}})},
                      {"containers", Json::array({main})}});
  ASSERT_TRUE(loop_.until([&] { return out("token") == "signed"; })) << pod("p").dump(1);
  EXPECT_EQ(asked.account, "bot");
  EXPECT_EQ(asked.audience, "vault");
  EXPECT_EQ(asked.seconds, 700);
  EXPECT_EQ(asked.podUid, textAt(at(pod("p"), "metadata"), "uid"));
}

TEST_F(PodFieldsRun, TokensAreRenewedBeforeTheyEndAlsoAfterACrashOfThePlatform) {
  std::string prefix = "first";
  int count = 0;
  change_ = [&](NodeOptions& o) {
    o.tokens = [&](TokenAsk) -> Task<Result<std::string>> { co_return fmt::format("{}-{}", prefix, ++count); };
  };
  platform_.reset();
  start();
  Json main = shellContainer("main", "while true; do cp /run/t/token /out/new; mv /out/new /out/token; sleep 0.05; done");
  main["volumeMounts"] = Json::array({{{"name", "t"}, {"mountPath", "/run/t"}}});
  const Json source = {{"serviceAccountToken", {{"path", "token"}, {"expirationSeconds", 1}}}};
  createWithOut("p", {{"volumes", Json::array({{{"name", "t"}, {"projected", {{"sources", Json::array({source})}}}}})},
                      {"containers", Json::array({main})}});
  ASSERT_TRUE(loop_.until([&] { return out("token").starts_with("first-") && out("token") != "first-1"; })) << out("token");
  prefix = "second";
  platform_.reset();  // as a crash: the program goes on
  start();
  EXPECT_TRUE(loop_.until([&] { return out("token").starts_with("second-"); })) << out("token");
}

TEST_F(PodFieldsRun, AnActiveDeadlineEndsThePodAsFailed) {
  create("p", {{"activeDeadlineSeconds", 1},
               {"terminationGracePeriodSeconds", 1},
               {"containers", Json::array({shellContainer("main", "exec sleep 300")})}});
  ASSERT_TRUE(loop_.until([&] { return phase("p") == "Failed"; })) << pod("p").dump(1);
  EXPECT_EQ(textAt(at(pod("p"), "status"), "reason"), "DeadlineExceeded");
  EXPECT_TRUE(loop_.until([&] { return descendants(::getpid()).empty(); }));
}

TEST_F(PodFieldsRun, ShortOfMemoryTheLowestPriorityIsEvictedAndStaysSoAfterARestart) {
  platform_.reset();
  std::int64_t available = 1 << 30;
  change_ = [&](NodeOptions& o) {
    o.eviction.every = 20ms;
    o.eviction.availableMemory = [&] { return available; };
  };
  start();
  for (const auto& [name, priority] : {std::pair{"low", 1}, std::pair{"high", 1000}})
    create(name, {{"priority", priority}, {"containers", Json::array({shellContainer("main", "exec sleep 300")})}});
  ASSERT_TRUE(loop_.until([&] { return ready("low") && ready("high"); }));
  available = 50 << 20;
  ASSERT_TRUE(loop_.until([&] { return phase("low") == "Failed"; })) << pod("low").dump(1);
  available = 1 << 30;
  EXPECT_EQ(textAt(at(pod("low"), "status"), "reason"), "Evicted");
  EXPECT_THAT(textAt(at(pod("low"), "status"), "message"),
              HasSubstr("The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi."));
  EXPECT_TRUE(conditionIs("low", "DisruptionTarget", "True"));
  EXPECT_EQ(phase("high"), "Running");
  loop_.run(platform_->agent->stop(1s));
  platform_.reset();
  start();
  ASSERT_TRUE(loop_.until([&] { return ready("high"); }));
  EXPECT_EQ(phase("low"), "Failed");
  EXPECT_EQ(descendants(::getpid()).size(), 2U) << "one shim and one program";
}

TEST_F(PodFieldsRun, AnEmptyDirOverItsLimitEvictsThePod) {
  platform_.reset();
  change_ = [](NodeOptions& o) { o.eviction.every = 20ms; };
  start();
  Json main = shellContainer("main", "head -c 3000000 /dev/zero > /data/f; exec sleep 300");
  main["volumeMounts"] = Json::array({{{"name", "data"}, {"mountPath", "/data"}}});
  create("p", {{"volumes", Json::array({{{"name", "data"}, {"emptyDir", {{"sizeLimit", "1Mi"}}}}})},
               {"containers", Json::array({main})}});
  ASSERT_TRUE(loop_.until([&] { return phase("p") == "Failed"; })) << pod("p").dump(1);
  EXPECT_EQ(textAt(at(pod("p"), "status"), "message"), "Usage of EmptyDir volume \"data\" exceeds the limit \"1Mi\". ");
}

TEST_F(PodFieldsRun, MemoryAsAMediumIsATmpfsOfItsSizeAndGoesWithThePod) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs the right to mount";
  Json main = shellContainer("main",
                             "stat -f -c %T /data > /out/type; head -c 3000000 /dev/zero > /data/f; stat -c %s /data/f > "
                             "/out/size; exec sleep 300");
  main["volumeMounts"] = Json::array({{{"name", "data"}, {"mountPath", "/data"}}});
  createWithOut("p",
                {{"volumes", Json::array({{{"name", "data"}, {"emptyDir", {{"medium", "Memory"}, {"sizeLimit", "1Mi"}}}}})},
                 {"containers", Json::array({main})}});
  ASSERT_TRUE(loop_.until([&] { return out("size") == "1048576\n"; })) << out("size") << pod("p").dump(1);
  EXPECT_EQ(out("type"), "tmpfs\n");
  remove("p", 0);
  ASSERT_TRUE(loop_.until([&] { return pod("p").is_null() && fs::is_empty(dir_ / "pods"); }));
}

TEST_F(PodFieldsRun, ANewImageInPlaceRestartsItsContainer) {
  create("p",
         {{"terminationGracePeriodSeconds", 1}, {"containers", Json::array({shellContainer("main", "exec sleep 300")})}});
  ASSERT_TRUE(loop_.until([&] { return ready("p"); }));
  Json changed = pod("p");
  changed["spec"]["containers"][0]["image"] = "local:2";
  api_.put(changed);
  ASSERT_TRUE(loop_.until([&] { return intAt(containerStatus("p"), "restartCount") == 1 && ready("p"); }))
      << pod("p").dump(1);
  EXPECT_EQ(textAt(containerStatus("p"), "image"), "local:2");
}

}  // namespace
}  // namespace slipway::node
