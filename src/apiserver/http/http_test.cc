#include <gtest/gtest.h>

#include "apiserver/testing/test_api.h"

namespace slipway::apiserver {
namespace {

constexpr const char* kMaps = "/api/v1/namespaces/default/configmaps";
constexpr const char* kTable = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

class HttpTest : public ::testing::Test {
 protected:
  struct Answer {
    int status = 0;
    net::Headers headers;
    Json json;
    std::string text;
  };
  Answer call(std::string method, std::string target, std::string body = "",
              std::vector<std::pair<std::string, std::string>> headers = {}) {
    net::Response r = api.http(std::move(method), std::move(target), std::move(body), std::move(headers));
    Answer a{r.status, r.headers, nullptr, r.body.streaming() ? "" : r.body.takeBytes()};
    a.json = Json::parse(a.text, nullptr, false);
    return a;
  }
  Answer createMap(const std::string& name) {
    return call("POST", kMaps, R"({"metadata":{"name":")" + name + R"("},"data":{"k":"1"}})");
  }
  // The next event of a watch's body.
  Json event(net::Response& watch) {
    auto chunk = api.await(watch.body.read());
    EXPECT_TRUE(chunk);
    return chunk ? Json::parse(chunk->substr(0, chunk->find('\n')), nullptr, false) : Json();
  }
  boost::asio::io_context io;
  TestApi api{io, {.roles = true}};
};

TEST_F(HttpTest, CreatesReadsAndDeletesWithTheRightCodes) {
  const Answer made = createMap("a");
  EXPECT_EQ(made.status, 201);
  EXPECT_EQ(made.headers.getOr("Content-Type", ""), "application/json");
  EXPECT_EQ(call("GET", std::string(kMaps) + "/a").json["data"]["k"], "1");
  EXPECT_EQ(createMap("a").status, 409);
  const Answer list = call("GET", kMaps);
  EXPECT_EQ(list.json["kind"], "ConfigMapList");
  EXPECT_EQ(list.json["items"].size(), 1u);
  const Answer gone = call("DELETE", std::string(kMaps) + "/a", R"({"propagationPolicy":"Background"})");
  EXPECT_EQ(gone.status, 200);
  EXPECT_EQ(gone.json["details"]["uid"], made.json["metadata"]["uid"]);
  EXPECT_EQ(call("GET", std::string(kMaps) + "/a").json["message"], "configmaps \"a\" not found");
}

TEST_F(HttpTest, WithoutAGoodCredentialTheAnswerIs401) {
  for (const char* value : {"Bearer wrong", "Basic YWRtaW4=", "Bearer "}) {
    EXPECT_EQ(call("GET", kMaps, "", {{"Authorization", value}}).status, 401) << value;
  }
  net::Request anonymous;
  anonymous.target = kMaps;
  EXPECT_EQ(api.await(api.server().handler()(std::move(anonymous))).status, 401);
  net::Request health;
  health.target = "/healthz";
  EXPECT_EQ(api.await(api.server().handler()(std::move(health))).body.bytes(), "ok");
}

TEST_F(HttpTest, AClientCertificateNamesUserAndGroups) {
  net::Request r;
  r.method = "POST";
  r.target = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
  r.peer.certCommonName = "alice";
  r.peer.certOrganizations = {"system:masters"};
  r.body = net::Body(std::string(R"({"kind":"SelfSubjectReview"})"));
  const net::Response response = api.await(api.server().handler()(std::move(r)));
  EXPECT_EQ(response.status, 201);
  EXPECT_EQ(Json::parse(response.body.bytes())["status"]["userInfo"]["username"], "alice");
}

TEST_F(HttpTest, RolesAndBindingsDecideWhatAUserMayDo) {
  const std::vector<std::pair<std::string, std::string>> bob = {{"Authorization", "Bearer bob-token"}};
  const Answer denied = call("GET", kMaps, "", bob);
  EXPECT_EQ(denied.status, 403);
  EXPECT_EQ(denied.json["message"],
            "configmaps is forbidden: User \"bob\" cannot list resource \"configmaps\" in API group \"\" in the namespace "
            "\"default\"");
  EXPECT_EQ(call("GET", "/apis", "", bob).status, 200);
  const std::string rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings";
  EXPECT_EQ(
      call("POST", rbac,
           R"({"metadata":{"name":"b"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"view"},
      "subjects":[{"kind":"Group","apiGroup":"rbac.authorization.k8s.io","name":"dev"}]})")
          .status,
      201);
  EXPECT_EQ(call("GET", kMaps, "", bob).status, 200);
  EXPECT_EQ(call("GET", "/api/v1/namespaces/kserve/configmaps", "", bob).status, 403);
  EXPECT_EQ(call("DELETE", std::string(kMaps) + "/x", "", bob).status, 403);
  EXPECT_EQ(call("GET", kMaps, "", {{"Impersonate-User", "carol"}}).status, 403);
  auto mayI = [&](const char* verb) {
    return call("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
                std::string(R"({"spec":{"resourceAttributes":{"namespace":"default","verb":")") + verb +
                    R"(","resource":"configmaps"}}})",
                bob)
        .json["status"]["allowed"];
  };
  EXPECT_EQ(mayI("get"), true);
  EXPECT_EQ(mayI("delete"), false);
}

