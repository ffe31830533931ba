#include "apiserver/account_tokens.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "apiserver/testing/http_fixture.h"

namespace slipway::apiserver {
namespace {

const std::string kAccounts = "/api/v1/namespaces/default/serviceaccounts";

class AccountTokensTest : public HttpFixture {
 protected:
  AccountTokensTest() : AccountTokensTest(std::make_shared<FakeClock>()) {}
  explicit AccountTokensTest(std::shared_ptr<FakeClock> c) : HttpFixture({.clock = c}), clock(std::move(c)) {}
  void SetUp() override { ASSERT_EQ(post(kAccounts, {{"metadata", {{"name", "bot"}}}}).status, 201); }

  Answer request(const Json& spec) { return post(kAccounts + "/bot/token", {{"spec", spec}}); }
  std::string token(const Json& spec) {
    const Answer made = request(spec);
    EXPECT_EQ(made.status, 201) << made.text;
    return textAt(at(made.json, "status"), "token");
  }
  // Whether the API lets the token in.
  bool good(const std::string& token) { return call("GET", "/api", "", bearer(token)).status == 200; }
  Json review(const std::string& token, Json audiences = nullptr) {
    Json spec{{"token", token}};
    if (!audiences.is_null()) spec["audiences"] = audiences;
    return post("/apis/authentication.k8s.io/v1/tokenreviews", {{"spec", spec}}).json["status"];
  }
  Json boundTo(const std::string& kind, const std::string& name) {
    return {{"boundObjectRef", {{"apiVersion", "v1"}, {"kind", kind}, {"name", name}}}};
  }
  std::shared_ptr<FakeClock> clock;
};

TEST_F(AccountTokensTest, ATokenIsForItsAudiencesOnly) {
  const std::string vault = token({{"audiences", {"vault"}}});
  EXPECT_FALSE(good(vault));
  EXPECT_EQ(review(vault)["authenticated"], false);
  const Json asked = review(vault, {"vault", "other"});
  EXPECT_EQ(asked["authenticated"], true);
  EXPECT_EQ(asked["audiences"], Json::array({"vault"}));
  EXPECT_EQ(asked["user"]["username"], "system:serviceaccount:default:bot");
  EXPECT_EQ(review(token(Json::object()), {"vault"})["authenticated"], false);
  EXPECT_EQ(review("admin-token", {"vault"})["authenticated"], false);
  EXPECT_EQ(review("admin-token")["audiences"], Json::array({"https://kubernetes.default.svc.cluster.local"}));
}

TEST_F(AccountTokensTest, ATokenExpires) {
  const std::string made = token({{"expirationSeconds", 600}});
  EXPECT_TRUE(good(made));
  clock->advance(std::chrono::seconds(601));
  EXPECT_FALSE(good(made));
}

TEST_F(AccountTokensTest, ATokenBoundToAPodEndsWithIt) {
  const Json pod{{"metadata", {{"name", "p"}}},
                 {"spec", {{"serviceAccountName", "bot"}, {"containers", Json::array({{{"name", "c"}, {"image", "i"}}})}}}};
  EXPECT_EQ(request(boundTo("Pod", "p")).message(), "pods \"p\" not found");
  ASSERT_EQ(post("/api/v1/namespaces/default/pods", pod).status, 201);
  const std::string made = token(boundTo("Pod", "p"));
  EXPECT_TRUE(good(made));
  const Json extra = review(made)["user"]["extra"];
  EXPECT_EQ(extra["authentication.kubernetes.io/pod-name"], Json::array({"p"}));
  ASSERT_EQ(call("DELETE", "/api/v1/namespaces/default/pods/p").status, 200);
  EXPECT_FALSE(good(made));
  ASSERT_EQ(post("/api/v1/namespaces/default/pods", pod).status, 201);
  EXPECT_FALSE(good(made)) << "a pod of the same name is another pod";
}

TEST_F(AccountTokensTest, ATokenBoundToASecretOrANodeEndsWithIt) {
  ASSERT_EQ(post("/api/v1/namespaces/default/secrets", {{"metadata", {{"name", "s"}}}}).status, 201);
  ASSERT_EQ(post("/api/v1/nodes", {{"metadata", {{"name", "n"}}}}).status, 201);
  const std::string secret = token(boundTo("Secret", "s"));
  const std::string node = token(boundTo("Node", "n"));
  EXPECT_TRUE(good(secret) && good(node));
  ASSERT_EQ(call("DELETE", "/api/v1/namespaces/default/secrets/s").status, 200);
  ASSERT_EQ(call("DELETE", "/api/v1/nodes/n").status, 200);
  EXPECT_FALSE(good(secret) || good(node));
}

TEST_F(AccountTokensTest, RefusalsNameWhatIsWrong) {
  ASSERT_EQ(
      post("/api/v1/namespaces/default/pods",
           {{"metadata", {{"name", "other"}}}, {"spec", {{"containers", Json::array({{{"name", "c"}, {"image", "i"}}})}}}})
          .status,
      201);
  EXPECT_EQ(request(boundTo("Pod", "other")).message(),
            "cannot bind token for serviceaccount \"bot\" to pod running with different serviceaccount name.");
  EXPECT_EQ(request(boundTo("ConfigMap", "x")).message(), "cannot bind token to object of type /v1, Kind=ConfigMap");
  Json wrongUid = boundTo("Pod", "other");
  wrongUid["boundObjectRef"]["uid"] = "1";
  EXPECT_EQ(request(wrongUid).status, 409);
  EXPECT_EQ(
      request({{"expirationSeconds", 10}}).message(),
      "TokenRequest.authentication.k8s.io \"\" is invalid: spec.expirationSeconds: Invalid value: 10: may not specify a "
      "duration less than 10 minutes");
  EXPECT_EQ(request({{"expirationSeconds", "x"}}).status, 400);
  EXPECT_EQ(post(kAccounts + "/nobody/token", Json::object()).message(), "serviceaccounts \"nobody\" not found");
}

TEST_F(AccountTokensTest, OthersLearnTheKeysAndWhoIssues) {
  const std::string bot = "system:serviceaccount:default:bot";
  const Answer keys = call("GET", "/openid/v1/jwks", "", as(bot, "system:serviceaccounts"));
  ASSERT_EQ(keys.status, 200) << keys.text;
  EXPECT_EQ(keys.headers.getOr("Content-Type", ""), "application/jwk-set+json");
  const std::string made = token(Json::object());
  const Json header = Json::parse(fromBase64Url(made.substr(0, made.find('.'))).value());
  EXPECT_EQ(header, (Json{{"alg", "ES256"}, {"kid", keys.json["keys"][0]["kid"]}}));
  EXPECT_FALSE(keys.json["keys"][0].contains("d")) << "the private number";
  const Answer issuer = call("GET", "/.well-known/openid-configuration", "", bearer(made));
  EXPECT_EQ(issuer.json["issuer"], "https://kubernetes.default.svc.cluster.local");
  EXPECT_EQ(issuer.json["id_token_signing_alg_values_supported"], Json::array({"ES256"}));
  EXPECT_EQ(call("GET", "/openid/v1/jwks", "", as("x")).status, 403) << "only for whom RBAC grants it";
}

TEST_F(AccountTokensTest, TokensOfEarlierVersionsGoOnAndNoAlgorithmIsTakenForAnother) {
  const auto parts = [](const std::string& t) { return t.substr(t.find('.') + 1, t.rfind('.') - t.find('.') - 1); };
  const std::string made = token(Json::object());
  const auto hmacToken = [&](const std::string& secret) {
    const std::string text = toBase64Url(R"({"alg":"HS256","typ":"JWT"})") + "." + parts(made);
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), reinterpret_cast<const unsigned char*>(text.data()),
         text.size(), mac, &size);
    return text + "." + toBase64Url(std::string_view(reinterpret_cast<char*>(mac), size));
  };
  EXPECT_TRUE(good(hmacToken(TestApi::kOldSecret)));
  EXPECT_FALSE(good(hmacToken("another secret of at least 32 bytes")));
  const std::string signature = made.substr(made.rfind('.'));
  EXPECT_FALSE(good(toBase64Url(R"({"alg":"none"})") + "." + parts(made) + "."));
  EXPECT_FALSE(good(toBase64Url(R"({"alg":"RS256"})") + "." + parts(made) + signature));
  for (const char* odd : {"", ".", "..", "a.b", "a.b.c", "%%.%%.%%"}) EXPECT_FALSE(good(odd)) << odd;
}

TEST_F(AccountTokensTest, OurOwnComponentsAskThroughTheirClient) {
  kube::WriteOptions options;
  options.subresource = "token";
  auto made = api.await(
      api.client().create(kinds::kServiceAccount, {{"metadata", {{"name", "bot"}, {"namespace", "default"}}}}, options));
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_TRUE(good(textAt(at(*made, "status"), "token")));
}

}  // namespace
}  // namespace slipway::apiserver
