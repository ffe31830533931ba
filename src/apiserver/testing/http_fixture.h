// HttpFixture: tests that speak HTTP to a TestApi with the bootstrap roles, as the administrator or as any other user.
#pragma once
#include <gtest/gtest.h>

#include "apiserver/testing/test_api.h"

namespace slipway::apiserver {

class HttpFixture : public ::testing::Test {
 protected:
  using Fields = std::vector<std::pair<std::string, std::string>>;
  struct Answer {
    int status = 0;
    net::Headers headers;
    Json json;
    std::string text;
    std::string message() const { return textAt(json, "message"); }
  };

  explicit HttpFixture(TestApiOptions options = {}) : api(io, withRoles(std::move(options))) {}

  Answer call(std::string method, std::string target, std::string body = "", Fields headers = {}) {
    net::Response r = api.http(std::move(method), std::move(target), std::move(body), std::move(headers));
    Answer a{r.status, r.headers, nullptr, r.body.streaming() ? "" : r.body.takeBytes()};
    a.json = Json::parse(a.text, nullptr, false);
    return a;
  }
  Answer post(std::string target, const Json& body, Fields headers = {}) {
    return call("POST", std::move(target), dumpJson(body), std::move(headers));
  }
  static Fields as(const std::string& user, const std::string& group = "") {
    Fields fields = {{"Impersonate-User", user}};
    if (!group.empty()) fields.emplace_back("Impersonate-Group", group);
    return fields;
  }
  static Fields bearer(const std::string& token) { return {{"Authorization", "Bearer " + token}}; }
  // Gives `user` a ClusterRole with these rules in every namespace.
  void grant(const std::string& user, Json rules) {
    const std::string rbac = "/apis/rbac.authorization.k8s.io/v1/";
    ASSERT_EQ(post(rbac + "clusterroles", {{"metadata", {{"name", user}}}, {"rules", std::move(rules)}}).status, 201);
    ASSERT_EQ(post(rbac + "clusterrolebindings",
                   {{"metadata", {{"name", user}}},
                    {"roleRef", {{"apiGroup", "rbac.authorization.k8s.io"}, {"kind", "ClusterRole"}, {"name", user}}},
                    {"subjects", Json::array({{{"kind", "User"}, {"name", user}}})}})
                  .status,
              201);
  }

  boost::asio::io_context io;
  TestApi api;

 private:
  static TestApiOptions withRoles(TestApiOptions options) {
    options.roles = true;
    return options;
  }
};

}  // namespace slipway::apiserver
