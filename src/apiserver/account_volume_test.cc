#include "apiserver/testing/http_fixture.h"

namespace slipway::apiserver {
namespace {

const std::string kPods = "/api/v1/namespaces/default/pods";
const std::string kFolder = "/var/run/secrets/kubernetes.io/serviceaccount";

class AccountVolumeTest : public HttpFixture {
 protected:
  AccountVolumeTest() : HttpFixture({.caPem = "the CA"}) {}
  Json pod(const std::string& name, Json spec = Json::object(), Json container = Json::object()) {
    container["name"] = "c";
    container["image"] = "i";
    spec["containers"] = Json::array({container});
    const Answer made = post(kPods, {{"metadata", {{"name", name}}}, {"spec", spec}});
    EXPECT_EQ(made.status, 201) << made.text;
    return made.json["spec"];
  }
  static Json mounts(const Json& spec, const char* list = "containers") { return at(spec[list][0], "volumeMounts"); }
};

TEST_F(AccountVolumeTest, EveryContainerSeesTokenAuthorityAndNamespace) {
  const Json spec = pod("p", {{"initContainers", Json::array({{{"name", "first"}, {"image", "i"}}})}});
  const Json volume = at(spec, "volumes").at(0);
  const std::string name = textAt(volume, "name");
  EXPECT_TRUE(name.starts_with("kube-api-access-") && name.size() == 21) << name;
  const Json sources = volume["projected"]["sources"];
  EXPECT_EQ(volume["projected"]["defaultMode"], 420);
  EXPECT_EQ(sources[0]["serviceAccountToken"], (Json{{"expirationSeconds", 3607}, {"path", "token"}}));
  EXPECT_EQ(sources[1]["configMap"]["name"], "kube-root-ca.crt");
  EXPECT_EQ(sources[2]["downwardAPI"]["items"][0]["path"], "namespace");
  for (const char* list : {"containers", "initContainers"})
    EXPECT_EQ(mounts(spec, list), Json::array({{{"name", name}, {"mountPath", kFolder}, {"readOnly", true}}}));
  EXPECT_EQ(call("GET", "/api/v1/namespaces/default/configmaps/kube-root-ca.crt").json["data"]["ca.crt"], "the CA");
}

TEST_F(AccountVolumeTest, ThePodsWordCountsBeforeTheAccounts) {
  ASSERT_EQ(post("/api/v1/namespaces/default/serviceaccounts",
                 {{"metadata", {{"name", "quiet"}}}, {"automountServiceAccountToken", false}})
                .status,
            201);
  EXPECT_TRUE(mounts(pod("a", {{"automountServiceAccountToken", false}})).empty());
  EXPECT_TRUE(mounts(pod("b", {{"serviceAccountName", "quiet"}})).empty());
  EXPECT_EQ(mounts(pod("c", {{"serviceAccountName", "quiet"}, {"automountServiceAccountToken", true}})).size(), 1u);
}

TEST_F(AccountVolumeTest, WhatAlreadyLiesThereStays) {
  const Json own = Json::array({{{"name", "mine"}, {"mountPath", kFolder}}});
  const Json volumes = Json::array({{{"name", "mine"}, {"emptyDir", Json::object()}}});
  const Json spec = pod("own", {{"volumes", volumes}}, {{"volumeMounts", own}});
  EXPECT_EQ(mounts(spec).size(), 1u);
  EXPECT_EQ(spec["volumes"].size(), 1u);
  const Json again = Json::array({{{"name", "kube-api-access-old"}, {"emptyDir", Json::object()}}});
  EXPECT_EQ(mounts(pod("copied", {{"volumes", again}}))[0]["name"], "kube-api-access-old");
}

}  // namespace
}  // namespace slipway::apiserver
