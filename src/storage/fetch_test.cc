#include "storage/fetch.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "storage/cache.h"
#include "storage/testing/fake_store.h"
#include "storage/testing/folder.h"

namespace slipway::storage {
namespace {
using testing::FakeStore;
using testing::Folder;
using testing::listFiles;
using testing::readFile;
using testing::writeFile;

std::string patternBytes(std::size_t size) {
  std::string out(size, '\0');
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<char>((i * 2654435761U) >> 13);
  return out;
}

class FetchTest : public ::testing::Test {
 protected:
  Settings settings(Environment extra = {}) const {
    Environment e{{"AWS_ENDPOINT_URL", store.url()}, {"AWS_ACCESS_KEY_ID", "key"}, {"AWS_SECRET_ACCESS_KEY", "secret"}};
    for (auto& [name, value] : extra) e[name] = value;
    auto s = Settings::fromEnvironment(std::move(e));
    EXPECT_TRUE(s);
    s->transfer.firstBackoff = std::chrono::milliseconds(1);
    return *s;
  }
  std::string fetch(const std::string& uri, const Settings& s) {
    const auto r = fetchModel(uri, target, s, progress);
    if (!r) return r.error().message;
    return r->cached ? "cached" : "ok";
  }
  std::string fetch(const std::string& uri) { return fetch(uri, settings()); }

