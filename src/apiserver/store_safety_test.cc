// The store under what goes wrong: full disks, quotas, keys, old formats, and copies of it.
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "apiserver/backup.h"
#include "apiserver/store.h"
#include "apiserver/testing/full_disk.h"
#include "data/base64.h"

namespace slipway::apiserver {
namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;

Json named(const std::string& name, const std::string& value) {
  return Json{{"metadata", {{"name", name}, {"namespace", "d"}}}, {"data", {{"v", value}}}};
}

class StoreSafetyTest : public ::testing::Test {
 protected:
  StoreSafetyTest() : dir(fs::temp_directory_path() / ("store_safety_" + std::to_string(::getpid()))) {
    fs::remove_all(dir);
    fs::create_directories(dir);
  }
  ~StoreSafetyTest() override {
    FullDisk::writesLeft = FullDisk::kRoom;
    fs::remove_all(dir);
  }
  StoreOptions file() { return StoreOptions{.path = (dir / "state.db").string(), .fullSync = false}; }
  Result<std::unique_ptr<Store>> open(StoreOptions options) { return Store::open(io.get_executor(), std::move(options)); }
  template <class T>
  T await(Task<T> task) {
    std::optional<T> out;
    asio::co_spawn(io, std::move(task), [&](std::exception_ptr e, T value) {
      EXPECT_FALSE(e);
      out = std::move(value);
    });
    io.restart();
    io.run();
    return std::move(*out);
  }
  Status put(Store& store, const std::string& name, const std::string& value, const std::string& resource = "configmaps") {
    return await(store.commit([=](Txn& txn) -> Status {
      txn.put(resource, named(name, value));
      return {};
    }));
  }
  Status remove(Store& store, const std::string& name) {
    return await(store.commit([=](Txn& txn) -> Status {
      if (EntryPtr entry = txn.get("configmaps", "d", name)) txn.remove("configmaps", entry->json());
      return {};
    }));
  }
  static std::map<std::string, std::string> contents(const Store& store, const std::string& resource = "configmaps") {
    std::map<std::string, std::string> all;
    for (const EntryPtr& e : store.list(resource).entries) all[e->name] = textAt(at(e->json(), "data"), "v");
    return all;
  }
  // Everything that lies in the folder, as bytes.
  std::string bytesOnDisk() {
    std::string all;
    for (const auto& f : fs::directory_iterator(dir)) {
      std::ifstream in(f.path(), std::ios::binary);
      std::stringstream text;
      text << in.rdbuf();
      all += text.str();
    }
    return all;
  }
  asio::io_context io;
  fs::path dir;
};

TEST_F(StoreSafetyTest, ADiskThatIsFullAtAnyWriteLosesNothingAndKeepsReadsAlive) {
  FullDisk::install();
  StoreOptions options = file();
  options.vfs = "full-disk";
  bool failed = true;
  int rounds = 0;
  for (; failed; ++rounds) {
    ASSERT_LT(rounds, 500);
    fs::remove_all(dir);
    fs::create_directories(dir);
    failed = false;
    std::map<std::string, std::string> expected;
    {
      auto store = open(options);
      ASSERT_TRUE(store) << store.error().message;
      ASSERT_TRUE(put(**store, "a", "0"));
      ASSERT_TRUE(put(**store, "b", "0"));
      expected = {{"a", "0"}, {"b", "0"}};
      FullDisk::writesLeft = rounds;
      const auto attempt = [&](Status done, auto change) {
        if (done) {
          change();
          return;
        }
        failed = true;
        EXPECT_NE(done.error().message.find("the disk is full; free space and try again (reads still work)"),
                  std::string::npos);
        EXPECT_EQ(Json::parse(done.error().detail)["code"], 500);
        EXPECT_FALSE(Json::parse(done.error().detail).contains("reason"));
        EXPECT_EQ(contents(**store), expected);
      };
      for (const std::string value : {"1", "2"}) {
        attempt(put(**store, "a", value), [&] { expected["a"] = value; });
        attempt(put(**store, "big" + value, std::string(20000, 'x')),
                [&] { expected["big" + value] = std::string(20000, 'x'); });
      }
      attempt(remove(**store, "b"), [&] { expected.erase("b"); });
      EXPECT_EQ(contents(**store), expected);
      FullDisk::writesLeft = FullDisk::kRoom;
      ASSERT_TRUE(put(**store, "after", "1")) << "round " << rounds;
      expected["after"] = "1";
    }
    auto again = open(options);
    ASSERT_TRUE(again) << again.error().message;
    ASSERT_EQ(contents(**again), expected) << "round " << rounds;
  }
  EXPECT_GT(rounds, 5) << "the disk was full at several writes";
  EXPECT_TRUE(inspectStore((dir / "state.db").string()));
}

TEST_F(StoreSafetyTest, AStoreThatIsUpToDateOpensOnAFullDisk) {
  FullDisk::install();
  {
    ASSERT_TRUE(put(**open(file()), "a", "1"));
  }
  StoreOptions options = file();
  options.vfs = "full-disk";
  FullDisk::writesLeft = 0;
  auto store = open(options);
  ASSERT_TRUE(store) << store.error().message;
  EXPECT_EQ(contents(**store), (std::map<std::string, std::string>{{"a", "1"}}));
}

TEST_F(StoreSafetyTest, BeyondItsQuotaAStoreReadsAndDeletesAndWritesAgainWhenThereIsRoom) {
  StoreOptions options = file();
  options.maxBytes = 400 << 10;
  auto store = open(options);
  ASSERT_TRUE(store);
  Status last;
  int made = 0;
  for (; made < 100 && last; ++made) last = put(**store, "m" + std::to_string(made), std::string(20000, 'x'));
  ASSERT_FALSE(last);
  EXPECT_GT(made, 10);
  EXPECT_NE(last.error().message.find("database space exceeded: store"), std::string::npos);
  EXPECT_EQ(Json::parse(last.error().detail)["code"], 500);
  EXPECT_EQ(contents(**store).size(), static_cast<std::size_t>(made - 1));
  for (int i = 0; i < made / 2; ++i) ASSERT_TRUE(remove(**store, "m" + std::to_string(i)));
  // The room comes back with the next compaction, at most a second later.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  Status again = fail(Code::Internal, "");
  while (!again && std::chrono::steady_clock::now() < deadline) again = put(**store, "new", "1");
  EXPECT_TRUE(again) << again.error().message;
}

TEST_F(StoreSafetyTest, AListOfThePastShowsThatStateFromMemoryAndFromTheTable) {
  for (const std::size_t window : {std::size_t{2000}, std::size_t{1}}) {
    StoreOptions options;
    options.windowChanges = window;
    auto store = std::move(*open(options));
    ASSERT_TRUE(put(*store, "a", "1"));
    ASSERT_TRUE(put(*store, "b", "1"));
    const std::uint64_t then = store->revision();
    ASSERT_TRUE(put(*store, "a", "2"));
    ASSERT_TRUE(put(*store, "a", "3"));
    ASSERT_TRUE(remove(*store, "b"));
    ASSERT_TRUE(put(*store, "c", "1"));
    auto past = await(store->listAt("configmaps", "d", then));
    ASSERT_TRUE(past) << past.error().message;
    EXPECT_EQ(past->revision, then);
    ASSERT_EQ(past->entries.size(), 2u);
    EXPECT_EQ(at(past->entries[0]->json(), "data", "v"), "1");
    EXPECT_EQ(past->entries[1]->name, "b");
    auto now = await(store->listAt("configmaps", "", store->revision()));
    ASSERT_EQ(now->entries.size(), 2u);
    EXPECT_TRUE(await(store->listAt("configmaps", "other", then))->entries.empty());
    ASSERT_TRUE(store->compact(then + 2));
    EXPECT_EQ(await(store->listAt("configmaps", "d", then)).error().code, Code::Gone);
  }
}

TEST_F(StoreSafetyTest, AClockThatJumpsLosesHistoryAtMost) {
  auto clock = std::make_shared<FakeClock>();
  StoreOptions options = file();
  options.clock = clock;
  auto store = std::move(*open(options));
  ASSERT_TRUE(put(*store, "a", "1"));
  ASSERT_TRUE(put(*store, "a", "2"));
  const std::uint64_t before = store->revision();
  for (const auto jump : {std::chrono::hours(24 * 3650), std::chrono::hours(-24 * 7300), std::chrono::hours(24 * 3650)}) {
    clock->advance(jump);
    for (const char* value : {"3", "4", "5"}) ASSERT_TRUE(put(*store, "a", value));
    EXPECT_EQ(contents(*store)["a"], "5");
    // A reader from before is either served or told to list again; never is a change left out in silence.
    auto changes = await(store->history("configmaps", before, 100));
    if (!changes) {
      EXPECT_EQ(changes.error().code, Code::Gone);
    } else {
      EXPECT_EQ(changes->size(), store->revision() - before);
    }
  }
  EXPECT_EQ(store->revision(), before + 9);
}

const std::string kKeyOne = base64Encode(std::string(32, '1')), kKeyTwo = base64Encode(std::string(32, '2'));

std::shared_ptr<const SecretBox> box(const std::string& lines) {
  auto parsed = SecretBox::parse(lines, "keys");
  EXPECT_TRUE(parsed) << parsed.error().message;
  return std::make_shared<SecretBox>(std::move(*parsed));
}

TEST_F(StoreSafetyTest, SecretsAreSealedInTheFileWithTheirHistoryAndKeysRotate) {
  const std::string plain = "PLAIN-TEXT-OF-A-SECRET";
  const auto value = [&](StoreOptions o) -> std::string {
    auto store = open(std::move(o));
    if (!store) return store.error().message;
    return contents(**store, "secrets")["s"];
  };
  const auto with = [&](const std::string& lines) {
    StoreOptions o = file();
    o.box = lines.empty() ? nullptr : box(lines);
    return o;
  };
  {
    auto store = std::move(*open(with("")));
    ASSERT_TRUE(put(*store, "s", plain + "-old", "secrets"));
    ASSERT_TRUE(put(*store, "s", plain, "secrets"));
    ASSERT_TRUE(put(*store, "s", plain, "configmaps"));
    ASSERT_TRUE(remove(*store, "s"));
  }
  ASSERT_NE(bytesOnDisk().find(plain), std::string::npos);
  {
    auto store = std::move(*open(with("")));
    ASSERT_TRUE(store->compact(100));
  }
  EXPECT_EQ(value(with(kKeyOne + "\n")), plain) << "what was there is sealed";
  EXPECT_EQ(bytesOnDisk().find(plain + "\"},\"metadata\":{\"name\":\"s\",\"namespace\":\"d\",\"resourceVersion\":\"2\""),
            std::string::npos);
  EXPECT_EQ(bytesOnDisk().find(plain + "-old"), std::string::npos);
  {
    auto store = std::move(*open(with(kKeyOne)));
    ASSERT_TRUE(put(*store, "t", "ANOTHER-PLAIN-TEXT", "secrets"));
    EXPECT_EQ(bytesOnDisk().find("ANOTHER-PLAIN-TEXT"), std::string::npos) << "the log of writes neither";
    auto history = await(store->history("secrets", 0, 100));
    EXPECT_TRUE(history || history.error().code == Code::Gone);
  }
  EXPECT_EQ(value(with(kKeyTwo + "\n" + kKeyOne)), plain) << "the old key reads";
  EXPECT_EQ(value(with(kKeyTwo)), plain) << "everything was sealed anew, the old key may go";
  EXPECT_NE(value(with(kKeyOne)).find("Secret d/s is encrypted with key "), std::string::npos);
  EXPECT_NE(value(with(kKeyOne)).find(", which is not in keys"), std::string::npos);
  EXPECT_NE(value(with("")).find("give the file of keys with --encryption-key-file"), std::string::npos);
  EXPECT_EQ(value(with("identity\n" + kKeyTwo)), plain);
  EXPECT_EQ(value(with("")), plain) << "encryption is undone";
}

TEST(SecretBox, TellsWhatIsWrongWithAFileOfKeys) {
  EXPECT_EQ(SecretBox::parse("# none\n", "k").error().message, "encryption keys k: the file holds no key");
  EXPECT_EQ(
      SecretBox::parse("\nAAAA\n", "k").error().message,
      "encryption keys k, line 2: expected base64 of 32 bytes (head -c 32 /dev/urandom | base64), or the word identity");
  EXPECT_EQ(SecretBox::load("/nonexistent").error().message,
            "cannot read the encryption keys in /nonexistent: No such file or directory");
  const fs::path path = fs::temp_directory_path() / fmt::format("keys_{}", ::getpid());
  std::ofstream(path) << kKeyOne;
  fs::permissions(path, fs::perms::owner_read | fs::perms::others_read);
  EXPECT_EQ(SecretBox::load(path).error().message,
            fmt::format("the encryption keys in {0} can be read by others (mode 0404): chmod 600 {0}", path.string()));
  fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_TRUE(SecretBox::load(path));
  fs::remove(path);
}

TEST(SecretBox, AChangedOrMovedRowIsNotOpened) {
  const auto b = box(kKeyOne);
  const std::string row = b->seal("text", "d/s");
  EXPECT_EQ(*b->open(row, "d/s"), "text");
  EXPECT_NE(row, b->seal("text", "d/s")) << "a nonce of its own";
  EXPECT_FALSE(b->open(row, "d/other"));
  for (std::size_t i = 31; i < row.size(); ++i) {
    std::string changed = row;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_FALSE(b->open(changed, "d/s")) << i;
  }
  EXPECT_FALSE(b->open(row.substr(0, 40), "d/s"));
}

TEST_F(StoreSafetyTest, ACopyOfARunningStoreIsConsistentAndBecomesAStoreOfLaterRevisions) {
  const std::string copy = (dir / "copy.db").string();
  {
    auto store = std::move(*open(file()));
    for (int i = 0; i < 200; ++i) ASSERT_TRUE(put(*store, "m" + std::to_string(i), std::string(8000, 'x')));
    // Writes go on while the copy is made; those acknowledged before it are in it.
    std::optional<Status> copied;
    asio::co_spawn(io, store->backup(copy), [&](std::exception_ptr, Status s) { copied = std::move(s); });
    int written = 0;
    while (!copied) {
      io.restart();
      ASSERT_TRUE(put(*store, "during", std::to_string(written++)));
    }
    ASSERT_TRUE(*copied) << copied->error().message;
    EXPECT_GT(written, 0);
  }
  auto facts = inspectStore(copy);
  ASSERT_TRUE(facts) << facts.error().message;
  EXPECT_GE(facts->objects, 200u);
  const std::string target = (dir / "other.db").string();
  ASSERT_TRUE(restoreStore(copy, target));
  StoreOptions options = file();
  options.path = target;
  auto store = std::move(*open(options));
  EXPECT_GE(contents(*store).size(), 200u);
  EXPECT_GT(store->revision(), facts->revision + 1000) << "no revision of the time after the copy is given out again";
  EXPECT_EQ(await(store->history("configmaps", facts->revision, 10)).error().code, Code::Gone);
  ASSERT_TRUE(put(*store, "new", "1"));
  ASSERT_TRUE(restoreStore(copy, (dir / "state.db").string()));
  EXPECT_TRUE(fs::exists(dir / "state.db.before-restore"));
}

TEST_F(StoreSafetyTest, WhatIsNoGoodCopyIsRefused) {
  const std::string path = (dir / "x").string();
  EXPECT_EQ(inspectStore(path).error().message, path + ": no such file");
  std::ofstream(path) << "not a database, but long enough to look like something";
  EXPECT_FALSE(inspectStore(path));
  {
    auto store = std::move(*open(file()));
    for (int i = 0; i < 50; ++i) ASSERT_TRUE(put(*store, "m" + std::to_string(i), std::string(8000, 'x')));
    ASSERT_TRUE(await(store->backup(path + "2")));
  }
  ASSERT_TRUE(inspectStore(path + "2"));
  fs::resize_file(path + "2", fs::file_size(path + "2") / 2);
  EXPECT_FALSE(inspectStore(path + "2"));
}

TEST_F(StoreSafetyTest, AStoreOfTheFirstFormatIsBroughtUpToDate) {
  const char* source = std::getenv("SLIPWAY_SOURCE_DIR");
  if (!source) GTEST_SKIP() << "SLIPWAY_SOURCE_DIR is not set";
  fs::copy_file(fs::path(source) / "tests/data/store-format-1.db", dir / "state.db");
  auto store = open(file());
  ASSERT_TRUE(store) << store.error().message;
  EXPECT_EQ((*store)->revision(), 37u);
  EXPECT_EQ(at((*store)->get("configmaps", "default", "old")->json(), "data", "a"), "2");
  EXPECT_FALSE((*store)->get("configmaps", "default", "gone"));
  EXPECT_EQ(await((*store)->history("configmaps", 30, 10))->size(), 4u);
  ASSERT_TRUE(put(**store, "new", "1"));
  store->reset();
  EXPECT_TRUE(inspectStore((dir / "state.db").string()));
  EXPECT_TRUE(open(file()));
}

}  // namespace
}  // namespace slipway::apiserver
