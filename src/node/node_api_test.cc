// The node against the real embedded API: its schemas, defaults and delete rules.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "apiserver/testing/test_api.h"
#include "node/node_agent.h"
#include "node/process_runtime.h"
#include "node/shim/launch_file.h"
#include "node/shim/memory_watch.h"
#include "node/testing/node_exec_entry.h"
#include "node/testing/temp_folder.h"

namespace slipway::node {
namespace {
using namespace std::chrono_literals;

class NodeApiTest : public ::testing::Test {
 protected:
  NodeApiTest()
      : api_(io_),
        scope_(io_.get_executor(), "test"),
        cache_(api_.client(), clock_, scope_),
        runtime_(io_.get_executor(), {testing::selfPath(), "node-exec"}) {
    NodeOptions options;
    options.nodeName = "node-1";
    options.dataDir = dir_.path();
    options.backoff = {.base = 200ms, .limit = 1s, .resetAfter = 1min, .configRetry = 50ms};
    agent_ = std::make_shared<NodeAgent>(api_.client(), cache_, clock_, scope_, runtime_, options);
    const Status started = api_.await(agent_->start());
    EXPECT_TRUE(started) << (started ? "" : started.error().message);
  }
  ~NodeApiTest() override {
    api_.await([](std::shared_ptr<NodeAgent> a) -> Task<bool> {
      co_await a->stop(1s);
      co_return true;
    }(agent_));
    agent_.reset();
    scope_.cancel();
    api_.await([](TaskScope& s) -> Task<bool> {
      co_await s.join();
      co_return true;
    }(scope_));
    EXPECT_TRUE(descendants(::getpid()).empty()) << "a process was left behind";
  }
  void create(const std::string& name, Json spec) {
    spec["nodeName"] = "node-1";
    const Json pod = {{"apiVersion", "v1"},
                      {"kind", "Pod"},
                      {"metadata", {{"name", name}, {"namespace", "default"}}},
                      {"spec", std::move(spec)}};
    auto made = api_.await(api_.client().create(kinds::kPod, pod));
    ASSERT_TRUE(made) << made.error().message;
  }
  Json pod(const std::string& name) { return api_.find(kinds::kPod, {"default", name}); }
  bool ready(const std::string& name) {
    const Json p = pod(name);
    for (const Json& c : at(p, "status", "conditions"))
      if (textAt(c, "type") == "Ready") return textAt(c, "status") == "True";
    return false;
  }
  static Json shell(const std::string& script) {
    return {{"name", "main"}, {"image", "local"}, {"command", {"/bin/sh", "-c", script}}};
  }