  FakeStore store;
  Folder target;
  Progress progress;
};

TEST_F(FetchTest, FetchesAllObjectsBelowAnS3PrefixAndNoOthers) {
  store.setPageSize(2);
  store.put("models/iris/model.joblib", "a");
  store.put("models/iris/deep/er/b c+d.txt", "b");
  store.put("models/iris/folder/", "");
  store.put("models/iris2/other", "x");
  EXPECT_EQ(fetch("s3://models/iris"), "ok");
  EXPECT_EQ(listFiles(target), "deep/er/b c+d.txt model.joblib");
  EXPECT_EQ(readFile(target / "model.joblib"), "a");
  EXPECT_EQ(store.count("GET /models/?"), 2U);
  EXPECT_TRUE(store.seen()[0].authorization.starts_with("AWS4-HMAC-SHA256 Credential=key/"));
}

TEST_F(FetchTest, FetchesOneObjectWhenThePathIsItsKey) {
  store.put("models/iris/model.joblib", "a");
  store.put("models/iris/model.joblib.old", "b");
  EXPECT_EQ(fetch("s3://models/iris/model.joblib"), "ok");
  EXPECT_EQ(listFiles(target), "model.joblib");
}

TEST_F(FetchTest, UsesVirtualHostsAndAnonymousAccessWhenAsked) {
  store.put("models/iris/m", "a");
  auto s = settings({{"S3_USER_VIRTUAL_BUCKET", "true"}, {"awsAnonymousCredential", "true"}});
  s.s3.endpoint = "http://localhost" + store.url().substr(16);
  EXPECT_EQ(fetch("s3://models/iris", s), "ok");
  EXPECT_EQ(store.count("GET /?"), 1U);
  EXPECT_EQ(store.seen()[0].authorization, "");
}

TEST_F(FetchTest, NamesBucketEndpointCodeAndFixWhenS3Refuses) {
  store.respond("secret/", 403, "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>");
  EXPECT_EQ(fetch("s3://secret/m"),
            fmt::format(
                "s3://secret/m at {}: HTTP 403 AccessDenied (Access Denied): check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY "
                "and the bucket's policy",
                store.url()));
  EXPECT_EQ(fetch("s3://models/none"),
            fmt::format("Failed to fetch model. No model found in s3://models/none (endpoint {}): check bucket and path",
                        store.url()));
  EXPECT_NE(fetch("s3://m/x", settings({{"AWS_ENDPOINT_URL", "http://127.0.0.1:9"}}))
                .find("s3://m/x at http://127.0.0.1:9: 127.0.0.1:9: cannot connect"),
            std::string::npos);
  EXPECT_EQ(fetch("s3:///x"), "s3:///x: the bucket's name is missing, as in s3://bucket/path");
  EXPECT_NE(fetch("ftp://host/x").find("scheme 'ftp' is not supported"), std::string::npos);
}

TEST_F(FetchTest, SignsForTheBucketsRegionWhenToldOfIt) {
  store.respond("far/", 400, "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>");
  fetch("s3://far/m");
  ASSERT_EQ(store.seen().size(), 2U);
  EXPECT_NE(store.seen()[1].authorization.find("/eu-west-1/s3/"), std::string::npos);
}

TEST_F(FetchTest, FetchesLargeObjectsInPartsAndPutsThemTogether) {
  const std::string bytes = patternBytes(1'000'003);
  store.put("models/big/m", bytes);
  EXPECT_EQ(fetch("s3://models/big", settings({{"STORAGE_CHUNK_BYTES", "65536"}})), "ok");
  EXPECT_EQ(readFile(target / "m"), bytes);
  EXPECT_EQ(store.count("GET /models/big/m"), 16U);
  EXPECT_EQ(listFiles(target), "m");
}

TEST_F(FetchTest, ResumesAtTheByteWhereAConnectionBroke) {
  const std::string bytes = patternBytes(100'000);
  store.put("models/m/m", bytes);
  store.breakNext(1, 40'000);
  EXPECT_EQ(fetch("s3://models/m"), "ok");
  EXPECT_EQ(readFile(target / "m"), bytes);
  EXPECT_EQ(store.seen().back().range, "bytes=40000-");
  EXPECT_EQ(progress.retries, 1U);
}

TEST_F(FetchTest, FetchesOnlyTheMissingPartsAfterACrash) {
  const std::string bytes = patternBytes(1'000'000);
  store.put("models/m/m", bytes);
  auto s = settings({{"STORAGE_CHUNK_BYTES", "100000"}, {"S3_MAX_FILE_CONCURRENCY", "1"}, {"S3_MAX_ATTEMPTS", "1"}});
  const std::size_t before = store.count("GET /models/m/m");
  std::thread breaker([&] {
    while (store.count("GET /models/m/m") < before + 3) std::this_thread::yield();
    store.failNext(1, 500);
  });
  const std::string first = fetch("s3://models/m", s);
  breaker.join();
  ASSERT_NE(first.find("HTTP 500"), std::string::npos) << first;
  const std::size_t between = store.count("GET /models/m/m");
  EXPECT_EQ(fetch("s3://models/m", s), "ok");
  EXPECT_EQ(readFile(target / "m"), bytes);
  EXPECT_LT(store.count("GET /models/m/m") - between, 9U);
}

TEST_F(FetchTest, RetriesWhatMayPassAndGivesUpWithTheCount) {
  store.put("models/m/m", "a");
  store.failNext(2, 503);
  EXPECT_EQ(fetch("s3://models/m"), "ok");
  store.failNext(5, 503);
  EXPECT_NE(fetch("s3://models/m").find("HTTP 503 (after 3 attempts)"), std::string::npos);
}

TEST_F(FetchTest, FetchesAFileOverHttpWithTheHostsHeaders) {
  store.put("files/model.joblib", "abc");
  store.put("page", "<html>", "text/html");
  store.redirect("moved/model.pkl", store.url() + "/files/model.joblib");
  store.redirect("away/model.pkl", "http://localhost" + store.url().substr(16) + "/files/model.joblib");
  const auto s = settings({{"127.0.0.1-headers", R"({"X-Custom":"secret"})"}});
  EXPECT_EQ(fetch(store.url() + "/files/model.joblib?x=1", s), "ok");
  EXPECT_EQ(readFile(target / "model.joblib"), "abc");
  EXPECT_EQ(store.seen().back().custom, "secret");
  EXPECT_EQ(fetch(store.url() + "/moved/model.pkl", s), "ok");
  EXPECT_EQ(readFile(target / "model.pkl"), "abc");
  EXPECT_EQ(store.seen().back().custom, "secret");
  EXPECT_NE(fetch(store.url() + "/page", s).find("a web page"), std::string::npos);
  EXPECT_NE(fetch(store.url() + "/", s).find("expected the address of a file"), std::string::npos);
  EXPECT_NE(fetch(store.url() + "/lost.pkl", s).find("HTTP 404: check the address"), std::string::npos);
}

TEST_F(FetchTest, DoesNotSendAHostsHeadersToAnother) {
  FakeStore other;
  other.put("f.pkl", "abc");
  store.redirect("f.pkl", "http://localhost" + other.url().substr(16) + "/f.pkl");
  EXPECT_EQ(fetch(store.url() + "/f.pkl", settings({{"127.0.0.1-headers", R"({"X-Custom":"secret"})"}})), "ok");
  EXPECT_EQ(readFile(target / "f.pkl"), "abc");
  EXPECT_EQ(other.seen().back().custom, "");
}

TEST_F(FetchTest, FetchesFromAServerWithoutRanges) {
  const std::string bytes = patternBytes(300'000);
  store.put("f/model.pkl", bytes);
  store.ignoreRanges();
  store.breakNext(1, 100'000);
  EXPECT_EQ(fetch(store.url() + "/f/model.pkl", settings({{"STORAGE_CHUNK_BYTES", "65536"}})), "ok");
  EXPECT_EQ(readFile(target / "model.pkl"), bytes);
}

TEST_F(FetchTest, FetchesARepositoryOfTheHub) {
  store.respond(
      "api/models/owner/tiny/tree/main", 200,
      R"([{"type":"directory","path":"d"},{"type":"file","path":"config.json","size":2,"oid":"o1"},{"type":"file","path":"d/w.bin","size":3,"oid":"o2","lfs":{"oid":"s"}}])");
  store.put("owner/tiny/resolve/main/config.json", "{}");
  store.put("owner/tiny/resolve/main/d/w.bin", "abc");
  const auto s = settings({{"HF_ENDPOINT", store.url()}, {"HF_TOKEN", "t0k"}});
  EXPECT_EQ(fetch("hf://owner/tiny", s), "ok");
  EXPECT_EQ(listFiles(target), "config.json d/w.bin");
  EXPECT_EQ(store.seen().back().authorization, "Bearer t0k");
  EXPECT_EQ(fetch("hf://owner", s), "hf://owner: expected hf://owner/model or hf://owner/model:revision");
}

TEST_F(FetchTest, HonoursAllowAndIgnorePatterns) {
  for (const char* name : {"a.bin", "b.txt", "c.bin"}) store.put(std::string("models/m/") + name, "x");
  EXPECT_EQ(
      fetch("s3://models/m", settings({{"STORAGE_ALLOW_PATTERNS", R"(["*.bin"])"}, {"STORAGE_IGNORE_PATTERNS", "c*, z*"}})),
      "ok");
  EXPECT_EQ(listFiles(target), "a.bin");
  EXPECT_NE(fetch("s3://models/m", settings({{"STORAGE_ALLOW_PATTERNS", "*.zip"}})).find("none of its 3 files passes"),
            std::string::npos);
}

TEST_F(FetchTest, LinksLocalPaths) {
  const Folder source;
  writeFile(source / "model.pkl", "a");
  EXPECT_EQ(fetch("file://" + source.path.string()), "ok");
  EXPECT_TRUE(std::filesystem::is_symlink(target / "model.pkl"));
  EXPECT_EQ(readFile(target / "model.pkl"), "a");
  EXPECT_EQ(fetch("/nowhere/at/all"), "Local path /nowhere/at/all does not exist.");
}

TEST_F(FetchTest, RefusesKeysThatLeaveTheFolder) {
  store.put("models/m/../../evil", "x");
  EXPECT_NE(fetch("s3://models/m").find("leaves the target folder"), std::string::npos);
  EXPECT_EQ(listFiles(target), "");
}

TEST_F(FetchTest, NamesNeededAndFreeBytesWhenTheDiskIsTooSmall) {
  const auto status = checkSpace(target, std::uint64_t{1} << 62);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::TooLarge);
  EXPECT_NE(status.error().message.find("are needed (4611686018427387904 bytes)"), std::string::npos);
}

TEST_F(FetchTest, DownloadsOnceForManyReplicas) {
  const Folder cache;
  store.put("models/m/a", patternBytes(50'000));
  store.put("models/m/b", "b");
  const auto s = settings({{"SLIPWAY_STORAGE_CACHE", (cache / "c").string()}});
  std::vector<std::unique_ptr<Folder>> targets;
  std::vector<std::thread> replicas;
  for (int i = 0; i < 10; ++i) {
    targets.push_back(std::make_unique<Folder>());
    replicas.emplace_back([&s, folder = targets.back()->path] {
      Progress p;
      const auto r = fetchModel("s3://models/m", folder, s, p);
      EXPECT_TRUE(r) << (r ? "" : r.error().message);
    });
  }
  for (auto& t : replicas) t.join();
  for (const auto& folder : targets) {
    EXPECT_EQ(listFiles(*folder), "a b");
    EXPECT_EQ(readFile(*folder / "a"), patternBytes(50'000));
  }
  EXPECT_EQ(store.count("GET /models/m/"), 2U);
  store.put("models/m/b", "changed");
  EXPECT_EQ(fetch("s3://models/m", s), "ok");
  EXPECT_EQ(readFile(target / "b"), "changed");
  EXPECT_EQ(fetch("s3://models/m", s), "cached");
}

TEST_F(FetchTest, KeepsTheCacheWithinItsBoundByDroppingTheLeastRecentlyUsed) {
  const Folder cache;
  for (const char* name : {"1", "2", "3"}) store.put(fmt::format("models/m{}/w", name), patternBytes(10'000) + name);
  const auto s = settings({{"SLIPWAY_STORAGE_CACHE", cache.path.string()}, {"SLIPWAY_STORAGE_CACHE_BYTES", "25000"}});
  EXPECT_EQ(fetch("s3://models/m1", s), "ok");
  EXPECT_EQ(fetch("s3://models/m2", s), "ok");
  EXPECT_EQ(fetch("s3://models/m1", s), "cached");  // now m2 is the oldest
  EXPECT_EQ(fetch("s3://models/m3", s), "ok");
  EXPECT_LE(ModelCache(cache, 0).bytes(), 25'000U);
  EXPECT_EQ(fetch("s3://models/m1", s), "cached");
  EXPECT_EQ(fetch("s3://models/m2", s), "ok");
}

TEST_F(FetchTest, FetchesAgainWhatIsDamagedInTheCache) {
  const Folder cache;
  store.put("models/m/w", "content");
  const auto s = settings({{"SLIPWAY_STORAGE_CACHE", cache.path.string()}});
  EXPECT_EQ(fetch("s3://models/m", s), "ok");
  for (const auto& blob : std::filesystem::directory_iterator(cache / "blobs")) {
    std::filesystem::remove(blob.path());
    writeFile(blob.path(), "cut");
  }
  std::filesystem::remove(target / "w");
  EXPECT_EQ(fetch("s3://models/m", s), "ok");
  EXPECT_EQ(readFile(target / "w"), "content");
}

// A second model that holds the same bytes meets the blob that a power failure has cut.
TEST_F(FetchTest, ABlobThatWasCutIsReplacedByTheNextModelWithTheSameBytes) {
  const Folder cache;
  store.put("models/m1/w", "content");
  store.put("models/m2/w", "content");
  const auto s = settings({{"SLIPWAY_STORAGE_CACHE", cache.path.string()}});
  EXPECT_EQ(fetch("s3://models/m1", s), "ok");
  for (const auto& blob : std::filesystem::directory_iterator(cache / "blobs")) {
    std::filesystem::remove(blob.path());
    writeFile(blob.path(), "cut");
  }
  const Folder second;
  Progress p;
  const auto r = fetchModel("s3://models/m2", second.path, s, p);
  ASSERT_TRUE(r) << r.error().message;
  EXPECT_EQ(readFile(second / "w"), "content");
  const Folder third;
  const auto again = fetchModel("s3://models/m2", third.path, s, p);
  ASSERT_TRUE(again && again->cached);
  EXPECT_EQ(readFile(third / "w"), "content");
}

// The last parts of a file end at the same moment: only one of them may finish it.
TEST_F(FetchTest, PartsThatEndTogetherFinishTheFileOnce) {
  const std::string bytes = patternBytes(64'000);
  store.put("models/m/w", bytes);
  const auto s = settings({{"STORAGE_CHUNK_BYTES", "2000"}, {"S3_MAX_FILE_CONCURRENCY", "32"}});
  for (int i = 0; i < 20; ++i) {
    const Folder folder;
    Progress p;
    const auto r = fetchModel("s3://models/m", folder.path, s, p);
    ASSERT_TRUE(r) << r.error().message;
    ASSERT_EQ(readFile(folder / "w"), bytes);
    ASSERT_EQ(p.files, 1U);
  }
}

TEST_F(FetchTest, StorageInitTakesPairsAndReportsByExitStatus) {
  store.put("models/m/w", "content");
  const Environment e{{"AWS_ENDPOINT_URL", store.url()}, {"awsAnonymousCredential", "true"}};
  EXPECT_EQ(storageInit({"s3://models/m", target / "x", "s3://models/m", target / "y"}, e), 0);
  EXPECT_EQ(listFiles(target), "x/w y/w");
  EXPECT_EQ(storageInit({"s3://models/m"}, e), 2);
  EXPECT_EQ(storageInit({"s3://models/none", target / "z"}, e), 1);
  EXPECT_EQ(storageInit({"s3://models/m", target / "z"}, {{"S3_MAX_ATTEMPTS", "x"}}), 1);
}

// In a child process, since the deadline ends it.
TEST(StorageInitDeathTest, TheTimeoutEndsAFetchThatHangs) {
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  const int silent = ::socket(AF_INET, SOCK_STREAM, 0);  // listens, never answers
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(silent, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(silent, 8), 0);
  ASSERT_EQ(::getsockname(silent, reinterpret_cast<sockaddr*>(&address), &size), 0);
  const Folder target;
  const auto uri = fmt::format("http://127.0.0.1:{}/model.joblib", ntohs(address.sin_port));
  EXPECT_EXIT(storageInit({uri, target / "x"}, {{"STORAGE_INITIALIZER_TIMEOUT", "1"}}), ::testing::ExitedWithCode(1),
              "not fetched within 1 s .0 B came.: check the source, or raise STORAGE_INITIALIZER_TIMEOUT");
  ::close(silent);
}

}  // namespace
}  // namespace slipway::storage