TEST_F(HttpTest, ServiceAccountTokensWorkUntilTheAccountIsGone) {
  const std::string accounts = "/api/v1/namespaces/default/serviceaccounts";
  ASSERT_EQ(call("POST", accounts, R"({"metadata":{"name":"bot"}})").status, 201);
  EXPECT_EQ(call("POST", accounts + "/bot/token", R"({"spec":{"expirationSeconds":10}})").status, 422);
  const Answer made = call("POST", accounts + "/bot/token", "{}");
  ASSERT_EQ(made.status, 201);
  const std::string bearer = "Bearer " + made.json["status"]["token"].get<std::string>();
  const Answer me = call("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", "{}", {{"Authorization", bearer}});
  EXPECT_EQ(me.json["status"]["userInfo"]["username"], "system:serviceaccount:default:bot");
  EXPECT_EQ(call("GET", "/apis", "", {{"Authorization", bearer + "x"}}).status, 401);
  ASSERT_EQ(call("DELETE", accounts + "/bot").status, 200);
  EXPECT_EQ(call("GET", "/apis", "", {{"Authorization", bearer}}).status, 401);
}

TEST_F(HttpTest, DiscoveryComesInBothForms) {
  EXPECT_EQ(call("GET", "/api").json["versions"][0], "v1");
  const Json v1 = call("GET", "/api/v1").json;
  EXPECT_EQ(v1["kind"], "APIResourceList");
  bool scale = false;
  const Json apps = call("GET", "/apis/apps/v1").json;
  for (const Json& r : apps["resources"]) scale = scale || r["name"] == "deployments/scale";
  EXPECT_TRUE(scale);
  const std::string accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";
  const Answer all = call("GET", "/apis", "", {{"Accept", accept}});
  EXPECT_EQ(all.headers.getOr("Content-Type", ""), "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList");
  EXPECT_EQ(all.json["apiVersion"], "apidiscovery.k8s.io/v2");
  EXPECT_EQ(call("GET", "/apis/nope.example.com").status, 404);
  EXPECT_EQ(call("GET", "/version").json["minor"], "34");
}

TEST_F(HttpTest, OpenApiIsServedOnceAndThenConfirmed) {
  const Answer v2 = call("GET", "/openapi/v2");
  EXPECT_EQ(v2.headers.getOr("Content-Type", ""), "application/com.github.proto-openapi.spec.v2.v1.0+protobuf");
  const std::string tag(v2.headers.getOr("ETag", ""));
  EXPECT_EQ(call("GET", "/openapi/v2", "", {{"If-None-Match", tag}}).status, 304);
  const Json index = call("GET", "/openapi/v3").json;
  const std::string url = index["paths"]["apis/apps/v1"]["serverRelativeURL"];
  const Answer doc = call("GET", url);
  EXPECT_EQ(doc.json["openapi"], "3.0.0");
  EXPECT_EQ(doc.headers.getOr("Cache-Control", ""), "public, immutable");
}

TEST_F(HttpTest, TablesHaveOneRowPerObject) {
  createMap("a");
  const Json table = call("GET", kMaps, "", {{"Accept", kTable}}).json;
  EXPECT_EQ(table["kind"], "Table");
  EXPECT_EQ(table["columnDefinitions"][0]["name"], "Name");
  EXPECT_EQ(table["rows"][0]["cells"][0], "a");
  EXPECT_EQ(table["rows"][0]["object"]["kind"], "PartialObjectMetadata");
  EXPECT_EQ(call("GET", std::string(kMaps) + "/nope", "", {{"Accept", kTable}}).json["kind"], "Status");
}

