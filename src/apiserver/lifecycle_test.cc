// Garbage collection and the life of namespaces, above all when something refuses.
#include "apiserver/testing/http_fixture.h"
#include "kube/errors.h"

namespace slipway::apiserver {
namespace {

using namespace kinds;

// Refuses deletes and updates of ConfigMaps named "stuck" while `refusals` lasts.
struct Refuser {
  std::shared_ptr<int> refusals = std::make_shared<int>(0);
  Admission hook() const {
    Admission h{.group = "", .kind = "ConfigMap"};
    h.validate = [left = refusals](const AdmissionRequest& r, const Json&) -> Status {
      if (r.operation == Operation::Create || r.name != "stuck" || *left == 0) return {};
      --*left;
      return fail(Code::Unavailable, "not now");
    };
    return h;
  }
};

class LifecycleTest : public HttpFixture {
 protected:
  LifecycleTest() : LifecycleTest(Refuser{}) {}
  explicit LifecycleTest(Refuser r) : HttpFixture({.admissions = {r.hook()}}), refuser(r) {}

  Json make(const std::string& name, Json owners = nullptr, const std::string& ns = "default") {
    Json meta{{"name", name}, {"namespace", ns}};
    if (!owners.is_null()) meta["ownerReferences"] = std::move(owners);
    auto made = api.await(api.client().create(kConfigMap, {{"metadata", meta}}));
    EXPECT_TRUE(made) << made.error().message;
    return made ? *made : Json();
  }
  static Json ownedBy(const Json& owner, bool blocks = false) {
    return {{"apiVersion", "v1"},
            {"kind", "ConfigMap"},
            {"name", owner["metadata"]["name"]},
            {"uid", owner["metadata"]["uid"]},
            {"blockOwnerDeletion", blocks}};
  }
  Status remove(const std::string& name, const std::string& policy) {
    kube::DeleteOptions options;
    options.propagationPolicy = policy;
    return api.await(api.client().remove(kConfigMap, {"default", name}, options));
  }
  bool gone(const std::string& name) { return api.waitGone(kConfigMap, {"default", name}); }
  Refuser refuser;
};

TEST_F(LifecycleTest, ADependentThatCannotBeDeletedIsTriedAgain) {
  make("stuck", Json::array({ownedBy(make("owner"))}));
  *refuser.refusals = 1;
  ASSERT_TRUE(remove("owner", "Background"));
  EXPECT_TRUE(gone("stuck"));
  EXPECT_EQ(*refuser.refusals, 0);
}

TEST_F(LifecycleTest, ADependentThatCannotBeLetGoIsTriedAgainWithoutSpinning) {
  make("stuck", Json::array({ownedBy(make("owner"))}));
  *refuser.refusals = 1000;
  ASSERT_TRUE(remove("owner", "Orphan"));
  EXPECT_TRUE(api.runUntil([&] { return *refuser.refusals < 1000; }));
  // Its own retry and its owner's: a handful of attempts a second, where a spin makes thousands.
  EXPECT_FALSE(api.runUntil([&] { return *refuser.refusals < 990; }, std::chrono::milliseconds(1500)));
  *refuser.refusals = 0;
  EXPECT_TRUE(gone("owner"));
  EXPECT_TRUE(api.find(kConfigMap, {"default", "stuck"})["metadata"]["ownerReferences"].is_null());
}

TEST_F(LifecycleTest, ForegroundDeletionOfOneOfTwoOwnersLetsItGo) {
  const Json a = make("a");
  const Json b = make("b");
  make("both", Json::array({ownedBy(a, true), ownedBy(b, true)}));
  ASSERT_TRUE(remove("a", "Foreground"));
  EXPECT_TRUE(gone("a"));
  const Json owners = api.find(kConfigMap, {"default", "both"})["metadata"]["ownerReferences"];
  ASSERT_EQ(owners.size(), 1u);
  EXPECT_EQ(owners[0]["name"], "b");
  ASSERT_TRUE(remove("b", "Foreground"));
  EXPECT_TRUE(gone("b"));
  EXPECT_TRUE(gone("both"));
}

TEST_F(LifecycleTest, ANamespaceWhoseContentCannotBeDeletedIsTriedAgain) {
  ASSERT_EQ(post("/api/v1/namespaces", {{"metadata", {{"name", "doomed"}}}}).status, 201);
  make("stuck", nullptr, "doomed");
  *refuser.refusals = 2;
  ASSERT_EQ(call("DELETE", "/api/v1/namespaces/doomed").status, 200);
  EXPECT_TRUE(api.waitGone(kNamespace, {"", "doomed"}));
}

TEST_F(LifecycleTest, NothingIsMadeInANamespaceThatEndsAndTheRefusalSaysWhich) {
  ASSERT_EQ(post("/api/v1/namespaces", {{"metadata", {{"name", "doomed"}}}}).status, 201);
  make("stuck", nullptr, "doomed");
  *refuser.refusals = 100;
  ASSERT_EQ(call("DELETE", "/api/v1/namespaces/doomed").status, 200);
  auto refused = api.await(api.client().create(kConfigMap, {{"metadata", {{"name", "new"}, {"namespace", "doomed"}}}}));
  ASSERT_FALSE(refused);
  EXPECT_EQ(
      refused.error().message,
      "configmaps \"new\" is forbidden: unable to create new content in namespace doomed because it is being terminated");
  EXPECT_TRUE(kube::isNamespaceTerminating(refused.error()));
  EXPECT_TRUE(kube::isNamespaceTerminating(failIn("ReplicaSet web", refused.error()).value()));
  EXPECT_FALSE(kube::isNamespaceTerminating(fail(Code::Forbidden, "no").value()));
  *refuser.refusals = 0;
  EXPECT_TRUE(api.waitGone(kNamespace, {"", "doomed"}));
}

TEST(ReadyTest, ReadyzTellsWhenTheServerHasStarted) {
  boost::asio::io_context io;
  ApiServerOptions options;
  options.readyAfterStart = false;
  auto server = ApiServer::open(io.get_executor(), std::move(options));
  ASSERT_TRUE(server);
  const auto ready = [&] {
    net::Request r;
    r.target = "/readyz";
    std::optional<net::Response> out;
    boost::asio::co_spawn(io, (*server)->handler()(std::move(r)),
                          [&](std::exception_ptr, net::Response response) { out.emplace(std::move(response)); });
    while (!out) io.restart(), io.run_one();
    return std::pair(out->status, out->body.bytes());
  };
  EXPECT_EQ(ready(), std::pair(503, std::string("not ready: the server is starting")));
  std::optional<Status> started;
  boost::asio::co_spawn(io, (*server)->start(), [&](std::exception_ptr, Status s) { started = std::move(s); });
  while (!started) io.restart(), io.run_one();
  ASSERT_TRUE(*started) << started->error().message;
  EXPECT_EQ(ready().first, 503) << "its owner has more to do";
  (*server)->setReady(true);
  EXPECT_EQ(ready(), std::pair(200, std::string("ok")));
  bool stopped = false;
  boost::asio::co_spawn(io, (*server)->stop(), [&](std::exception_ptr) { stopped = true; });
  while (!stopped) io.restart(), io.run_one();
}

}  // namespace
}  // namespace slipway::apiserver
