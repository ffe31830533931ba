#include "apiserver/http/audit_log.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "apiserver/testing/http_fixture.h"

namespace slipway::apiserver {
namespace {

namespace fs = std::filesystem;

struct Folder {
  Folder() : path(fs::temp_directory_path() / fmt::format("audit_test_{}", ::getpid())) {
    fs::remove_all(path);
    fs::create_directories(path);
  }
  ~Folder() { fs::remove_all(path); }
  fs::path path;
};

std::vector<Json> linesOf(const fs::path& path) {
  std::ifstream in(path);
  std::vector<Json> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(Json::parse(line));
  return lines;
}

class AuditLogTest : public HttpFixture {
 protected:
  AuditLogTest() : AuditLogTest(std::make_shared<Folder>()) {}
  explicit AuditLogTest(std::shared_ptr<Folder> f) : AuditLogTest(f, options(*f)) {}
  AuditLogTest(std::shared_ptr<Folder> f, TestApiOptions o)
      : HttpFixture(std::move(o)), folder(f), path(f->path / "audit.log") {}
  static TestApiOptions options(const Folder& f) {
    TestApiOptions o;
    o.http.audit = {(f.path / "audit.log").string(), 8192, 2};
    return o;
  }
  std::shared_ptr<Folder> folder;
  fs::path path;
};

TEST_F(AuditLogTest, EveryRequestIsOneEventOfWhoDidWhatWithWhichResult) {
  const std::string secrets = "/api/v1/namespaces/default/secrets";
  const Answer made =
      post(secrets + "?fieldManager=me", {{"metadata", {{"name", "s"}}}, {"stringData", {{"k", "TOP-SECRET"}}}},
           {{"User-Agent", "test/1"}});
  ASSERT_EQ(made.status, 201);
  EXPECT_EQ(call("GET", secrets + "/s", "", as("eve")).status, 403);
  net::Request nobody;
  nobody.target = secrets;
  EXPECT_EQ(api.await(api.server().handler()(std::move(nobody))).status, 401);
  {
    net::Response watch = api.http("GET", secrets + "?watch=true");
  }
  const auto events = linesOf(path);
  ASSERT_EQ(events.size(), 4u);
  const Json& e = events[0];
  EXPECT_EQ(e["kind"], "Event");
  EXPECT_EQ(e["apiVersion"], "audit.k8s.io/v1");
  EXPECT_EQ(e["level"], "Metadata");
  EXPECT_EQ(e["stage"], "ResponseComplete");
  EXPECT_EQ(e["auditID"], made.headers.getOr("Audit-Id", "none"));
  EXPECT_EQ(e["requestURI"], secrets + "?fieldManager=me");
  EXPECT_EQ(e["verb"], "create");
  EXPECT_EQ(e["user"]["username"], "admin");
  EXPECT_EQ(e["userAgent"], "test/1");
  EXPECT_EQ(e["objectRef"], (Json{{"resource", "secrets"}, {"namespace", "default"}, {"apiVersion", "v1"}}));
  EXPECT_EQ(e["responseStatus"]["code"], 201);
  EXPECT_EQ(e["annotations"]["authorization.k8s.io/decision"], "allow");
  EXPECT_EQ(events[1]["user"]["username"], "admin");
  EXPECT_EQ(events[1]["impersonatedUser"]["username"], "eve");
  EXPECT_EQ(events[1]["annotations"]["authorization.k8s.io/decision"], "forbid");
  EXPECT_EQ(events[1]["responseStatus"]["reason"], "Forbidden");
  EXPECT_EQ(events[2]["responseStatus"]["code"], 401);
  EXPECT_EQ(events[2]["user"], Json::object());
  EXPECT_EQ(events[3]["stage"], "ResponseStarted");
  std::ifstream in(path);
  std::stringstream all;
  all << in.rdbuf();
  EXPECT_EQ(all.str().find("TOP-SECRET"), std::string::npos);
  EXPECT_EQ(all.str().find("admin-token"), std::string::npos);
  struct stat info{};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

class AuditLevelsTest : public AuditLogTest {
 protected:
  AuditLevelsTest() : AuditLevelsTest(std::make_shared<Folder>()) {}
  explicit AuditLevelsTest(std::shared_ptr<Folder> f) : AuditLogTest(f, withPolicy(*f)) {}
  static TestApiOptions withPolicy(const Folder& f) {
    TestApiOptions o = options(f);
    o.http.audit.maxBytes = 1 << 20;
    o.http.audit.maxObjectBytes = 4096;
    o.http.audit.policy = AuditPolicy::parse(R"(
apiVersion: audit.k8s.io/v1
kind: Policy
omitManagedFields: true
rules:
- {level: None, verbs: [get, list]}
- {level: Metadata, resources: [{group: "", resources: [secrets]}]}
- {level: Request, verbs: [patch]}
- {level: RequestResponse}
)")
                              .value();
    return o;
  }
};

TEST_F(AuditLevelsTest, ThePolicySaysHowMuchIsTold) {
  const std::string ns = "/api/v1/namespaces/default/";
  EXPECT_EQ(call("GET", ns + "configmaps").status, 200);
  ASSERT_EQ(post(ns + "secrets", {{"metadata", {{"name", "s"}}}, {"stringData", {{"k", "TOP-SECRET"}}}}).status, 201);
  ASSERT_EQ(post(ns + "configmaps", {{"metadata", {{"name", "c"}}}, {"data", {{"k", "v"}}}}).status, 201);
  ASSERT_EQ(
      call("PATCH", ns + "configmaps/c", R"({"data":{"k":"w"}})", {{"Content-Type", "application/merge-patch+json"}}).status,
      200);
  ASSERT_EQ(post(ns + "configmaps", {{"metadata", {{"name", "d"}}}, {"data", {{"k", std::string(5000, 'x')}}}}).status, 201);
  const auto events = linesOf(path);
  ASSERT_EQ(events.size(), 4u);
  EXPECT_EQ(events[0]["level"], "Metadata");
  EXPECT_FALSE(events[0].contains("requestObject") || events[0].contains("responseObject"));
  EXPECT_EQ(events[1]["level"], "RequestResponse");
  EXPECT_EQ(events[1]["requestObject"]["data"]["k"], "v");
  EXPECT_FALSE(at(events[1], "responseObject", "metadata", "uid").is_null());
  EXPECT_FALSE(events[1]["responseObject"]["metadata"].contains("managedFields"));
  EXPECT_EQ(events[2]["level"], "Request");
  EXPECT_EQ(events[2]["requestObject"], (Json{{"data", {{"k", "w"}}}}));
  EXPECT_FALSE(events[2].contains("responseObject"));
  EXPECT_EQ(events[3]["annotations"]["audit.k8s.io/truncated"], "true");
  EXPECT_FALSE(events[3].contains("requestObject"));
}

TEST_F(AuditLogTest, TheFilesAreBoundedInSizeAndNumber) {
  for (int i = 0; i < 100; ++i) call("GET", "/api/v1/namespaces/default/configmaps");
  std::size_t files = 0;
  for (const auto& f : fs::directory_iterator(folder->path)) {
    ++files;
    EXPECT_LE(fs::file_size(f.path()), 8192u);
    EXPECT_FALSE(linesOf(f.path()).empty());
  }
  EXPECT_EQ(files, 3u);
}

TEST(AuditLog, AFileThatCannotBeWrittenIsNamed) {
  auto log = AuditLog::open({.path = "/nonexistent/audit.log"}, std::make_shared<FakeClock>());
  ASSERT_FALSE(log);
  EXPECT_EQ(log.error().message,
            "audit log /nonexistent/audit.log: No such file or directory; choose another file with --audit-log");
}

TEST(AuditLog, AFullDiskDropsLinesAndServesOn) {
  auto log = AuditLog::open({.path = "/dev/full"}, std::make_shared<FakeClock>());
  ASSERT_TRUE(log) << log.error().message;
  net::Request request;
  AuditRecord record = (*log)->begin(request);
  (*log)->write(record, net::Response::text(200, "ok"));
  EXPECT_EQ((*log)->dropped(), 1u);
}

}  // namespace
}  // namespace slipway::apiserver