  boost::asio::io_context io_;
  SystemClock clock_;
  testing::TempFolder dir_;
  apiserver::TestApi api_;
  TaskScope scope_;
  kube::Cache cache_;
  ProcessRuntime runtime_;
  std::shared_ptr<NodeAgent> agent_;
};

TEST_F(NodeApiTest, TheNodeIsRegisteredReady) {
  const Json node = api_.find(kinds::kNode, {"", "node-1"});
  EXPECT_EQ(textAt(at(node, "status", "conditions").back(), "reason"), "KubeletReady") << node.dump(1);
}

TEST_F(NodeApiTest, APodRunsBecomesReadyAndIsGoneAfterItsDeletion) {
  create("p", {{"terminationGracePeriodSeconds", 1}, {"containers", Json::array({shell("echo hello; sleep 300")})}});
  ASSERT_TRUE(api_.runUntil([&] { return ready("p"); })) << pod("p").dump(1);
  EXPECT_EQ(textAt(at(pod("p"), "status"), "qosClass"), "BestEffort");
  const auto uid = textAt(at(pod("p"), "metadata"), "uid");
  const Status removed = api_.await(api_.client().remove(kinds::kPod, {"default", "p"}));
  ASSERT_TRUE(removed) << removed.error().message;
  EXPECT_TRUE(api_.waitGone(kinds::kPod, {"default", "p"}));
  EXPECT_TRUE(api_.runUntil([&] { return !std::filesystem::exists(dir_ / ("pods/" + uid)); }));
}

TEST_F(NodeApiTest, ForcedDeletionEndsTheProcessesToo) {
  create("p", {{"containers", Json::array({shell("trap '' TERM; while true; do sleep 0.02; done")})}});
  ASSERT_TRUE(api_.runUntil([&] { return ready("p"); }));
  const Status removed = api_.await(api_.client().remove(kinds::kPod, {"default", "p"}, {.gracePeriodSeconds = 0}));
  ASSERT_TRUE(removed) << removed.error().message;
  EXPECT_TRUE(api_.waitGone(kinds::kPod, {"default", "p"}));
  EXPECT_TRUE(api_.runUntil([&] { return descendants(::getpid()).empty(); }));
}

TEST_F(NodeApiTest, ASettledPodCausesNoWrites) {
  create("p", {{"containers", Json::array({shell("sleep 300")})}});
  ASSERT_TRUE(api_.runUntil([&] { return ready("p"); }));
  const std::string before = textAt(at(pod("p"), "metadata"), "resourceVersion");
  api_.runUntil([] { return false; }, 1500ms);
  EXPECT_EQ(textAt(at(pod("p"), "metadata"), "resourceVersion"), before);
}

// A container that ends while its pod's status is being written must not leave the pod Running for ever.
TEST_F(NodeApiTest, PodsThatEndAtOnceAreSeenToEnd) {
  constexpr int kPods = 20;
  for (int i = 0; i < kPods; ++i) {
    create("p" + std::to_string(i), {{"restartPolicy", "Never"}, {"containers", Json::array({shell("exit 3")})}});
  }
  for (int i = 0; i < kPods; ++i) {
    const std::string name = "p" + std::to_string(i);
    EXPECT_TRUE(api_.runUntil([&] { return textAt(at(pod(name), "status"), "phase") == "Failed"; })) << pod(name).dump(1);
  }
}

TEST_F(NodeApiTest, EventsTellTheStoryOfAPod) {
  create("p", {{"containers", Json::array({shell("exit 1")})}});
  auto seen = [&](const std::string& reason) {
    auto list = api_.await(api_.client().list(kinds::kEvent, {.ns = "default"}));
    return list && std::any_of(list->items.begin(), list->items.end(), [&](const Json& e) {
             return textAt(e, "reason") == reason && textAt(at(e, "involvedObject"), "name") == "p";
           });
  };
  for (const char* reason : {"Pulled", "Created", "Started", "BackOff"})
    EXPECT_TRUE(api_.runUntil([&] { return seen(reason); })) << reason;
}

// A whole platform process, killed with -9: its containers must go on. Run in a process of its own by the test below.
int crashHelper(int argc, char** argv) {
  if (argc < 2) return 2;
  boost::asio::io_context io;
  SystemClock clock;
  apiserver::TestApi api(io, {.path = std::string(argv[0]) + "/state.db"});
  TaskScope scope(io.get_executor(), "helper");
  kube::Cache cache(api.client(), clock, scope);
  ProcessRuntime runtime(io.get_executor(), {testing::selfPath(), "node-exec"});
  NodeOptions options;
  options.nodeName = "node-1";
  options.dataDir = argv[0];
  auto agent = std::make_shared<NodeAgent>(api.client(), cache, clock, scope, runtime, options);
  const Status started = api.await(agent->start());
  if (!started) return 3;
  if (std::string(argv[1]) == "first") {
    const Json pod = {
        {"apiVersion", "v1"},
        {"kind", "Pod"},
        {"metadata", {{"name", "p"}, {"namespace", "default"}}},
        {"spec",
         {{"nodeName", "node-1"},
          {"containers",
           Json::array({{{"name", "main"},
                         {"image", "local"},
                         {"command", {"/bin/sh", "-c", "i=0; while true; do echo $i; i=$((i+1)); sleep 0.01; done"}}}})}}}};
    auto made = api.await(api.client().create(kinds::kPod, pod));
    if (!made) return 4;
  }
  const bool second = std::string(argv[1]) == "second";
  auto containerReady = [&] {
    const Json p = api.find(kinds::kPod, {"default", "p"});
    const Json& statuses = at(p, "status", "containerStatuses");
    if (!statuses.is_array() || statuses.empty() || !boolAt(statuses[0], "ready")) return false;
    std::ofstream(std::string(argv[0]) + "/" + argv[1] + ".new")
        << textAt(statuses[0], "containerID") << " " << intAt(statuses[0], "restartCount");
    std::filesystem::rename(std::string(argv[0]) + "/" + argv[1] + ".new", std::string(argv[0]) + "/" + argv[1]);
    return true;
  };
  if (!api.runUntil(containerReady)) return 5;
  if (!second) api.runUntil([] { return false; }, 60s);  // until we are killed
  api.await([](std::shared_ptr<NodeAgent> a) -> Task<bool> {
    co_await a->stop(1s);
    co_return true;
  }(agent));
  agent.reset();
  scope.cancel();
  api.await([](TaskScope& s) -> Task<bool> {
    co_await s.join();
    co_return true;
  }(scope));
  return 0;
}
[[maybe_unused]] const int registered = testing::addProgramMode("platform", crashHelper);

int spawnHelper(const std::string& dir, const char* phase) {
  const std::string self = testing::selfPath();
  const int pid = ::fork();
  if (pid == 0) {
    ::execl(self.c_str(), self.c_str(), "test-program", "platform", dir.c_str(), phase, nullptr);
    ::_exit(127);
  }
  return pid;
}

std::string waitForFile(const std::string& path) {
  for (int i = 0; i < 2000; ++i) {
    const auto text = readWholeFile(path);
    if (text) return *text;
    ::usleep(10000);
  }
  return "";
}

TEST(NodeCrash, AfterKill9OfThePlatformPodsGoOnLoggingAndTheNextPlatformAdoptsThem) {
  testing::TempFolder dir;
  const int first = spawnHelper(dir.path(), "first");
  const std::string before = waitForFile(dir / "first");
  ASSERT_FALSE(before.empty());
  ::kill(first, SIGKILL);
  ::waitpid(first, nullptr, 0);
  std::string log;
  for (const auto& e : std::filesystem::recursive_directory_iterator(dir / "logs"))
    if (e.path().extension() == ".log") log = e.path().string();
  const auto size = std::filesystem::file_size(log);
  for (int i = 0; i < 500 && std::filesystem::file_size(log) <= size + 200; ++i) ::usleep(10000);
  EXPECT_GT(std::filesystem::file_size(log), size + 200) << "the log stopped with the platform";
  const int second = spawnHelper(dir.path(), "second");
  EXPECT_EQ(waitForFile(dir / "second"), before) << "same container, no restart";
  int status = 0;
  ::waitpid(second, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  const auto ended = std::filesystem::file_size(log);
  ::usleep(50000);
  EXPECT_EQ(std::filesystem::file_size(log), ended) << "stop() must have ended it";
}

}  // namespace
}  // namespace slipway::node