TEST_F(HttpTest, AWatchSendsInitialObjectsChangesAndTables) {
  createMap("a");
  net::Response watch =
      api.http("GET", std::string(kMaps) + "?watch=true&fieldSelector=metadata.name%3Da&resourceVersion=0");
  EXPECT_EQ(watch.status, 200);
  EXPECT_EQ(event(watch)["type"], "ADDED");
  call("PATCH", std::string(kMaps) + "/a", R"({"data":{"k":"2"}})", {{"Content-Type", "application/merge-patch+json"}});
  const Json modified = event(watch);
  EXPECT_EQ(modified["type"], "MODIFIED");
  EXPECT_EQ(modified["object"]["data"]["k"], "2");
  net::Response rows = api.http("GET", std::string(kMaps) + "?watch=true", "", {{"Accept", kTable}});
  const Json first = event(rows);
  EXPECT_EQ(first["object"]["kind"], "Table");
  EXPECT_TRUE(first["object"]["columnDefinitions"].is_array());
  call("DELETE", std::string(kMaps) + "/a");
  const Json last = event(rows);
  EXPECT_EQ(last["type"], "DELETED");
  EXPECT_TRUE(last["object"]["columnDefinitions"].is_null());
}

TEST_F(HttpTest, AWatchEndsCleanlyAtItsTimeoutAndTellsTheEndOfInitialEvents) {
  createMap("a");
  net::Response watch = api.http(
      "GET",
      std::string(kMaps) +
          "?watch=true&timeoutSeconds=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true");
  auto chunk = api.await(watch.body.read());
  ASSERT_TRUE(chunk);
  EXPECT_NE(chunk->find("\"type\":\"ADDED\""), std::string::npos);
  EXPECT_NE(chunk->find("k8s.io/initial-events-end"), std::string::npos);
  auto bookmark = api.await(watch.body.read());
  EXPECT_NE(bookmark->find("BOOKMARK"), std::string::npos);
  EXPECT_EQ(*api.await(watch.body.read()), "");
  EXPECT_EQ(call("GET", std::string(kMaps) + "?watch=true&sendInitialEvents=true").status, 422);
}

TEST_F(HttpTest, EveryPatchTypeAndItsRefusals) {
  createMap("a");
  const std::string a = std::string(kMaps) + "/a";
  auto patch = [&](const char* type, const char* body, const char* query = "") {
    return call("PATCH", a + query, body, {{"Content-Type", type}});
  };
  EXPECT_EQ(patch("application/json-patch+json", R"([{"op":"replace","path":"/data/k","value":"5"}])").json["data"]["k"],
            "5");
  EXPECT_EQ(patch("application/strategic-merge-patch+json", R"({"data":{"x":"y"}})").json["data"]["x"], "y");
  EXPECT_EQ(patch("application/json-patch+json", R"([{"op":"replace","path":"/data/no/k","value":"5"}])").status, 422);
  EXPECT_EQ(patch("text/plain", "{}").status, 415);
  EXPECT_EQ(patch("application/merge-patch+json", R"({"data":)").json["message"], "unexpected end of JSON input");
  EXPECT_EQ(patch("application/apply-patch+yaml", "{}").status, 422);  // no fieldManager
  EXPECT_EQ(patch("application/merge-patch+json", "{}", "?force=true").status, 422);
  EXPECT_EQ(patch("application/merge-patch+json", R"({"metadata":{"resourceVersion":"1"}})").status, 409);
  const Answer isvc = call("PATCH", "/apis/serving.kserve.io/v1beta1/namespaces/default/inferenceservices/x", "{}",
                           {{"Content-Type", "application/strategic-merge-patch+json"}});
  EXPECT_EQ(isvc.status, 415);
}

TEST_F(HttpTest, ServerSideApplyCreatesOwnsAndConflicts) {
  const std::string b = std::string(kMaps) + "/b";
  const std::vector<std::pair<std::string, std::string>> apply = {{"Content-Type", "application/apply-patch+yaml"}};
  const std::string yaml = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\ndata: {k: v1}\n";
  EXPECT_EQ(call("PATCH", b + "?fieldManager=one", yaml, apply).status, 201);
  const Answer same = call("PATCH", b + "?fieldManager=one", yaml, apply);
  EXPECT_EQ(same.status, 200);
  const Answer other =
      call("PATCH", b + "?fieldManager=two", R"({"apiVersion":"v1","kind":"ConfigMap","data":{"k":"v2"}})", apply);
  EXPECT_EQ(other.status, 409);
  EXPECT_EQ(other.json["message"], "Apply failed with 1 conflict: conflict with \"one\": .data.k");
  EXPECT_EQ(
      call("PATCH", b + "?fieldManager=two&force=true", R"({"apiVersion":"v1","kind":"ConfigMap","data":{"k":"v2"}})", apply)
          .json["data"]["k"],
      "v2");
}

