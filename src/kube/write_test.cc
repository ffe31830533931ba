// Tests of what controllers write with: applyChildren, updateStatus, EventRecorder.
#include <gtest/gtest.h>

#include "kube/apply_children.h"
#include "kube/event_recorder.h"
#include "kube/status_update.h"
#include "kube/testing/fake_client.h"
#include "kube/testing/loop.h"

namespace slipway::kube {
namespace {
using namespace std::chrono_literals;

Json object(const char* apiVersion, const char* kind, const std::string& name) {
  return {{"apiVersion", apiVersion}, {"kind", kind}, {"metadata", {{"name", name}, {"namespace", "ns"}}}};
}

class WriteTest : public ::testing::Test {
 protected:
  Loop loop;
  FakeClock clock;
  FakeClient api{loop.executor(), clock};
  TaskScope scope{loop.executor(), "test"};
  Cache cache{api, clock, scope};
  Inventory inventory{api, cache, "tester", {kinds::kConfigMap, kinds::kService}};
  Json owner = api.put(object("apps/v1", "Deployment", "web"));

  void SetUp() override { loop.run(cache.waitForSync()); }
  void TearDown() override {
    scope.cancel();
    loop.run(scope.join());
  }
  Json config(const std::string& name, const std::string& value) {
    Json c{{"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"metadata", {{"name", name}}}};
    c["data"] = {{"k", value}};
    return c;
  }
  Result<ApplyReport> apply(std::vector<Json> desired) {
    auto r = loop.run(applyChildren(inventory, owner, std::move(desired)));
    return r;
  }
  void catchUp() {
    loop.until([&] {
      return cache.of(kinds::kConfigMap).size() == api.all(kinds::kConfigMap).size() &&
             std::ranges::all_of(api.all(kinds::kConfigMap),
                                 [&](const Json& c) { return *cache.of(kinds::kConfigMap).get(keyOf(c)) == c; });
    });
  }
};

TEST_F(WriteTest, ApplyChildrenCreatesWithOwnerAndNamespace) {
  auto report = apply({config("a", "1"), config("b", "1")});
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->applied, 2);
  ASSERT_EQ(report->children.size(), 2u);
  const Json a = api.peek(kinds::kConfigMap, {"ns", "a"});
  EXPECT_EQ(at(a, "metadata", "ownerReferences"), Json::array({ownerReference(owner)}));
}

TEST_F(WriteTest, ApplyChildrenTwiceWritesNothingTheSecondTime) {
  apply({config("a", "1"), config("b", "1")});
  const auto requests = api.log().size();
  auto behind = apply({config("a", "1"), config("b", "1")});  // the cache has not seen the first run yet
  EXPECT_EQ(behind->applied, 0);
  catchUp();
  auto again = apply({config("a", "1"), config("b", "1")});
  EXPECT_EQ(again->applied, 0);
  EXPECT_EQ(again->removed, 0);
  EXPECT_EQ(api.log().size(), requests);
  EXPECT_EQ(again->children[0], api.peek(kinds::kConfigMap, {"ns", "a"}));
}

TEST_F(WriteTest, ApplyChildrenKeepsWhatOthersAdded) {
  apply({config("a", "1")});
  Json a = api.peek(kinds::kConfigMap, {"ns", "a"});
  a["metadata"]["annotations"]["other"] = "x";
  api.put(a);
  catchUp();
  EXPECT_EQ(apply({config("a", "1")})->applied, 0);
}

TEST_F(WriteTest, ApplyChildrenRepairsDriftAndPrunes) {
  apply({config("a", "1"), config("b", "1")});
  Json a = api.peek(kinds::kConfigMap, {"ns", "a"});
  a["data"]["k"] = "tampered";
  api.put(a);
  catchUp();
  auto report = apply({config("a", "1")});
  EXPECT_EQ(report->applied, 1);
  EXPECT_EQ(report->removed, 1);
  EXPECT_EQ(api.peek(kinds::kConfigMap, {"ns", "a"})["data"]["k"], "1");
  EXPECT_TRUE(api.peek(kinds::kConfigMap, {"ns", "b"}).is_null());
}

TEST_F(WriteTest, ApplyChildrenRecreatesWhatAUserDeleted) {
  apply({config("a", "1")});
  catchUp();
  api.drop(kinds::kConfigMap, {"ns", "a"});
  catchUp();
  EXPECT_EQ(apply({config("a", "1")})->applied, 1);
}

TEST_F(WriteTest, ApplyChildrenRefusesAnotherOwnersObject) {
  Json other = config("a", "1");
  other["metadata"]["namespace"] = "ns";
  other["metadata"]["ownerReferences"] = {
      {{"apiVersion", "v1"}, {"kind", "Foo"}, {"name", "f"}, {"uid", "u"}, {"controller", true}}};
  api.put(other);
  catchUp();
  auto report = apply({config("a", "1")});
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, Code::AlreadyExists);
  EXPECT_EQ(report.error().message,
            "ConfigMap ns/a already exists and belongs to Foo \"f\"; delete it or choose another name");
}

TEST_F(WriteTest, ApplyChildrenNamesTheChildThatFails) {
  api.onRequest = [](const FakeRequest& r) -> std::optional<Error> {
    if (r.verb == "patch") return Error{Code::Invalid, "data: Invalid value", ""};
    return std::nullopt;
  };
  auto report = apply({config("a", "1")});
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().message, "ConfigMap ns/a: data: Invalid value");
}

TEST_F(WriteTest, ApplyChildrenRemovesFieldsThatAreNoLongerWanted) {
  Json first = config("a", "1");
  first["metadata"]["annotations"] = {{"keep", "1"}, {"drop", "1"}};
  first["rules"] = {{{"name", "x"}, {"limit", 5}}};
  Json second = first;
  second["metadata"]["annotations"].erase("drop");
  second["rules"][0].erase("limit");
  apply({first});
  catchUp();
  apply({second});
  const Json live = api.peek(kinds::kConfigMap, {"ns", "a"});
  EXPECT_EQ(at(live, "metadata", "annotations"), (Json{{"keep", "1"}}));
  EXPECT_EQ(live["rules"], second["rules"]);
  catchUp();
  EXPECT_EQ(apply({second})->applied, 0);
}

TEST(Covers, LiveMayHaveMoreButNotLess) {
  EXPECT_TRUE(covers({{"a", 1}, {"b", 2}}, {{"a", 1}}));
  EXPECT_FALSE(covers({{"a", 1}}, {{"a", 2}}));
  EXPECT_FALSE(covers({{"a", 1}}, {{"a", 1}, {"b", 2}}));
  EXPECT_TRUE(covers({{"l", {{{"x", 1}, {"d", 0}}}}}, {{"l", {{{"x", 1}}}}}));
  EXPECT_FALSE(covers({{"l", {1, 2}}}, {{"l", {1}}}));
  EXPECT_TRUE(covers({{"a", 1}}, {{"a", 1}, {"labels", Json::object()}, {"text", ""}}));
  EXPECT_FALSE(covers({{"labels", {{"x", "y"}}}}, {{"labels", Json::object()}}));
}

TEST_F(WriteTest, UpdateStatusWritesOnlyDifferences) {
  Json live = api.put(object("apps/v1", "Deployment", "d"));
  const auto before = api.log().size();
  Json written = loop.run(updateStatus(api, kinds::kDeployment, live, {{"replicas", 1}, {"old", 2}})).value();
  EXPECT_EQ(api.log().size(), before + 1);
  loop.run(updateStatus(api, kinds::kDeployment, written, {{"replicas", 1}, {"old", 2}})).value();
  EXPECT_EQ(api.log().size(), before + 1);
  written = loop.run(updateStatus(api, kinds::kDeployment, written, {{"replicas", 2}})).value();
  EXPECT_EQ(at(written, "status"), (Json{{"replicas", 2}}));
  auto stale = loop.run(updateStatus(api, kinds::kDeployment, live, {{"replicas", 9}}));
  ASSERT_FALSE(stale);
  EXPECT_EQ(stale.error().code, Code::Conflict);
}

TEST(Conditions, TransitionTimeMovesOnlyWithStatus) {
  Json conditions;
  setCondition(conditions, {{"type", "Ready"}, {"status", "False"}, {"reason", "A"}}, "t1");
  setCondition(conditions, {{"type", "Ready"}, {"status", "False"}, {"reason", "B"}}, "t2");
  EXPECT_EQ(textAt(findCondition(conditions, "Ready"), "lastTransitionTime"), "t1");
  setCondition(conditions, {{"type", "Ready"}, {"status", "True"}}, "t3");
  EXPECT_EQ(textAt(findCondition(conditions, "Ready"), "lastTransitionTime"), "t3");
  EXPECT_EQ(conditions.size(), 1u);
}

class EventTest : public WriteTest {
 protected:
  EventRecorder events{api, clock, scope, "tester"};
  std::vector<Json> written() {
    loop.until([&] { return events.pending() == 0; });
    return api.all(kinds::kEvent);
  }
};

TEST_F(EventTest, EqualEventsAreCountedOnOneObject) {
  for (int i = 0; i < 3; ++i) {
    events.record(owner, {.reason = "Scaled", .message = "up"});
    clock.advance(1s);
  }
  const auto all = written();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0]["count"], 3);
  EXPECT_EQ(all[0]["firstTimestamp"], "2026-01-01T00:00:00Z");
  EXPECT_EQ(all[0]["lastTimestamp"], "2026-01-01T00:00:02Z");
  EXPECT_EQ(all[0]["source"]["component"], "tester");
  EXPECT_EQ(all[0]["involvedObject"]["uid"], owner["metadata"]["uid"]);
}

