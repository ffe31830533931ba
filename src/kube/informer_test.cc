#include "kube/informer.h"

#include <gtest/gtest.h>

#include "kube/testing/fake_client.h"
#include "kube/testing/loop.h"

namespace slipway::kube {
namespace {
using namespace std::chrono_literals;

Json pod(const std::string& name, const std::string& app = "web") {
  return {{"apiVersion", "v1"},
          {"kind", "Pod"},
          {"metadata",
           {{"name", name},
            {"namespace", "ns"},
            {"labels", {{"app", app}}},
            {"ownerReferences",
             {{{"uid", "owner-" + app},
               {"kind", "ReplicaSet"},
               {"apiVersion", "apps/v1"},
               {"name", app},
               {"controller", true}}}}}}};
}

class InformerTest : public ::testing::Test {
 protected:
  Loop loop;
  FakeClock clock;
  FakeClient api{loop.executor(), clock};
  TaskScope scope{loop.executor(), "test"};
  Cache cache{api, clock, scope};

  std::string rv() { return std::to_string(api.revision()); }
  void TearDown() override {
    scope.cancel();
    loop.run(scope.join());
  }
};

TEST_F(InformerTest, ShowsWhatIsThereAndFollowsChanges) {
  api.put(pod("a"));
  auto& pods = cache.of(kinds::kPod, {"app"});
  loop.run(cache.waitForSync());
  ASSERT_EQ(pods.size(), 1u);
  api.put(pod("b", "db"));
  api.put(pod("c"));
  loop.run(pods.waitFor(rv()));
  EXPECT_EQ(pods.size(), 3u);
  EXPECT_EQ(pods.withLabel("app", "web").size(), 2u);
  EXPECT_EQ(pods.ownedBy("owner-db").size(), 1u);
  EXPECT_EQ(pods.inNamespace("ns").size(), 3u);
  EXPECT_EQ(pods.inNamespace("n").size(), 0u);
  api.drop(kinds::kPod, {"ns", "b"});
  loop.run(pods.waitFor(rv()));
  EXPECT_EQ(pods.get({"ns", "b"}), nullptr);
  EXPECT_TRUE(pods.ownedBy("owner-db").empty());
}

TEST_F(InformerTest, HandlersSeeEachChangeWithTheOldState) {
  std::vector<std::string> seen;
  api.put(pod("a"));
  auto& pods = cache.of(kinds::kPod);
  pods.onEvent([&](const InformerEvent& e) {
    const char* type = e.type == InformerEvent::Type::Added ? "+" : e.type == InformerEvent::Type::Deleted ? "-" : "~";
    seen.push_back(type + keyOf(*e.object).name + (e.initial ? "i" : "") + (e.old ? "o" : ""));
  });
  loop.run(cache.waitForSync());
  api.put(pod("b"));
  api.put(pod("b", "x"));
  Json again = pod("b");
  again["metadata"]["uid"] = "another";
  api.put(again);
  api.drop(kinds::kPod, {"ns", "a"});
  loop.run(pods.waitFor(rv()));
  // A new uid under the same name is another object.
  EXPECT_EQ(seen, (std::vector<std::string>{"+ai", "+b", "~bo", "-b", "+b", "-a"}));
}

TEST_F(InformerTest, SnapshotsNeverChange) {
  Json p = api.put(pod("a"));
  auto& pods = cache.of(kinds::kPod);
  loop.run(cache.waitForSync());
  Object before = pods.get({"ns", "a"});
  p["metadata"]["labels"]["app"] = "changed";
  api.put(p);
  loop.run(pods.waitFor(rv()));
  EXPECT_EQ(textAt(at(*before, "metadata", "labels"), "app"), "web");
  EXPECT_EQ(textAt(at(*pods.get({"ns", "a"}), "metadata", "labels"), "app"), "changed");
}

TEST_F(InformerTest, ListsAgainAfterCompactionAndReportsWhatVanished) {
  api.put(pod("a"));
  api.put(pod("b"));
  auto& pods = cache.of(kinds::kPod);
  loop.run(cache.waitForSync());
  std::vector<std::string> gone;
  pods.onEvent([&](const InformerEvent& e) {
    if (e.type == InformerEvent::Type::Deleted) gone.push_back(keyOf(*e.object).name);
  });
  api.drop(kinds::kPod, {"ns", "a"});
  api.put(pod("c"));
  api.compact();  // the watch never saw these two changes
  ASSERT_TRUE(loop.until([&] { return pods.get({"ns", "c"}) != nullptr; }));
  EXPECT_EQ(gone, std::vector<std::string>{"a"});
  EXPECT_EQ(pods.size(), 2u);
  EXPECT_EQ(pods.relists(), 1u);
}

TEST_F(InformerTest, RetriesWithBackOffWhenTheServerIsAway) {
  int lists = 0;
  api.onRequest = [&](const FakeRequest& r) -> std::optional<Error> {
    if (r.verb != "list") return std::nullopt;
    return ++lists <= 3 ? std::optional<Error>(Error{Code::Unavailable, "connection refused", ""}) : std::nullopt;
  };
  auto& pods = cache.of(kinds::kPod);
  for (int i = 1; i <= 3; ++i) {
    ASSERT_TRUE(loop.until([&] { return lists == i && clock.sleepers() == 1; }));
    clock.advance(40ms);  // less than half of the first back-off: nobody asks again
    loop.settle();
    EXPECT_EQ(lists, i);
    clock.advance(200ms * (1 << i));
  }
  ASSERT_TRUE(loop.until([&] { return pods.synced(); }));
}

TEST_F(InformerTest, ContinuesFromWhereABrokenWatchEnded) {
  int lists = 0;
  api.onRequest = [&](const FakeRequest& r) -> std::optional<Error> {
    lists += r.verb == "list";
    return std::nullopt;
  };
  auto& pods = cache.of(kinds::kPod);
  loop.run(cache.waitForSync());
  api.breakWatches();
  api.put(pod("a"));
  ASSERT_TRUE(loop.until([&] { return clock.sleepers() == 1; }));
  clock.advance(1s);
  ASSERT_TRUE(loop.until([&] { return pods.size() == 1; }));
  EXPECT_EQ(lists, 1);
}

}  // namespace
}  // namespace slipway::kube
