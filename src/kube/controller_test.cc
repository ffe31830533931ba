#include "kube/controller.h"

#include <gtest/gtest.h>

#include "kube/testing/fake_client.h"
#include "kube/testing/loop.h"

namespace slipway::kube {
namespace {
using namespace std::chrono_literals;

Json config(const std::string& name) {
  return {{"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"metadata", {{"name", name}, {"namespace", "ns"}}}};
}

// Answers from a script and keeps what it was asked.
struct Script final : Reconciler {
  std::function<Result<Outcome>(const Key&)> answer = [](const Key&) { return Outcome{}; };
  std::vector<std::string> calls;
  std::map<std::string, int> inFlight;
  int most = 0;
  std::shared_ptr<Signal> gate;  // when set, each call waits for one notification
  Task<Result<Outcome>> reconcile(Key key) override {
    calls.push_back(key.name);
    int total = 0;
    ++inFlight[key.name];
    EXPECT_EQ(inFlight[key.name], 1) << "the same key twice at a time";
    for (auto& [name, n] : inFlight) total += n;
    most = std::max(most, total);
    if (gate) {
      co_await gate->wait();
    }
    --inFlight[key.name];
    co_return answer(key);
  }
};

class ControllerTest : public ::testing::Test {
 protected:
  Loop loop;
  FakeClock clock;
  FakeClient api{loop.executor(), clock};
  TaskScope scope{loop.executor(), "test"};
  Cache cache{api, clock, scope};
  std::shared_ptr<Script> script = std::make_shared<Script>();
  std::shared_ptr<Controller> controller = std::make_shared<Controller>("test", cache, clock, scope);

  bool settled(std::size_t calls) {
    return loop.until([&] { return script->calls.size() >= calls && controller->idle(); });
  }
  void TearDown() override {
    scope.cancel();
    loop.run(scope.join());
  }
};

TEST_F(ControllerTest, ReconcilesWhatExistsAndWhatChanges) {
  api.put(config("a"));
  controller->watches(kinds::kConfigMap).start(script);
  ASSERT_TRUE(settled(1));
  api.put(config("b"));
  ASSERT_TRUE(settled(2));
  api.drop(kinds::kConfigMap, {"ns", "a"});
  ASSERT_TRUE(settled(3));
  EXPECT_EQ(script->calls, (std::vector<std::string>{"a", "b", "a"}));
  EXPECT_EQ(controller->stats().success, 3u);
}

TEST_F(ControllerTest, ErrorsBackOffAndSuccessResets) {
  int failures = 3;
  script->answer = [&](const Key&) -> Result<Outcome> {
    if (failures-- > 0) return fail(Code::Unavailable, "not yet");
    return Outcome{};
  };
  api.put(config("a"));
  controller->watches(kinds::kConfigMap).start(script);
  for (auto wait : {5ms, 10ms, 20ms}) {
    ASSERT_TRUE(loop.until([&] { return controller->idle() && clock.sleepers() == 1; }));
    const auto before = script->calls.size();
    clock.advance(wait - 1ms);
    loop.settle();
    EXPECT_EQ(script->calls.size(), before);
    clock.advance(1ms);
    ASSERT_TRUE(settled(before + 1));
  }
  EXPECT_EQ(controller->stats().error, 3u);
  EXPECT_EQ(controller->stats().success, 1u);
  EXPECT_EQ(controller->queue().failures({"ns", "a"}), 0);
}

TEST_F(ControllerTest, ConflictIsAQuietRetry) {
  bool once = true;
  script->answer = [&](const Key&) -> Result<Outcome> {
    if (std::exchange(once, false)) return fail(Code::Conflict, "modified");
    return Outcome{};
  };
  api.put(config("a"));
  controller->watches(kinds::kConfigMap).start(script);
  ASSERT_TRUE(loop.until([&] { return clock.sleepers() == 1; }));
  clock.advance(5ms);
  ASSERT_TRUE(settled(2));
  EXPECT_EQ(controller->stats().conflict, 1u);
  EXPECT_EQ(controller->stats().error, 0u);
}

TEST_F(ControllerTest, TerminalErrorWaitsForTheNextChange) {
  script->answer = [](const Key&) -> Result<Outcome> {
    return Outcome{.terminal = Error{Code::Invalid, "spec.x: bad", ""}};
  };
  api.put(config("a"));
  controller->watches(kinds::kConfigMap).start(script);
  ASSERT_TRUE(settled(1));
  clock.advance(1h);
  loop.settle();
  EXPECT_EQ(script->calls.size(), 1u);
  api.put(config("a"));
  ASSERT_TRUE(settled(2));
}

TEST_F(ControllerTest, RequeueAfterComesBackThen) {
  script->answer = [&](const Key&) -> Result<Outcome> {
    return script->calls.size() == 1 ? Outcome{.requeueAfter = 30s} : Outcome{};
  };
  api.put(config("a"));
  controller->watches(kinds::kConfigMap).start(script);
  ASSERT_TRUE(settled(1));
  ASSERT_TRUE(loop.until([&] { return clock.sleepers() == 1; }));
  clock.advance(29s);
  loop.settle();
  EXPECT_EQ(script->calls.size(), 1u);
  clock.advance(1s);
  ASSERT_TRUE(settled(2));
}

TEST_F(ControllerTest, WorksOnAsManyKeysAtOnceAsAllowed) {
  controller = std::make_shared<Controller>("test", cache, clock, scope, ControllerOptions{.concurrency = 2});
  script->gate = std::make_shared<Signal>(loop.executor());
  for (int i = 0; i < 6; ++i) api.put(config("c" + std::to_string(i)));
  controller->watches(kinds::kConfigMap).start(script);
  ASSERT_TRUE(loop.until([&] {
    script->gate->notifyAll();
    return script->calls.size() == 6 && controller->idle();
  }));
  EXPECT_EQ(script->most, 2);
}

TEST_F(ControllerTest, AChangeDuringWorkRunsTheKeyAgain) {
  script->gate = std::make_shared<Signal>(loop.executor());
  api.put(config("a"));
  controller->watches(kinds::kConfigMap).start(script);
  ASSERT_TRUE(loop.until([&] { return script->calls.size() == 1; }));
  Json changed = config("a");
  changed["data"] = {{"x", "y"}};
  api.put(changed);
  loop.settle();
  EXPECT_EQ(script->calls.size(), 1u);
  script->gate->notifyAll();
  ASSERT_TRUE(loop.until([&] { return script->calls.size() == 2; }));
  script->gate->notifyAll();
  ASSERT_TRUE(settled(2));
}

TEST_F(ControllerTest, AnExceptionIsAnErrorAndNotTheEnd) {
  bool once = true;
  script->answer = [&](const Key&) -> Result<Outcome> {
    if (std::exchange(once, false)) throw std::runtime_error("a bug");
    return Outcome{};
  };
  api.put(config("a"));
  controller->watches(kinds::kConfigMap).start(script);
  ASSERT_TRUE(loop.until([&] { return clock.sleepers() == 1; }));
  clock.advance(5ms);
  ASSERT_TRUE(settled(2));
  EXPECT_EQ(controller->stats().error, 1u);
}

TEST_F(ControllerTest, ChildrenAndMappedObjectsWakeTheirOwner) {
  controller->owns(kinds::kPod, kinds::kReplicaSet).maps(kinds::kSecret, [](const InformerEvent& e) {
    return std::vector<Key>{{"ns", "for-" + keyOf(*e.object).name}};
  });
  controller->start(script);
  api.put({{"apiVersion", "v1"},
           {"kind", "Pod"},
           {"metadata",
            {{"name", "p"},
             {"namespace", "ns"},
             {"ownerReferences",
              {{{"apiVersion", "apps/v1"}, {"kind", "ReplicaSet"}, {"name", "rs"}, {"uid", "1"}, {"controller", true}},
               {{"apiVersion", "v1"}, {"kind", "Node"}, {"name", "n"}, {"uid", "2"}}}}}}});
  ASSERT_TRUE(settled(1));
  api.put({{"apiVersion", "v1"}, {"kind", "Secret"}, {"metadata", {{"name", "s"}, {"namespace", "ns"}}}});
  ASSERT_TRUE(settled(2));
  EXPECT_EQ(script->calls, (std::vector<std::string>{"rs", "for-s"}));
}

TEST_F(ControllerTest, MetricsCarryControllerRuntimeNames) {
  api.put(config("a"));
  controller->watches(kinds::kConfigMap).start(script);
  ASSERT_TRUE(settled(1));
  const std::string text = renderMetrics({controller});
  EXPECT_NE(text.find("controller_runtime_reconcile_total{controller=\"test\",result=\"success\"} 1\n"), std::string::npos)
      << text;
  EXPECT_NE(text.find("workqueue_adds_total{name=\"test\"} 1\n"), std::string::npos);
}

TEST_F(ControllerTest, GenerationPredicateIgnoresStatus) {
  Json object = api.put(config("a"));
  controller->watches(kinds::kConfigMap, generationChanged).start(script);
  ASSERT_TRUE(settled(1));
  api.setStatus(kinds::kConfigMap, {"ns", "a"}, {{"phase", "x"}});
  loop.settle();
  EXPECT_EQ(script->calls.size(), 1u);
}

}  // namespace
}  // namespace slipway::kube
