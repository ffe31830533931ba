// Lists in pages and at revisions, and what reads say to revisions that are gone or not there yet.
#include "apiserver/testing/http_fixture.h"

namespace slipway::apiserver {
namespace {

const std::string kMaps = "/api/v1/namespaces/default/configmaps";

class ListTest : public HttpFixture {
 protected:
  void make(const std::string& name) { ASSERT_EQ(post(kMaps, {{"metadata", {{"name", name}}}}).status, 201); }
  void makeAll() {
    for (const char* name : {"a", "b", "c", "d"}) make(name);
  }
  static std::string names(const Answer& list) {
    std::string all;
    for (const Json& item : at(list.json, "items")) all += textAt(at(item, "metadata"), "name");
    return all;
  }
  static std::string meta(const Answer& list, const char* field) { return textAt(at(list.json, "metadata"), field); }
  Answer get(const std::string& query) { return call("GET", kMaps + "?" + query); }
  std::string reason(const Answer& a) { return textAt(a.json, "reason"); }
};

TEST_F(ListTest, EveryPageShowsTheStateOfTheFirst) {
  makeAll();
  const Answer first = get("limit=2");
  EXPECT_EQ(names(first), "ab");
  EXPECT_EQ(first.json["metadata"]["remainingItemCount"], 2);
  ASSERT_EQ(call("DELETE", kMaps + "/c").status, 200);
  make("bb");
  const Answer second = get("limit=1&continue=" + net::percentEncode(meta(first, "continue")));
  EXPECT_EQ(names(second), "c");
  const Answer third = get("limit=5&continue=" + net::percentEncode(meta(second, "continue")));
  EXPECT_EQ(names(third), "d");
  EXPECT_EQ(meta(third, "continue"), "");
  for (const Answer* page : {&second, &third}) EXPECT_EQ(meta(*page, "resourceVersion"), meta(first, "resourceVersion"));
  EXPECT_EQ(names(get("")), "abbbd");
  // A watch from the list's revision tells what changed between the pages.
  net::Response watch = api.http("GET", kMaps + "?watch=true&resourceVersion=" + meta(third, "resourceVersion"));
  const auto chunk = api.await(watch.body.read());
  EXPECT_NE(chunk->find("DELETED"), std::string::npos);
}

TEST_F(ListTest, APageOfACompactedStateIs410WithATokenThatGoesOn) {
  makeAll();
  const Answer first = get("limit=2");
  ASSERT_EQ(call("DELETE", kMaps + "/c").status, 200);
  make("e");
  ASSERT_TRUE(api.registry().store().compact(api.registry().store().revision() - 1));
  const Answer gone = get("limit=2&continue=" + net::percentEncode(meta(first, "continue")));
  EXPECT_EQ(gone.status, 410);
  EXPECT_EQ(reason(gone), "Expired");
  EXPECT_EQ(gone.message().substr(0, 91),
            "The provided continue parameter is too old to display a consistent list result. You can sta");
  const Answer on = get("limit=5&continue=" + net::percentEncode(meta(gone, "continue")));
  EXPECT_EQ(names(on), "de");
  EXPECT_EQ(meta(on, "resourceVersion"), std::to_string(api.registry().store().revision()));
}

TEST_F(ListTest, ResourceVersionsMeanWhatTheyMeanOnACluster) {
  make("a");
  const std::string then = std::to_string(api.registry().store().revision());
  make("b");
  EXPECT_EQ(names(get("resourceVersion=" + then)), "ab");
  EXPECT_EQ(names(get("resourceVersion=0")), "ab");
  EXPECT_EQ(names(get("resourceVersionMatch=NotOlderThan&resourceVersion=" + then)), "ab");
  const Answer exact = get("resourceVersionMatch=Exact&resourceVersion=" + then);
  EXPECT_EQ(names(exact), "a");
  EXPECT_EQ(meta(exact, "resourceVersion"), then);
  EXPECT_EQ(names(get("limit=9&resourceVersion=" + then)), "a") << "with a limit a revision is exact";
  for (const std::string& target :
       {kMaps + "?resourceVersion=99999", kMaps + "/a?resourceVersion=99999", kMaps + "?watch=true&resourceVersion=99999"}) {
    const Answer future = call("GET", target);
    EXPECT_EQ(future.status, 504) << target;
    EXPECT_EQ(future.message().substr(0, 49), "Timeout: Too large resource version: 99999, curre") << target;
    EXPECT_EQ(future.json["details"]["causes"][0]["reason"], "ResourceVersionTooLarge");
    EXPECT_EQ(future.headers.getOr("Retry-After", ""), "1");
  }
  ASSERT_TRUE(api.registry().store().compact(api.registry().store().revision() - 1));
  make("c");
  ASSERT_TRUE(api.registry().store().compact(api.registry().store().revision() - 1));
  const Answer gone = get("resourceVersionMatch=Exact&resourceVersion=" + then);
  EXPECT_EQ(gone.status, 410);
  EXPECT_EQ(gone.message(), "The resourceVersion for the provided list is too old.");
  EXPECT_EQ(get("watch=true&resourceVersion=1").status, 410);
}

TEST_F(ListTest, CombinationsThatMakeNoSenseAreRefusedAsOnACluster) {
  const std::string prefix = "ListOptions.meta.k8s.io \"\" is invalid: ";
  const std::pair<const char*, const char*> cases[] = {
      {"resourceVersionMatch=Exact",
       "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided"},
      {"resourceVersion=5&resourceVersionMatch=Exact&continue=x",
       "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue is provided"},
      {"resourceVersion=5&resourceVersionMatch=Maybe",
       "resourceVersionMatch: Unsupported value: \"Maybe\": supported values: \"Exact\", \"NotOlderThan\", \"\""},
      {"resourceVersion=0&resourceVersionMatch=Exact",
       "resourceVersionMatch: Forbidden: resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\""},
      {"watch=true&sendInitialEvents=true",
       "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"},
      {"watch=true&resourceVersion=5&resourceVersionMatch=NotOlderThan",
       "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"}};
  for (const auto& [query, says] : cases) {
    const Answer a = get(query);
    EXPECT_EQ(a.status, 422) << query;
    EXPECT_EQ(a.message(), prefix + says);
  }
  EXPECT_EQ(get("continue=x").message(), "continue key is not valid");
  EXPECT_EQ(get("continue=x&resourceVersion=3").message(), "specifying resource version is not allowed when using continue");
  EXPECT_EQ(get("resourceVersion=x").status, 400);
  EXPECT_EQ(get("watch=true&resourceVersion=-1").status, 400);
}

TEST_F(ListTest, AWatchMayAskForNoInitialObjects) {
  make("a");
  net::Response watch =
      api.http("GET", kMaps + "?watch=true&sendInitialEvents=false&resourceVersionMatch=NotOlderThan&timeoutSeconds=5");
  make("b");
  const auto chunk = api.await(watch.body.read());
  EXPECT_EQ(chunk->find("\"name\":\"a\""), std::string::npos);
  EXPECT_NE(chunk->find("\"name\":\"b\""), std::string::npos);
}

TEST_F(ListTest, DeleteCollectionDeletesTheListItAnswersWith) {
  for (const char* name : {"a", "b", "c", "d", "e"}) make(name);
  const Answer first = call("DELETE", kMaps + "?limit=2");
  EXPECT_EQ(first.status, 200);
  EXPECT_EQ(first.json["kind"], "ConfigMapList");
  EXPECT_EQ(names(first), "ab");
  EXPECT_EQ(first.json["metadata"]["remainingItemCount"], 3);
  EXPECT_EQ(names(get("")), "cde") << "no more than the page";
  const std::string token = net::percentEncode(meta(first, "continue"));
  make("bb");  // the token's list is that of the first page: what came since is not in it
  const Answer second = call("DELETE", kMaps + "?limit=2&continue=" + token);
  EXPECT_EQ(names(second), "cd");
  const Answer third = call("DELETE", kMaps + "?limit=2&continue=" + net::percentEncode(meta(second, "continue")));
  EXPECT_EQ(names(third), "e");
  EXPECT_EQ(meta(third, "continue"), "");
  EXPECT_EQ(names(get("")), "bb");
  EXPECT_EQ(call("DELETE", kMaps + "?limit=x").status, 400);
  EXPECT_EQ(names(call("DELETE", kMaps + "?dryRun=All")), "bb");
  EXPECT_EQ(names(call("DELETE", kMaps)), "bb");
  EXPECT_EQ(names(get("")), "");
}

class BoundsTest : public HttpFixture {};

TEST_F(BoundsTest, AnObjectBeyondTheBoundIsRefusedAndTheOldOneStays) {
  const std::string deployments = "/apis/apps/v1/namespaces/default/deployments";
  const auto deployment = [](const std::string& name, const std::string& value) {
    const Json container{{"name", "c"}, {"image", "i"}, {"env", Json::array({{{"name", "E"}, {"value", value}}})}};
    return Json{
        {"metadata", {{"name", name}}},
        {"spec",
         {{"selector", {{"matchLabels", {{"a", "b"}}}}},
          {"template", {{"metadata", {{"labels", {{"a", "b"}}}}}, {"spec", {{"containers", Json::array({container})}}}}}}}};
  };
  ASSERT_EQ(post(deployments, deployment("big", "small")).status, 201);
  const std::string huge(1600 << 10, 'x');
  const Answer made = post(deployments, deployment("huge", huge));
  EXPECT_EQ(made.status, 413);
  EXPECT_EQ(made.message().substr(0, 61), "Request entity too large: deployments.apps \"huge\" would be 16");
  Json larger = deployment("big", huge);
  EXPECT_EQ(call("PUT", deployments + "/big", dumpJson(larger)).status, 413);
  const Json kept = call("GET", deployments + "/big").json;
  EXPECT_EQ(kept["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"], "small");
  EXPECT_EQ(call("GET", deployments + "/huge").status, 404);
  EXPECT_EQ(call("POST", kMaps, std::string(4 << 20, ' ')).message(),
            "Request entity too large: limit is 3145728 bytes (--max-request-bytes)");
}

TEST_F(BoundsTest, TenThousandWatchesSeeAChangeAndTheNextOneIsRefused) {
  constexpr std::size_t kWatches = 10000;
  std::vector<net::Response> watches;
  watches.reserve(kWatches);
  for (std::size_t i = 0; i < kWatches; ++i) {
    watches.push_back(
        api.http("GET", kMaps + "?watch=true&resourceVersion=" + std::to_string(api.registry().store().revision())));
    ASSERT_EQ(watches.back().status, 200);
  }
  const Answer refused = call("GET", kMaps + "?watch=true");
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.headers.getOr("Retry-After", ""), "1");
  EXPECT_EQ(refused.message(), "10000 watches are open, the limit (--max-watches); close one and try again");
  // Our own controllers are not kept out.
  auto own = api.await(api.client().watch(kinds::kConfigMap, {.ns = "default"}, ""));
  EXPECT_TRUE(own);
  std::size_t seen = 0;
  for (net::Response& w : watches) {
    boost::asio::co_spawn(io, w.body.read(), [&](std::exception_ptr, Result<std::string> chunk) {
      seen += chunk && chunk->find("\"name\":\"one\"") != std::string::npos;
    });
  }
  ASSERT_EQ(post(kMaps, {{"metadata", {{"name", "one"}}}}).status, 201);
  EXPECT_TRUE(api.runUntil([&] { return seen == kWatches; }));
  watches.pop_back();
  EXPECT_EQ(api.http("GET", kMaps + "?watch=true").status, 200);
}

TEST_F(BoundsTest, OneUserCannotTakeEveryWatch) {
  grant("bob", Json::array({{{"apiGroups", {""}}, {"resources", {"configmaps"}}, {"verbs", {"watch", "list"}}}}));
  std::vector<net::Response> watches;
  const auto open = [&](const char* token) {
    return api.http("GET", kMaps + "?watch=true", "", {{"Authorization", std::string("Bearer ") + token}});
  };
  for (int i = 0; i < 2000; ++i) {
    watches.push_back(open("bob-token"));
    ASSERT_EQ(watches.back().status, 200);
  }
  const Answer refused = call("GET", kMaps + "?watch=true", "", bearer("bob-token"));
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.headers.getOr("Retry-After", ""), "1");
  EXPECT_EQ(refused.message(),
            "2000 watches of user \"bob\" are open, the limit (--max-watches-per-user); close one and try again");
  EXPECT_EQ(open("admin-token").status, 200) << "others get theirs";
  EXPECT_EQ(call("GET", kMaps, "", bearer("bob-token")).status, 200) << "and lists are no watches";
  watches.pop_back();
  EXPECT_EQ(open("bob-token").status, 200);
}

TEST_F(BoundsTest, ABackupOverHttpIsForThoseWhoMayDoEverything) {
  EXPECT_EQ(call("GET", "/slipway/backup", "", bearer("bob-token")).message(),
            "forbidden: User \"bob\" cannot get path \"/slipway/backup\"");
  net::Response copy = api.http("GET", "/slipway/backup");
  ASSERT_EQ(copy.status, 200);
  const auto first = api.await(copy.body.read());
  ASSERT_TRUE(first);
  EXPECT_EQ(first->substr(0, 15), "SQLite format 3");
}

}  // namespace
}  // namespace slipway::apiserver