TEST_F(HttpTest, UnknownAndDuplicateFieldsAreReportedAsAsked) {
  const std::string body = R"({"metadata":{"name":"s"},"foo":1,"data":{"a":"1","a":"2"}})";
  const Answer strict = call("POST", std::string(kMaps) + "?fieldValidation=Strict", body);
  EXPECT_EQ(strict.status, 400);
  EXPECT_EQ(strict.json["message"],
            "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: unknown field \"foo\", "
            "duplicate field \"data.a\"");
  const Answer warn = call("POST", std::string(kMaps) + "?dryRun=All", body);
  EXPECT_EQ(warn.status, 201);
  EXPECT_EQ(warn.headers.getOr("Warning", ""), "299 - \"unknown field \\\"foo\\\"\"");
  EXPECT_FALSE(call("POST", std::string(kMaps) + "?fieldValidation=Ignore", body).headers.has("Warning"));
}

TEST_F(HttpTest, BadInputGetsAClearAnswer) {
  EXPECT_EQ(call("POST", kMaps, "{").status, 400);
  EXPECT_EQ(call("POST", kMaps, "[]").status, 400);
  EXPECT_EQ(call("POST", kMaps, "x: y", {{"Content-Type", "application/cbor"}}).status, 415);
  EXPECT_EQ(call("POST", kMaps, std::string(4 << 20, ' ')).status, 413);
  EXPECT_EQ(call("POST", kMaps, R"({"kind":"Secret","metadata":{"name":"x"}})").status, 400);
  EXPECT_EQ(call("POST", kMaps, R"({"metadata":{"name":"x","namespace":"other"}})").status, 400);
  EXPECT_EQ(call("GET", std::string(kMaps) + "?labelSelector=a%3Db%3Dc").json["message"],
            "found '=', expected: ',' or 'end of string'");
  EXPECT_EQ(call("GET", std::string(kMaps) + "?limit=x").status, 400);
  EXPECT_EQ(call("PUT", kMaps, "{}").status, 405);
  EXPECT_EQ(call("GET", "/api/v1/namespaces/default/nodes").status, 404);
  EXPECT_EQ(call("GET", "/nope").json["message"], "the server could not find the requested resource");
  EXPECT_EQ(call("GET", "/api/v1/namespaces/default/pods/p/exec").status, 404);
}

TEST_F(HttpTest, EveryVersionOfAKindShowsTheSameObject) {
  const std::string tail = "/namespaces/default/horizontalpodautoscalers";
  const Answer made = call(
      "POST", "/apis/autoscaling/v1" + tail + "?fieldValidation=Strict",
      R"({"apiVersion":"autoscaling/v1","kind":"HorizontalPodAutoscaler","metadata":{"name":"h"},"spec":{"maxReplicas":3,
      "targetCPUUtilizationPercentage":70,"scaleTargetRef":{"apiVersion":"apps/v1","kind":"Deployment","name":"d"}}})");
  EXPECT_EQ(made.status, 201) << made.text;
  EXPECT_EQ(made.json["spec"]["targetCPUUtilizationPercentage"], 70);
  const Json v2 = call("GET", "/apis/autoscaling/v2" + tail + "/h").json;
  EXPECT_EQ(v2["apiVersion"], "autoscaling/v2");
  EXPECT_EQ(v2["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"], 70);
  const Answer patched =
      call("PATCH", "/apis/autoscaling/v1" + tail + "/h", R"({"spec":{"targetCPUUtilizationPercentage":50}})",
           {{"Content-Type", "application/merge-patch+json"}});
  EXPECT_EQ(patched.json["spec"]["targetCPUUtilizationPercentage"], 50) << patched.text;
}

TEST_F(HttpTest, YamlBodiesAndListsOfTheWholeClusterWork) {
  EXPECT_EQ(
      call("POST", kMaps, "metadata:\n  name: yam\ndata:\n  k: \"1\"\n", {{"Content-Type", "application/yaml"}}).status,
      201);
  EXPECT_EQ(call("GET", "/api/v1/configmaps").json["items"].size(), 1u);
  EXPECT_EQ(call("DELETE", kMaps).status, 200);
  EXPECT_EQ(call("GET", "/api/v1/configmaps").json["items"].size(), 0u);
}

}  // namespace
}  // namespace slipway::apiserver
