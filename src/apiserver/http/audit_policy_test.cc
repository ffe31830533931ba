#include "apiserver/http/audit_policy.h"

#include <gtest/gtest.h>

namespace slipway::apiserver {
namespace {

const std::string kHead = "apiVersion: audit.k8s.io/v1\nkind: Policy\n";

RequestInfo object(const std::string& verb, const std::string& group, const std::string& resource,
                   const std::string& ns = "", const std::string& name = "", const std::string& subresource = "") {
  RequestInfo info;
  info.isResource = true;
  info.verb = verb;
  info.group = group;
  info.resource = resource;
  info.ns = ns;
  info.name = name;
  info.subresource = subresource;
  return info;
}
RequestInfo path(const std::string& text) {
  RequestInfo info;
  info.verb = "get";
  info.path = text;
  return info;
}
const UserInfo kBob{"bob", "", {"dev"}};

// The example of Kubernetes' documentation, shortened.
TEST(AuditPolicy, TheFirstRuleThatMatchesCounts) {
  const auto policy = AuditPolicy::parse(kHead + R"(
omitStages: [RequestReceived]
rules:
- {level: RequestResponse, resources: [{group: "", resources: [pods]}]}
- {level: Metadata, resources: [{group: "", resources: [pods/log, "*/status"]}]}
- {level: None, resources: [{group: "", resources: [configmaps], resourceNames: [controller-leader]}]}
- {level: None, users: [quiet], verbs: [watch], resources: [{group: "", resources: [endpoints, services]}]}
- {level: None, userGroups: [dev], nonResourceURLs: ["/api*", /version]}
- {level: Request, resources: [{group: "", resources: [configmaps]}], namespaces: [kube-system], omitManagedFields: true}
- {level: Metadata, resources: [{group: apps}]}
)");
  ASSERT_TRUE(policy) << policy.error().message;
  const auto level = [&](const RequestInfo& info, const UserInfo& user = kBob) { return policy->decide(user, info).level; };
  EXPECT_EQ(level(object("create", "", "pods", "a")), AuditLevel::RequestResponse);
  EXPECT_EQ(level(object("get", "", "pods", "a", "p", "log")), AuditLevel::Metadata);
  EXPECT_EQ(level(object("patch", "", "nodes", "", "n", "status")), AuditLevel::Metadata);
  EXPECT_EQ(level(object("get", "", "configmaps", "kube-system", "controller-leader")), AuditLevel::None);
  EXPECT_EQ(level(object("get", "", "configmaps", "kube-system", "x")), AuditLevel::Request);
  EXPECT_TRUE(policy->decide(kBob, object("get", "", "configmaps", "kube-system", "x")).omitManagedFields);
  EXPECT_EQ(level(object("get", "", "configmaps", "default", "x")), AuditLevel::None) << "no rule";
  EXPECT_EQ(level(object("watch", "", "services", "a"), {"quiet", "", {}}), AuditLevel::None);
  EXPECT_EQ(level(path("/apis/apps")), AuditLevel::None);
  EXPECT_EQ(level(object("delete", "apps", "deployments", "a", "d", "scale")), AuditLevel::Metadata);
}

TEST(AuditPolicy, MistakesAreNamed) {
  const auto why = [](const std::string& text) {
    const auto policy = AuditPolicy::parse(text);
    return policy ? "" : policy.error().message;
  };
  EXPECT_EQ(why("kind: Policy"), "apiVersion, kind: must be audit.k8s.io/v1 and Policy");
  EXPECT_EQ(why(kHead), "rules: at least one is needed");
  EXPECT_EQ(why(kHead + "rules: [{level: Meta}]"),
            "rules[0].level: \"Meta\": must be None, Metadata, Request or RequestResponse");
  EXPECT_EQ(why(kHead + "rules: [{level: None, user: [a]}]"), "rules[0].user: unknown field");
  EXPECT_EQ(why(kHead + "rules: [{level: None, verbs: get}]"), "rules[0].verbs: must be a list of strings");
  EXPECT_EQ(why(kHead + "rules: [{level: None, nonResourceURLs: [/x], namespaces: [a]}]"),
            "rules[0].nonResourceURLs: rules cannot apply to both regular resources and non-resource URLs");
  EXPECT_EQ(why(kHead + "rules: [{level: None, omitStages: [ResponseComplete]}]"),
            "rules[0].omitStages: ResponseComplete is the only stage that is written; use level None");
}

}  // namespace
}  // namespace slipway::apiserver
