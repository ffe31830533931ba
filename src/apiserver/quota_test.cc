#include <gtest/gtest.h>

#include "apiserver/testing/test_api.h"

namespace slipway::apiserver {
namespace {

constexpr const char* kBase = "/api/v1/namespaces/default/";

class QuotaTest : public ::testing::Test {
 protected:
  struct Answer {
    int status = 0;
    Json json;
  };
  Answer call(std::string method, const std::string& target, std::string body = "") {
    net::Response r = api.http(std::move(method), target, std::move(body));
    return {r.status, Json::parse(r.body.takeBytes(), nullptr, false)};
  }
  Answer post(const std::string& plural, const std::string& body) { return call("POST", kBase + plural, body); }
  Answer pod(const std::string& name, const std::string& resources = "{}") {
    return post("pods", R"({"metadata":{"name":")" + name +
                            R"("},"spec":{"containers":[{"name":"c","image":"i","resources":)" + resources + "}]}}");
  }
  // The quota's status.used once nothing is left to count.
  std::string used(const std::string& name) {
    api.runUntil([this] { return api.server().idle(); });
    return dumpJson(at(call("GET", kBase + ("resourcequotas/" + name)).json, "status", "used"));
  }
  boost::asio::io_context io;
  TestApi api{io};
};

TEST_F(QuotaTest, CountsWhatIsThereAndWhatComesAndGoes) {
  ASSERT_EQ(pod("early").status, 201);
  ASSERT_EQ(
      post("resourcequotas", R"({"metadata":{"name":"q"},"spec":{"hard":{"pods":"3","count/configmaps":"10"}}})").status,
      201);
  EXPECT_EQ(used("q"), R"({"count/configmaps":"0","pods":"1"})");
  ASSERT_EQ(pod("late").status, 201);
  ASSERT_EQ(post("configmaps", R"({"metadata":{"name":"c"}})").status, 201);
  EXPECT_EQ(used("q"), R"({"count/configmaps":"1","pods":"2"})");
  ASSERT_EQ(call("DELETE", kBase + std::string("pods/early")).status, 200);
  EXPECT_EQ(used("q"), R"({"count/configmaps":"1","pods":"1"})");
}

TEST_F(QuotaTest, RefusesWhatWouldGoOver) {
  post("resourcequotas", R"({"metadata":{"name":"q"},"spec":{"hard":{"pods":"1"}}})");
  ASSERT_EQ(pod("a").status, 201);
  const Answer refused = pod("b");
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(refused.json["message"],
            "pods \"b\" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1");
  call("DELETE", kBase + std::string("pods/a"));
  EXPECT_EQ(pod("b").status, 201);  // at once, without waiting for the count in the quota's status
}

TEST_F(QuotaTest, AContainerMustSayWhatTheQuotaBounds) {
  post("resourcequotas", R"({"metadata":{"name":"q"},"spec":{"hard":{"requests.cpu":"1"}}})");
  EXPECT_EQ(pod("a").json["message"], "pods \"a\" is forbidden: failed quota: q: must specify requests.cpu for: c");
  EXPECT_EQ(pod("a", R"({"requests":{"cpu":"600m"}})").status, 201);
  EXPECT_EQ(pod("b", R"({"requests":{"cpu":"600m"}})").json["message"],
            "pods \"b\" is forbidden: exceeded quota: q, requested: requests.cpu=600m, used: requests.cpu=600m, "
            "limited: requests.cpu=1");
  EXPECT_EQ(used("q"), R"({"requests.cpu":"600m"})");
}

TEST_F(QuotaTest, ALimitRangeFillsAndBounds) {
  ASSERT_EQ(post("limitranges", R"({"metadata":{"name":"r"},"spec":{"limits":[{"type":"Container","default":{"cpu":"500m"},
    "defaultRequest":{"cpu":"100m"},"max":{"cpu":"1"}}]}})")
                .status,
            201);
  const Answer filled = pod("a");
  ASSERT_EQ(filled.status, 201) << filled.json;
  EXPECT_EQ(at(filled.json, "spec", "containers")[0]["resources"],
            Json::parse(R"({"limits":{"cpu":"500m"},"requests":{"cpu":"100m"}})"));
  EXPECT_EQ(pod("b", R"({"limits":{"cpu":"2"}})").json["message"],
            "pods \"b\" is forbidden: maximum cpu usage per Container is 1, but limit is 2");
}

TEST_F(QuotaTest, CustomDefinitionsShowOurKindsAndStayAsTheyAre) {
  const std::string path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
  const Json isvc = call("GET", path + "/inferenceservices.serving.kserve.io").json;
  EXPECT_EQ(at(isvc, "spec", "names", "kind"), "InferenceService");
  EXPECT_EQ(at(isvc, "spec", "names", "shortNames"), Json::array({"isvc"}));
  EXPECT_EQ(at(isvc, "spec", "versions")[0]["name"], "v1beta1");
  EXPECT_EQ(at(isvc, "status", "conditions")[1]["type"], "Established");
  const Answer refused = call("DELETE", path + "/inferenceservices.serving.kserve.io");
  EXPECT_EQ(refused.status, 403);
  EXPECT_NE(textAt(refused.json, "message").find("serves a fixed set of kinds"), std::string::npos);
  EXPECT_EQ(call("GET", path + "/inferenceservices.serving.kserve.io").status, 200);
}

TEST_F(QuotaTest, BindingAPodDoesNotCountAsAChangeOfItsSpec) {
  ASSERT_EQ(pod("a").status, 201);
  const Answer bound =
      post("pods/a/binding", R"({"metadata":{"name":"a"},"target":{"apiVersion":"v1","kind":"Node","name":"n"}})");
  ASSERT_EQ(bound.status, 201) << bound.json;
  const Json now = call("GET", kBase + std::string("pods/a")).json;
  EXPECT_EQ(at(now, "spec", "nodeName"), "n");
  EXPECT_EQ(at(now, "metadata", "generation"), 1);
}

}  // namespace
}  // namespace slipway::apiserver
