// A NodeAgent on the in-memory API with real processes, for tests of what pods do. The test program must be its own shim:
// see testing/node_exec_entry.h.
#pragma once
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "kube/testing/fake_client.h"
#include "kube/testing/loop.h"
#include "node/node_agent.h"
#include "node/process_runtime.h"
#include "node/shim/memory_watch.h"
#include "node/testing/node_exec_entry.h"
#include "node/testing/temp_folder.h"

namespace slipway::node::testing {
using namespace std::chrono_literals;
using kube::Loop;

inline Json shellContainer(const std::string& name, const std::string& script) {
  return {{"name", name}, {"image", "local"}, {"command", {"/bin/sh", "-c", script}}};
}

// One platform's node half: everything that dies with the process when it is killed.
struct Platform {
  Platform(Loop& loop, kube::FakeClient& api, SystemClock& clock, const std::string& dataDir,
           const std::function<void(NodeOptions&)>& change)
      : loop(loop),
        scope(loop.executor(), "test"),
        cache(api, clock, scope),
        runtime(loop.executor(), {selfPath(), "node-exec"}) {
    NodeOptions options;
    options.nodeName = "node-1";
    options.dataDir = dataDir;
    options.self = selfPath();
    options.backoff = {.base = 200ms, .limit = 1s, .resetAfter = 1min, .configRetry = 50ms};
    if (change) change(options);
    agent = std::make_shared<NodeAgent>(api, cache, clock, scope, runtime, options);
    const Status started = loop.run(agent->start());
    EXPECT_TRUE(started) << (started ? "" : started.error().message);
  }
  ~Platform() {
    agent.reset();
    scope.cancel();
    loop.run(scope.join());
  }
  Loop& loop;
  TaskScope scope;
  kube::Cache cache;
  ProcessRuntime runtime;
  std::shared_ptr<NodeAgent> agent;
};

class AgentFixture : public ::testing::Test {
 protected:
  AgentFixture() : api_(loop_.executor(), clock_) { api_.podGrace = true; }
  void SetUp() override { start(); }
  void TearDown() override {
    if (platform_) loop_.run(platform_->agent->stop(2s));
    platform_.reset();
    EXPECT_TRUE(descendants(::getpid()).empty()) << "a process was left behind";
  }
  void start() { platform_ = std::make_unique<Platform>(loop_, api_, clock_, dir_.path(), change_); }

  void create(const std::string& name, Json spec) {
    spec["nodeName"] = "node-1";
    api_.put({{"apiVersion", "v1"},
              {"kind", "Pod"},
              {"metadata", {{"name", name}, {"namespace", "ns"}, {"labels", {{"app", "x"}}}}},
              {"spec", std::move(spec)}});
  }
  Json pod(const std::string& name) const { return api_.peek(kinds::kPod, {"ns", name}); }
  Json containerStatus(const std::string& name, std::size_t i = 0, const char* list = "containerStatuses") const {
    const Json p = pod(name);
    const Json& all = at(p, "status", list);
    return all.is_array() && all.size() > i ? all[i] : Json();
  }
  bool conditionIs(const std::string& name, const std::string& type, const std::string& status) const {
    const Json p = pod(name);
    for (const Json& c : at(p, "status", "conditions"))
      if (textAt(c, "type") == type) return textAt(c, "status") == status;
    return false;
  }
  bool ready(const std::string& name) const { return conditionIs(name, "Ready", "True"); }
  std::string phase(const std::string& name) const { return textAt(at(pod(name), "status"), "phase"); }
  std::string log(const std::string& name, kube::LogOptions options = {}) {
    auto body = loop_.run(platform_->agent->logs(pod(name), options));
    if (!body) return "error: " + body.error().message;
    std::string all;
    for (;;) {
      auto chunk = loop_.run(body->read());
      if (!chunk || chunk->empty()) return all;
      all += *chunk;
    }
  }
  bool hasEvent(const std::string& reason, const std::string& part) const {
    for (const Json& e : api_.all(kinds::kEvent))
      if (textAt(e, "reason") == reason && textAt(e, "message").find(part) != std::string::npos) return true;
    return false;
  }
  void remove(const std::string& name, std::optional<int> grace = {}) {
    const Status done = loop_.run(api_.remove(kinds::kPod, {"ns", name}, {.gracePeriodSeconds = grace}));
    EXPECT_TRUE(done);
  }

  Loop loop_;
  SystemClock clock_;
  kube::FakeClient api_;
  TempFolder dir_;
  std::function<void(NodeOptions&)> change_;  // what the next start() runs with
  std::unique_ptr<Platform> platform_;
};

}  // namespace slipway::node::testing
