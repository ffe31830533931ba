#include "apiserver/rbac.h"

#include "apiserver/testing/http_fixture.h"

namespace slipway::apiserver {
namespace {

const std::string kRbac = "/apis/rbac.authorization.k8s.io/v1/";
const std::string kRoles = kRbac + "namespaces/default/roles";
const std::string kBindings = kRbac + "namespaces/default/rolebindings";

Json rule(std::vector<std::string> groups, std::vector<std::string> resources, std::vector<std::string> verbs) {
  return Json{{"apiGroups", groups}, {"resources", resources}, {"verbs", verbs}};
}
Json role(const std::string& name, Json rules) { return {{"metadata", {{"name", name}}}, {"rules", std::move(rules)}}; }
Json binding(const std::string& name, const std::string& kind, const std::string& to, const std::string& user) {
  return {{"metadata", {{"name", name}}},
          {"roleRef", {{"apiGroup", "rbac.authorization.k8s.io"}, {"kind", kind}, {"name", to}}},
          {"subjects", Json::array({{{"apiGroup", "rbac.authorization.k8s.io"}, {"kind", "User"}, {"name", user}}})}};
}

TEST(Rbac, WhatIsNotHeldIsFoundPartByPart) {
  const Json pods = rule({""}, {"pods"}, {"get", "list"});
  EXPECT_TRUE(rbac::missingRules({rule({"*"}, {"*"}, {"*"})}, Json::array({pods})).empty());
  EXPECT_TRUE(rbac::missingRules({rule({""}, {"pods"}, {"get"}), rule({""}, {"*"}, {"list"})}, Json::array({pods})).empty());
  EXPECT_EQ(rbac::missingRules({rule({""}, {"pods"}, {"get"})}, Json::array({pods})).size(), 1u);
  EXPECT_TRUE(
      rbac::missingRules({rule({""}, {"*/log"}, {"get"})}, Json::array({rule({""}, {"pods/log"}, {"get"})})).empty());
  EXPECT_EQ(rbac::missingRules({rule({""}, {"pods"}, {"*"})}, Json::array({rule({""}, {"pods/log"}, {"get"})})).size(), 1u);
  Json named = rule({""}, {"pods"}, {"get"});
  named["resourceNames"] = {"a"};
  EXPECT_EQ(rbac::missingRules({named}, Json::array({rule({""}, {"pods"}, {"get"})})).size(), 1u);
  EXPECT_TRUE(rbac::missingRules({rule({""}, {"pods"}, {"get"})}, Json::array({named})).empty());
  const Json paths{{"nonResourceURLs", {"/api/*"}}, {"verbs", {"get"}}};
  EXPECT_TRUE(rbac::missingRules({paths}, Json::array({{{"nonResourceURLs", {"/api/v1"}}, {"verbs", {"get"}}}})).empty());
  EXPECT_EQ(rbac::missingRules({paths}, Json::array({{{"nonResourceURLs", {"/apis"}}, {"verbs", {"get"}}}})).size(), 1u);
}

class RbacTest : public HttpFixture {
 protected:
  // dora may write roles and bindings, and read pods.
  void SetUp() override {
    grant("dora", Json::array({rule({"rbac.authorization.k8s.io"}, {"roles", "rolebindings", "clusterroles"},
                                    {"create", "update", "patch"}),
                               rule({""}, {"pods"}, {"get", "list"})}));
  }
};

TEST_F(RbacTest, ARoleMayNotGrantMoreThanItsWriterHolds) {
  EXPECT_EQ(post(kRoles, role("ok", Json::array({rule({""}, {"pods"}, {"get"})})), as("dora")).status, 201);
  const Answer no =
      post(kRoles, role("much", Json::array({rule({""}, {"secrets", "pods"}, {"get", "delete"})})), as("dora"));
  EXPECT_EQ(no.status, 403);
  EXPECT_EQ(no.message(),
            "roles.rbac.authorization.k8s.io \"much\" is forbidden: user \"dora\" (groups=[\"system:authenticated\"]) is "
            "attempting to grant RBAC permissions not currently held:\n"
            "{APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"delete\"]}\n"
            "{APIGroups:[\"\"], Resources:[\"secrets\"], Verbs:[\"get\" \"delete\"]}");
  const Fields merge = {{"Impersonate-User", "dora"}, {"Content-Type", "application/merge-patch+json"}};
  EXPECT_EQ(
      call("PATCH", kRoles + "/ok", R"({"rules":[{"apiGroups":["*"],"resources":["*"],"verbs":["*"]}]})", merge).status,
      403);
  EXPECT_EQ(call("PATCH", kRoles + "/ok", R"({"metadata":{"labels":{"a":"b"}}})", merge).status, 200);
}

TEST_F(RbacTest, TheVerbEscalateLiftsTheCheck) {
  grant("esther", Json::array({rule({"rbac.authorization.k8s.io"}, {"roles"}, {"create", "escalate"})}));
  EXPECT_EQ(post(kRoles, role("all", Json::array({rule({"*"}, {"*"}, {"*"})})), as("esther")).status, 201);
}

TEST_F(RbacTest, ABindingNeedsTheRightsOfItsRoleOrTheVerbBind) {
  ASSERT_EQ(post(kRoles, role("secrets", Json::array({rule({""}, {"secrets"}, {"get"})}))).status, 201);
  ASSERT_EQ(post(kRoles, role("pods", Json::array({rule({""}, {"pods"}, {"get"})}))).status, 201);
  EXPECT_EQ(post(kBindings, binding("a", "Role", "pods", "carl"), as("dora")).status, 201);
  const Answer no = post(kBindings, binding("b", "Role", "secrets", "carl"), as("dora"));
  EXPECT_EQ(no.status, 403);
  EXPECT_NE(no.message().find("rolebindings.rbac.authorization.k8s.io \"b\" is forbidden: user \"dora\""),
            std::string::npos);
  EXPECT_EQ(post(kBindings, binding("c", "Role", "nope", "carl"), as("dora")).message(),
            "roles.rbac.authorization.k8s.io \"nope\" not found");
  Json bind = rule({"rbac.authorization.k8s.io"}, {"roles"}, {"bind"});
  bind["resourceNames"] = {"secrets"};
  grant("bert", Json::array({rule({"rbac.authorization.k8s.io"}, {"rolebindings"}, {"create"}), bind}));
  EXPECT_EQ(post(kBindings, binding("d", "Role", "secrets", "carl"), as("bert")).status, 201);
  EXPECT_EQ(post(kBindings, binding("e", "Role", "pods", "carl"), as("bert")).status, 403);
}

TEST_F(RbacTest, OnlyTheMightyUseAggregationRules) {
  Json gathers = role("gathers", nullptr);
  gathers["aggregationRule"] = {{"clusterRoleSelectors", Json::array({{{"matchLabels", {{"x", "y"}}}}})}};
  const Answer no = post(kRbac + "clusterroles", gathers, as("dora"));
  EXPECT_EQ(no.status, 403);
  EXPECT_EQ(no.message(),
            "clusterroles.rbac.authorization.k8s.io \"gathers\" is forbidden: must have cluster-admin privileges to use the "
            "aggregationRule");
}

TEST_F(RbacTest, AClusterRoleGathersTheRulesItSelects) {
  Json part = role("part", Json::array({rule({"example.com"}, {"widgets"}, {"get"})}));
  part["metadata"]["labels"] = {{"rbac.authorization.k8s.io/aggregate-to-view", "true"}};
  ASSERT_EQ(post(kRbac + "clusterroles", part).status, 201);
  const auto rulesOf = [&](const char* name) { return call("GET", kRbac + "clusterroles/" + name).json["rules"]; };
  const auto gathered = [&](const char* name) { return rulesOf(name).dump().find("widgets") != std::string::npos; };
  EXPECT_TRUE(api.runUntil([&] { return gathered("view") && gathered("edit") && gathered("admin"); }));
  ASSERT_EQ(call("DELETE", kRbac + "clusterroles/part").status, 200);
  EXPECT_TRUE(api.runUntil([&] { return !gathered("view") && !gathered("admin"); }));
  EXPECT_NE(rulesOf("view").dump().find("configmaps"), std::string::npos);
}

TEST_F(RbacTest, DenialsAndReviewsSayWhy) {
  const Answer fine = post("/apis/authorization.k8s.io/v1/subjectaccessreviews",
                           {{"spec", {{"user", "dora"}, {"resourceAttributes", {{"verb", "get"}, {"resource", "pods"}}}}}});
  EXPECT_EQ(fine.json["status"]["allowed"], true);
  EXPECT_EQ(fine.json["status"]["reason"],
            "RBAC: allowed by ClusterRoleBinding \"dora\" of ClusterRole \"dora\" to User \"dora\"");
  ASSERT_EQ(post(kBindings, binding("lost", "ClusterRole", "gone", "lena")).status, 201);
  const Answer no = call("GET", "/api/v1/namespaces/default/pods", "", as("lena"));
  EXPECT_EQ(no.message(),
            "pods is forbidden: User \"lena\" cannot list resource \"pods\" in API group \"\" in the namespace \"default\": "
            "RBAC: clusterrole.rbac.authorization.k8s.io \"gone\" not found");
}

TEST_F(RbacTest, ImpersonationAsksForEachPartOfTheUser) {
  grant("ivan", Json::array({rule({""}, {"users", "serviceaccounts"}, {"impersonate"})}));
  const auto whoami = [&](Fields more) {
    Fields headers = bearer("bob-token");
    headers.insert(headers.end(), more.begin(), more.end());
    return call("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", "{}", headers);
  };
  EXPECT_EQ(whoami({{"Impersonate-User", "x"}}).status, 403);
  ASSERT_EQ(post(kRbac + "clusterrolebindings", binding("bob", "ClusterRole", "ivan", "bob")).status, 201);
  const Json me = whoami({{"Impersonate-User", "x"}}).json["status"]["userInfo"];
  EXPECT_EQ(me["username"], "x");
  EXPECT_EQ(me["groups"], Json::array({"system:authenticated"}));
  EXPECT_EQ(whoami({{"Impersonate-User", "x"}, {"Impersonate-Group", "g"}}).message(),
            "groups \"g\" is forbidden: User \"bob\" cannot impersonate resource \"groups\" in API group \"\" at the "
            "cluster scope");
  EXPECT_EQ(whoami({{"Impersonate-User", "x"}, {"Impersonate-Uid", "1"}}).message(),
            "uids.authentication.k8s.io \"1\" is forbidden: User \"bob\" cannot impersonate resource \"uids\" in API group "
            "\"authentication.k8s.io\" at the cluster scope");
  EXPECT_EQ(
      whoami({{"Impersonate-User", "x"}, {"Impersonate-Extra-Scopes", "s"}}).message(),
      "userextras.authentication.k8s.io \"s\" is forbidden: User \"bob\" cannot impersonate resource \"userextras/scopes\" "
      "in API group \"authentication.k8s.io\" at the cluster scope");
  EXPECT_EQ(whoami({{"Impersonate-Group", "g"}}).status, 400);
  // A ServiceAccount brings its groups by itself, and asking for them needs no right on groups.
  const Json account = whoami({{"Impersonate-User", "system:serviceaccount:default:bot"}}).json["status"]["userInfo"];
  EXPECT_EQ(account["groups"],
            Json::array({"system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"}));
  const Json admin = call("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", "{}",
                          {{"Impersonate-User", "x"}, {"Impersonate-Uid", "1"}, {"Impersonate-Extra-Scopes", "s"}})
                         .json["status"]["userInfo"];
  EXPECT_EQ(admin["uid"], "1");
  EXPECT_EQ(admin["extra"]["scopes"], Json::array({"s"}));
}

TEST_F(RbacTest, APodNeedsAnAccountThatExists) {
  const auto pod = [&](const char* name, const char* account) {
    return post(
        "/api/v1/namespaces/default/pods",
        {{"metadata", {{"name", name}}},
         {"spec", {{"serviceAccountName", account}, {"containers", Json::array({{{"name", "c"}, {"image", "i"}}})}}}});
  };
  const Answer no = pod("p", "nobody");
  EXPECT_EQ(no.status, 403);
  EXPECT_EQ(no.message(),
            "pods \"p\" is forbidden: error looking up service account default/nobody: serviceaccount \"nobody\" not found");
  EXPECT_EQ(pod("p", "default").status, 201);
  ASSERT_EQ(post("/api/v1/namespaces/default/serviceaccounts",
                 {{"metadata", {{"name", "puller"}}}, {"imagePullSecrets", Json::array({{{"name", "registry"}}})}})
                .status,
            201);
  EXPECT_EQ(pod("q", "puller").json["spec"]["imagePullSecrets"][0]["name"], "registry");
}

// The index must say what a reading of every role and binding would say, through any changes.
TEST_F(RbacTest, TheIndexSaysWhatAllBindingsSay) {
  const auto may = [&](const std::string& user, const std::string& verb) {
    return call("GET", "/api/v1/namespaces/default/" + verb, "", as(user)).status != 403;
  };
  const auto change = [&](const std::string& method, const std::string& path, const Json& body = nullptr) {
    return call(method, path, body.is_null() ? "" : dumpJson(body)).status;
  };
  EXPECT_FALSE(may("eve", "secrets"));
  ASSERT_EQ(change("POST", kRoles, role("r", Json::array({rule({""}, {"secrets"}, {"list"})}))), 201);
  ASSERT_EQ(change("POST", kBindings, binding("b", "Role", "r", "eve")), 201);
  EXPECT_TRUE(may("eve", "secrets"));
  EXPECT_FALSE(may("mal", "secrets"));
  Json moved = binding("b", "Role", "r", "mal");
  moved["subjects"].push_back({{"kind", "ServiceAccount"}, {"name", "robot"}, {"namespace", "default"}});
  moved["subjects"].push_back({{"apiGroup", "rbac.authorization.k8s.io"}, {"kind", "Group"}, {"name", "staff"}});
  ASSERT_EQ(change("PUT", kBindings + "/b", moved), 200);
  EXPECT_FALSE(may("eve", "secrets"));
  EXPECT_TRUE(may("mal", "secrets"));
  EXPECT_TRUE(may("system:serviceaccount:default:robot", "secrets"));
  EXPECT_FALSE(may("system:serviceaccount:kserve:robot", "secrets"));
  EXPECT_NE(call("GET", "/api/v1/namespaces/default/secrets", "", as("gus", "staff")).status, 403);
  ASSERT_EQ(change("PUT", kRoles + "/r", role("r", Json::array({rule({""}, {"pods"}, {"list"})}))), 200);
  EXPECT_FALSE(may("mal", "secrets"));
  EXPECT_TRUE(may("mal", "pods"));
  ASSERT_EQ(change("DELETE", kRoles + "/r"), 200);
  EXPECT_EQ(call("GET", "/api/v1/namespaces/default/pods", "", as("mal")).message(),
            "pods is forbidden: User \"mal\" cannot list resource \"pods\" in API group \"\" in the namespace \"default\": "
            "RBAC: role.rbac.authorization.k8s.io \"r\" not found");
  ASSERT_EQ(change("DELETE", kBindings + "/b"), 200);
  EXPECT_FALSE(may("mal", "pods"));
}

}  // namespace
}  // namespace slipway::apiserver