TEST_F(EventTest, ManySimilarEventsAreCombined) {
  for (int i = 0; i < 20; ++i) events.record(owner, {.reason = "Scaled", .message = "up " + std::to_string(i)});
  const auto all = written();
  EXPECT_EQ(all.size(), 10u);
  const auto combined = std::ranges::count_if(all, [](const Json& e) {
    return textAt(e, "message").starts_with("(combined from similar events): up ") && e["count"] == 11;
  });
  EXPECT_EQ(combined, 1);
}

TEST_F(EventTest, OneObjectCannotFillTheStore) {
  for (int i = 0; i < 100; ++i) events.record(owner, {.reason = "R" + std::to_string(i), .message = "m"});
  EXPECT_EQ(written().size(), 25u);
  EXPECT_EQ(events.dropped(), 75u);
  clock.advance(300s);
  events.record(owner, {.reason = "Later", .message = "m"});
  EXPECT_EQ(written().size(), 26u);
}

TEST_F(EventTest, SchedulerStyleEventsCarryActionAndEventTime) {
  for (int i = 0; i < 2; ++i) {
    events.record(owner, {.type = "Warning", .reason = "FailedScheduling", .message = "no", .action = "Scheduling"});
  }
  const auto all = written();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0]["action"], "Scheduling");
  EXPECT_EQ(all[0]["eventTime"], "2026-01-01T00:00:00.000000Z");
  EXPECT_EQ(all[0]["series"]["count"], 2);
}

TEST_F(EventTest, WaitsOutAServerThatIsAway) {
  bool away = true;
  api.onRequest = [&](const FakeRequest&) -> std::optional<Error> {
    if (away) return Error{Code::Unavailable, "away", ""};
    return std::nullopt;
  };
  events.record(owner, {.reason = "Scaled", .message = "up"});
  ASSERT_TRUE(loop.until([&] { return clock.sleepers() >= 1; }));
  away = false;
  clock.advance(1s);
  EXPECT_EQ(written().size(), 1u);
}

}  // namespace
}  // namespace slipway::kube
