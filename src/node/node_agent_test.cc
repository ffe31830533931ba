#include "node/node_agent.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "node/shim/launch_file.h"
#include "node/testing/agent_fixture.h"

namespace slipway::node {
namespace {
using namespace std::chrono_literals;
using testing::shellContainer;

class NodeAgentTest : public testing::AgentFixture {};

TEST_F(NodeAgentTest, RegistersTheNodeWithCapacityAndReady) {
  const Json node = api_.peek(kinds::kNode, {"", "node-1"});
  EXPECT_FALSE(textAt(at(node, "status", "capacity"), "cpu").empty());
  EXPECT_EQ(textAt(at(node, "status", "allocatable"), "pods"), "1000");
  EXPECT_EQ(textAt(at(node, "status", "conditions").back(), "type"), "Ready");
}

TEST_F(NodeAgentTest, RunsInitContainersInOrderThenTheContainerAndReportsReady) {
  Json spec;
  spec["volumes"] = Json::array({{{"name", "work"}, {"emptyDir", Json::object()}}});
  spec["initContainers"] = Json::array(
      {shellContainer("one", "echo 1 >> /mnt/steps/order"), shellContainer("two", "echo 2 >> /mnt/steps/order")});
  spec["containers"] = Json::array({shellContainer("main", "cat /mnt/steps/order; echo hello; exec sleep 300")});
  for (const char* list : {"initContainers", "containers"})
    for (Json& c : spec[list]) c["volumeMounts"] = Json::array({{{"name", "work"}, {"mountPath", "/mnt/steps"}}});
  create("p", spec);
  ASSERT_TRUE(loop_.until([&] { return ready("p"); })) << pod("p").dump(1);
  EXPECT_EQ(phase("p"), "Running");
  EXPECT_TRUE(textAt(at(pod("p"), "status"), "podIP").starts_with("127."));
  EXPECT_EQ(textAt(at(containerStatus("p", 1, "initContainerStatuses"), "state", "terminated"), "reason"), "Completed");
  ASSERT_TRUE(loop_.until([&] { return log("p") == "1\n2\nhello\n"; })) << log("p");
  EXPECT_TRUE(loop_.until([&] { return hasEvent("Started", "Started container main"); }));
  EXPECT_FALSE(std::filesystem::exists("/mnt/steps"));
}

TEST_F(NodeAgentTest, DeletionStopsTheProcessesAndRemovesThePodAndItsFiles) {
  create("p", {{"containers", {shellContainer("main", "trap 'exit 0' TERM; while true; do sleep 0.02; done")}}});
  ASSERT_TRUE(loop_.until([&] { return ready("p"); }));
  remove("p");
  ASSERT_TRUE(loop_.until([&] { return pod("p").is_null(); }));
  EXPECT_TRUE(loop_.until([&] { return std::filesystem::is_empty(dir_ / "pods"); }));
  EXPECT_TRUE(std::filesystem::is_empty(dir_ / "logs"));
  EXPECT_TRUE(hasEvent("Killing", "Stopping container main"));
}

TEST_F(NodeAgentTest, WhatIgnoresSigtermIsKilledAfterTheGracePeriod) {
  create("p", {{"terminationGracePeriodSeconds", 1},
               {"containers", {shellContainer("main", "trap '' TERM; echo up; while true; do sleep 0.02; done")}}});
  ASSERT_TRUE(loop_.until([&] { return ready("p") && log("p") == "up\n"; }));
  const auto before = std::chrono::steady_clock::now();
  remove("p");
  ASSERT_TRUE(loop_.until([&] { return pod("p").is_null(); }));
  EXPECT_GE(std::chrono::steady_clock::now() - before, 900ms);
}

TEST_F(NodeAgentTest, ACrashingContainerBacksOffAndKeepsItsPreviousLog) {
  create("p", {{"containers", {shellContainer("main", "echo run $$; exit 3")}}});
  ASSERT_TRUE(loop_.until([&] {
    return textAt(at(containerStatus("p"), "state", "waiting"), "reason") == "CrashLoopBackOff";
  })) << pod("p").dump(1);
  const Json status = containerStatus("p");
  EXPECT_EQ(intAt(at(status, "lastState", "terminated"), "exitCode"), 3);
  EXPECT_EQ(textAt(at(status, "lastState", "terminated"), "reason"), "Error");
  EXPECT_GE(intAt(status, "restartCount"), 1);
  EXPECT_TRUE(textAt(at(status, "state", "waiting"), "message").ends_with(textAt(at(pod("p"), "metadata"), "uid") + ")"));
  EXPECT_TRUE(log("p", {.container = "main", .previous = true}).starts_with("run "));
  EXPECT_TRUE(loop_.until([&] { return hasEvent("BackOff", "Back-off restarting failed container main in pod p_ns("); }));
}

TEST_F(NodeAgentTest, NeverRestartedPodsEndSucceededOrFailed) {
  create("good", {{"restartPolicy", "Never"}, {"containers", {shellContainer("main", "exit 0")}}});
  create("bad", {{"restartPolicy", "Never"}, {"containers", {shellContainer("main", "echo why >&2; exit 9")}}});
  ASSERT_TRUE(loop_.until([&] { return phase("good") == "Succeeded" && phase("bad") == "Failed"; })) << pod("good").dump(1);
  EXPECT_EQ(intAt(at(containerStatus("bad"), "state", "terminated"), "exitCode"), 9);
}

TEST_F(NodeAgentTest, AFailedInitContainerTellsItsLastLogLines) {
  Json init = shellContainer("storage-initializer", "echo 'Failed to fetch model. No model found in s3://x.' >&2; exit 1");
  init["terminationMessagePolicy"] = "FallbackToLogsOnError";
  create("p", {{"initContainers", {init}}, {"containers", {shellContainer("main", "sleep 300")}}});
  ASSERT_TRUE(loop_.until([&] { return intAt(containerStatus("p", 0, "initContainerStatuses"), "restartCount") >= 1; }));
  ASSERT_TRUE(loop_.until([&] {
    return textAt(at(containerStatus("p", 0, "initContainerStatuses"), "lastState", "terminated"), "message") ==
           "Failed to fetch model. No model found in s3://x.\n";
  })) << pod("p").dump(1);
  EXPECT_EQ(phase("p"), "Pending");
  EXPECT_EQ(textAt(at(containerStatus("p"), "state", "waiting"), "reason"), "PodInitializing");
}

TEST_F(NodeAgentTest, OverItsMemoryLimitAContainerIsOOMKilledWith137) {
  Json hog = {{"name", "main"},
              {"image", "local"},
              {"command", {testing::selfPath(), "test-program", "hog", "200"}},
              {"resources", {{"limits", {{"memory", "100Mi"}}}}}};
  create("p", {{"restartPolicy", "Never"}, {"containers", {hog}}});
  ASSERT_TRUE(loop_.until([&] { return phase("p") == "Failed"; })) << pod("p").dump(1);
  EXPECT_EQ(intAt(at(containerStatus("p"), "state", "terminated"), "exitCode"), 137);
  EXPECT_EQ(textAt(at(containerStatus("p"), "state", "terminated"), "reason"), "OOMKilled");
}

TEST_F(NodeAgentTest, AnUnknownImageSaysExactlyWhatIsMissing) {
  create("p", {{"containers", {{{"name", "main"}, {"image", "nvcr.io/nvidia/tritonserver:23.05-py3"}}}}});
  ASSERT_TRUE(loop_.until(
      [&] { return textAt(at(containerStatus("p"), "state", "waiting"), "reason").find("Pull") != std::string::npos; }));
  EXPECT_EQ(textAt(at(containerStatus("p"), "state", "waiting"), "message"),
            "image \"nvcr.io/nvidia/tritonserver:23.05-py3\" has no local program: add it to ConfigMap "
            "kserve/slipway-images or install podman");
  api_.put({{"apiVersion", "v1"},
            {"kind", "ConfigMap"},
            {"metadata", {{"name", "slipway-images"}, {"namespace", "kserve"}}},
            {"data", {{"images", "*tritonserver:* = /bin/sh -c 'sleep 300'\n"}}}});
  EXPECT_TRUE(loop_.until([&] { return ready("p"); })) << pod("p").dump(1);
}

TEST_F(NodeAgentTest, MissingConfigurationIsNamedAndPickedUpWhenItComes) {
  Json main = shellContainer("main", "echo colour $COLOUR; cat /etc/conf/key; sleep 300");
  main["env"] = {{{"name", "COLOUR"}, {"valueFrom", {{"secretKeyRef", {{"name", "s"}, {"key", "colour"}}}}}}};
  main["volumeMounts"] = {{{"name", "conf"}, {"mountPath", "/etc/conf"}}};
  create("p", {{"volumes", {{{"name", "conf"}, {"configMap", {{"name", "c"}}}}}}, {"containers", {main}}});
  ASSERT_TRUE(loop_.until(
      [&] { return hasEvent("FailedMount", "MountVolume.SetUp failed for volume \"conf\" : configmap \"c\" not found"); }));
  api_.put({{"apiVersion", "v1"},
            {"kind", "ConfigMap"},
            {"metadata", {{"name", "c"}, {"namespace", "ns"}}},
            {"data", {{"key", "value\n"}}}});
  ASSERT_TRUE(loop_.until(
      [&] { return textAt(at(containerStatus("p"), "state", "waiting"), "message") == "secret \"s\" not found"; }));
  EXPECT_EQ(textAt(at(containerStatus("p"), "state", "waiting"), "reason"), "CreateContainerConfigError");
  api_.put({{"apiVersion", "v1"},
            {"kind", "Secret"},
            {"metadata", {{"name", "s"}, {"namespace", "ns"}}},
            {"data", {{"colour", "Ymx1ZQ=="}}}});
  ASSERT_TRUE(loop_.until([&] { return ready("p") && log("p") == "colour blue\nvalue\n"; })) << log("p");
}

TEST_F(NodeAgentTest, ProbesDecideReadinessAndRestart) {
  Json main = shellContainer("main", "echo start; sleep 300");
  main["readinessProbe"] = {{"exec", {{"command", {"test", "-e", "/mnt/v/ready"}}}}};
  main["livenessProbe"] = {
      {"exec", {{"command", {"test", "!", "-e", "/mnt/v/sick"}}}}, {"periodSeconds", 1}, {"failureThreshold", 1}};
  main["volumeMounts"] = {{{"name", "v"}, {"mountPath", "/mnt/v"}}};
  create("p", {{"terminationGracePeriodSeconds", 1},
               {"volumes", {{{"name", "v"}, {"emptyDir", Json::object()}}}},
               {"containers", {main}}});
  ASSERT_TRUE(loop_.until([&] { return phase("p") == "Running"; }));
  EXPECT_FALSE(ready("p"));
  const std::string volume = dir_ / ("pods/" + textAt(at(pod("p"), "metadata"), "uid") + "/volumes/v/");
  std::ofstream(volume + "ready") << "";
  ASSERT_TRUE(loop_.until([&] { return ready("p"); })) << pod("p").dump(1);
  std::ofstream(volume + "sick") << "";
  ASSERT_TRUE(loop_.until([&] { return intAt(containerStatus("p"), "restartCount") >= 1; })) << pod("p").dump(1);
  EXPECT_TRUE(loop_.until([&] { return hasEvent("Killing", "Container main failed liveness probe, will be restarted"); }));
}

TEST_F(NodeAgentTest, TcpAndHttpProbesAskThePodsOwnAddress) {
  for (const bool http : {false, true}) {
    const std::string name = http ? "http" : "tcp";
    Json main = {{"name", "main"},
                 {"image", "local"},
                 {"command", {testing::selfPath(), "test-program", "http", "18080", "/mnt/v/ready"}},
                 {"ports", Json::array({{{"name", "web"}, {"containerPort", 18080}}})},
                 {"volumeMounts", Json::array({{{"name", "v"}, {"mountPath", "/mnt/v"}}})}};
    main["readinessProbe"] = http ? Json{{"httpGet", {{"path", "/ready"}, {"port", "web"}}}, {"periodSeconds", 1}}
                                  : Json{{"tcpSocket", {{"port", 18080}}}};
    create(name,
           {{"volumes", Json::array({{{"name", "v"}, {"emptyDir", Json::object()}}})}, {"containers", Json::array({main})}});
  }
  ASSERT_TRUE(loop_.until([&] { return ready("tcp"); })) << pod("tcp").dump(1);
  ASSERT_TRUE(loop_.until([&] { return phase("http") == "Running"; }));
  EXPECT_FALSE(ready("http"));
  EXPECT_NE(textAt(at(pod("tcp"), "status"), "podIP"), textAt(at(pod("http"), "status"), "podIP"))
      << "the same port on two addresses";
  std::ofstream(dir_ / ("pods/" + textAt(at(pod("http"), "metadata"), "uid") + "/volumes/v/ready")) << "";
  EXPECT_TRUE(loop_.until([&] { return ready("http"); })) << pod("http").dump(1);
}

TEST_F(NodeAgentTest, LifecycleHooksRunInsideTheContainer) {
  Json main = shellContainer("main", "trap 'exit 0' TERM; while true; do sleep 0.02; done");
  main["lifecycle"] = {{"postStart", {{"exec", {{"command", {"/bin/sh", "-c", "echo started > /claim/post"}}}}}},
                       {"preStop", {{"exec", {{"command", {"/bin/sh", "-c", "echo stopping > /claim/pre"}}}}}}};
  main["volumeMounts"] = Json::array({{{"name", "v"}, {"mountPath", "/claim"}}});
  std::filesystem::create_directories(dir_ / "host");
  create("p", {{"volumes", Json::array({{{"name", "v"}, {"hostPath", {{"path", dir_ / "host"}}}}})},
               {"containers", Json::array({main})}});
  ASSERT_TRUE(loop_.until([&] { return std::filesystem::exists(dir_ / "host/post"); }));
  remove("p");
  ASSERT_TRUE(loop_.until([&] { return pod("p").is_null(); }));
  EXPECT_EQ(readWholeFile(dir_ / "host/pre").value_or(""), "stopping\n");
}

TEST_F(NodeAgentTest, FollowGivesLinesAsTheyComeAndEndsWithTheContainer) {
  create("p", {{"restartPolicy", "Never"},
               {"volumes", {{{"name", "v"}, {"emptyDir", Json::object()}}}},
               {"containers", {[] {
                  Json c = shellContainer("main", "echo first; while [ ! -e /mnt/v/go ]; do sleep 0.02; done; echo second");
                  c["volumeMounts"] = {{{"name", "v"}, {"mountPath", "/mnt/v"}}};
                  return c;
                }()}}});
  ASSERT_TRUE(loop_.until([&] { return ready("p"); }));
  auto body = loop_.run(platform_->agent->logs(pod("p"), {.follow = true}));
  ASSERT_TRUE(body);
  EXPECT_EQ(*loop_.run(body->read()), "first\n");
  std::ofstream(dir_ / ("pods/" + textAt(at(pod("p"), "metadata"), "uid") + "/volumes/v/go")) << "";
  EXPECT_EQ(*loop_.run(body->read()), "second\n");
  EXPECT_EQ(*loop_.run(body->read()), "");
}

TEST_F(NodeAgentTest, AfterACrashOfThePlatformItsContainersGoOnAndAreAdopted) {
  create("p", {{"containers",
                {shellContainer("main", "echo up; trap 'echo bye; exit 0' TERM; while true; do sleep 0.02; done")}}});
  ASSERT_TRUE(loop_.until([&] { return ready("p") && log("p") == "up\n"; }));
  const std::string id = textAt(containerStatus("p"), "containerID");
  platform_.reset();  // no stop(): as after kill -9 the shims hear nothing
  start();
  ASSERT_TRUE(loop_.until([&] { return ready("p"); }));
  EXPECT_EQ(textAt(containerStatus("p"), "containerID"), id);
  EXPECT_EQ(intAt(containerStatus("p"), "restartCount"), 0);
  EXPECT_EQ(log("p"), "up\n");
  remove("p");
  EXPECT_TRUE(loop_.until([&] { return pod("p").is_null(); }));
}

TEST_F(NodeAgentTest, WhatEndedWhileThePlatformWasDownIsRestarted) {
  create("p", {{"containers", {shellContainer("main", "echo up; sleep 300")}}});
  ASSERT_TRUE(loop_.until([&] { return ready("p"); }));
  const auto children = descendants(::getpid());
  platform_.reset();
  for (int pid : children) ::kill(pid, SIGKILL);
  while (::waitpid(-1, nullptr, WNOHANG) >= 0 && !descendants(::getpid()).empty()) ::usleep(1000);
  start();
  ASSERT_TRUE(loop_.until([&] { return ready("p") && intAt(containerStatus("p"), "restartCount") == 1; }))
      << pod("p").dump(1);
  EXPECT_EQ(intAt(at(containerStatus("p"), "lastState", "terminated"), "exitCode"), 137);
}

// After a reboot the recorded pids mean other processes, or none.
TEST_F(NodeAgentTest, AfterARebootPodsRunAgainOnceAndStrangersAreLeftAlone) {
  create("p", {{"containers", {shellContainer("main", "echo up; exec sleep 300")}}});
  ASSERT_TRUE(loop_.until([&] { return ready("p"); }));
  const std::string run = dir_ / ("pods/" + textAt(at(pod("p"), "metadata"), "uid") + "/containers/main/0");
  auto record = readShimRecord(run);
  ASSERT_TRUE(record);
  const auto children = descendants(::getpid());
  platform_.reset();
  for (int pid : children) ::kill(pid, SIGKILL);
  while (::waitpid(-1, nullptr, WNOHANG) >= 0 && !descendants(::getpid()).empty()) ::usleep(1000);
  const int stranger = ::fork();
  if (stranger == 0) {
    ::execlp("sleep", "sleep", "300", nullptr);
    ::_exit(1);
  }
  record->bootId = "another boot";
  record->pid = record->childPid = stranger;
  record->startTicks = startTicksOf(stranger);
  ASSERT_TRUE(writeShimRecord(run, *record));
  std::filesystem::remove(run + "/exit.json");
  start();
  EXPECT_TRUE(loop_.until([&] { return ready("p") && intAt(containerStatus("p"), "restartCount") == 1; }))
      << pod("p").dump(1);
  EXPECT_EQ(textAt(at(containerStatus("p"), "lastState", "terminated"), "reason"), "ContainerStatusUnknown");
  EXPECT_EQ(descendants(::getpid()).size(), 3U) << "one shim, one program, and the stranger";
  EXPECT_EQ(::kill(stranger, SIGKILL), 0);
  ::waitpid(stranger, nullptr, 0);
}

// A program ends with its shim; what it had started would go on as an orphan.
TEST_F(NodeAgentTest, WhatAContainerStartedEndsWhenItsShimIsKilled) {
  create("p", {{"containers", {shellContainer("main", "sleep 300 & echo up; wait")}}});
  const auto shim = [this] {
    const std::string run = dir_ / ("pods/" + textAt(at(pod("p"), "metadata"), "uid") + "/containers/main/");
    const auto record = readShimRecord(run + std::to_string(intAt(containerStatus("p"), "restartCount")));
    return record ? record->pid : 0;
  };
  ASSERT_TRUE(loop_.until([&] { return ready("p") && log("p") == "up\n"; }));
  const int sleeper = descendants(shim()).back();
  ASSERT_EQ(::kill(shim(), SIGKILL), 0);
  ASSERT_TRUE(
      loop_.until([&] { return ready("p") && intAt(containerStatus("p"), "restartCount") == 1 && log("p") == "up\n"; }));
  EXPECT_EQ(startTicksOf(sleeper), 0U);
  // The same while nobody looks.
  const int second = descendants(shim()).back();
  const int killed = shim();
  platform_.reset();
  ASSERT_EQ(::kill(killed, SIGKILL), 0);
  ::waitpid(killed, nullptr, 0);
  start();
  ASSERT_TRUE(loop_.until([&] { return ready("p") && intAt(containerStatus("p"), "restartCount") == 2; }));
  EXPECT_EQ(startTicksOf(second), 0U);
}

// Killed while it started a container, the platform finds what it had written and nothing that runs: nothing has failed.
TEST_F(NodeAgentTest, AContainerThatTheCrashKeptFromStartingIsStartedWhateverThePolicy) {
  for (const bool recorded : {false, true}) {
    const std::string name = recorded ? "recorded" : "silent";
    platform_.reset();
    create(name, {{"restartPolicy", "Never"}, {"containers", {shellContainer("main", "echo ran")}}});
    const std::string folder = dir_ / ("pods/" + textAt(at(pod(name), "metadata"), "uid"));
    std::filesystem::create_directories(folder + "/containers/main/0");
    ASSERT_TRUE(writeFileAtomic(folder + "/pod.json", R"({"ip":"127.200.0.9"})", 0600));
    Launch launch;
    launch.id = "c0";
    launch.argv = {"/bin/true"};
    launch.folder = folder + "/containers/main/0";
    launch.logPath = folder + "/log";
    ASSERT_TRUE(writeSpec(launch));
    if (recorded) {
      ContainerExit exit;
      exit.reason = kNeverStarted;
      ASSERT_TRUE(writeExitRecord(launch.folder, exit));
    }
    start();
    EXPECT_TRUE(loop_.until([&] { return phase(name) == "Succeeded"; })) << pod(name).dump(1);
    EXPECT_EQ(log(name), "ran\n");
  }
}

TEST_F(NodeAgentTest, NewPodsDoNotGetAnAddressThatARecoveredOneHas) {
  create("b", {{"containers", {shellContainer("main", "sleep 300")}}});
  ASSERT_TRUE(loop_.until([&] { return ready("b"); }));
  platform_.reset();
  create("a", {{"containers", {shellContainer("main", "sleep 300")}}});  // seen before b
  start();
  ASSERT_TRUE(loop_.until([&] { return ready("a") && ready("b"); }));
  EXPECT_NE(textAt(at(pod("a"), "status"), "podIP"), textAt(at(pod("b"), "status"), "podIP"));
}

TEST_F(NodeAgentTest, PodsDeletedWhileThePlatformWasDownAreEndedAtStart) {
  create("p", {{"containers", {shellContainer("main", "sleep 300")}}});
  ASSERT_TRUE(loop_.until([&] { return ready("p"); }));
  platform_.reset();
  api_.drop(kinds::kPod, {"ns", "p"});
  start();
  EXPECT_TRUE(std::filesystem::is_empty(dir_ / "pods"));
  EXPECT_TRUE(descendants(::getpid()).empty());
}

TEST_F(NodeAgentTest, StopEndsEveryProcessAndKeepsThePods) {
  create("p", {{"containers", {shellContainer("main", "sleep 300")}}});
  ASSERT_TRUE(loop_.until([&] { return ready("p"); }));
  loop_.run(platform_->agent->stop(1s));
  EXPECT_TRUE(descendants(::getpid()).empty());
  EXPECT_FALSE(pod("p").is_null());
  platform_.reset();
  start();
  EXPECT_TRUE(loop_.until([&] { return ready("p"); })) << pod("p").dump(1);
}

TEST_F(NodeAgentTest, LogErrorsUseKubernetesWords) {
  create("p", {{"containers", {shellContainer("a", "sleep 300"), shellContainer("b", "sleep 300")}}});
  ASSERT_TRUE(loop_.until([&] { return ready("p"); }));
  EXPECT_EQ(log("p"), "error: a container name must be specified for pod p, choose one of: [a b]");
  EXPECT_EQ(log("p", {.container = "a", .previous = true}),
            "error: previous terminated container \"a\" in pod \"p\" not found");
  EXPECT_EQ(log("p", {.container = "c"}), "error: container c is not valid for pod p");
}

}  // namespace
}  // namespace slipway::node
