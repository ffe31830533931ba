#include "apiserver/store.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <filesystem>

namespace slipway::apiserver {
namespace {

namespace asio = boost::asio;

Json object(const std::string& name, int value) {
  return Json{{"kind", "ConfigMap"},
              {"apiVersion", "v1"},
              {"metadata", {{"name", name}, {"namespace", "d"}}},
              {"data", {{"v", value}}}};
}

class StoreTest : public ::testing::Test {
 protected:
  std::unique_ptr<Store> open(StoreOptions options = {}) {
    auto store = Store::open(io.get_executor(), std::move(options));
    EXPECT_TRUE(store) << store.error().message;
    return store ? std::move(*store) : nullptr;
  }
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
  Status put(Store& store, const std::string& name, int value, bool dryRun = false) {
    return await(store.commit(
        [=](Txn& txn) -> Status {
          txn.put("configmaps", object(name, value));
          return {};
        },
        dryRun));
  }
  Status remove(Store& store, const std::string& name) {
    return await(store.commit([=](Txn& txn) -> Status {
      txn.remove("configmaps", txn.get("configmaps", "d", name)->json());
      return {};
    }));
  }
  asio::io_context io;
};

class StoreFileTest : public StoreTest {
 protected:
  StoreFileTest() : dir(std::filesystem::temp_directory_path() / ("store_test_" + std::to_string(::getpid()))) {
    std::filesystem::remove_all(dir);
    std::filesystem::create_directories(dir);
  }
  ~StoreFileTest() override { std::filesystem::remove_all(dir); }
  StoreOptions file() { return StoreOptions{.path = (dir / "state.db").string()}; }
  std::filesystem::path dir;
};

TEST_F(StoreTest, EveryWriteOfAnyKindRaisesTheOneRevision) {
  auto store = open();
  ASSERT_TRUE(put(*store, "a", 1));
  ASSERT_TRUE(await(store->commit([](Txn& txn) -> Status {
    txn.put("pods", object("p", 1));
    return {};
  })));
  EXPECT_EQ(store->get("configmaps", "d", "a")->revision, 1u);
  EXPECT_EQ(store->get("pods", "d", "p")->revision, 2u);
  EXPECT_EQ(textAt(store->get("pods", "d", "p")->json()["metadata"], "resourceVersion"), "2");
  EXPECT_EQ(store->list("configmaps").revision, 2u);
}

TEST_F(StoreTest, AFailedClosureLeavesNothingBehindAndSparesItsBatch) {
  auto store = open();
  int finished = 0;
  for (int i = 0; i < 3; ++i) {
    asio::co_spawn(io, store->commit([i](Txn& txn) -> Status {
      txn.put("configmaps", object("n" + std::to_string(i), i));
      if (i == 1) return fail(Code::Conflict, "no");
      if (i == 2) EXPECT_TRUE(txn.get("configmaps", "d", "n0"));  // sees the write before it
      return {};
    }),
                   [&, i](std::exception_ptr, Status s) {
                     EXPECT_EQ(bool(s), i != 1);
                     ++finished;
                   });
  }
  io.run();
  EXPECT_EQ(finished, 3);
  EXPECT_EQ(store->count("configmaps"), 2u);
  EXPECT_EQ(store->revision(), 2u);
}

TEST_F(StoreTest, AThrowingClosureBecomesAnInternalError) {
  auto store = open();
  Status s = await(store->commit([](Txn&) -> Status { throw std::runtime_error("boom"); }));
  ASSERT_FALSE(s);
  EXPECT_EQ(s.error().code, Code::Internal);
  EXPECT_TRUE(put(*store, "after", 1));
}

TEST_F(StoreTest, DryRunStoresNothingAndKeepsTheRevision) {
  auto store = open();
  ASSERT_TRUE(put(*store, "a", 1));
  ASSERT_TRUE(put(*store, "b", 2, true));
  EXPECT_EQ(store->revision(), 1u);
  EXPECT_EQ(store->get("configmaps", "d", "b"), nullptr);
}

TEST_F(StoreTest, RecentChangesCarryTheStateBefore) {
  auto store = open();
  ASSERT_TRUE(put(*store, "a", 1));
  ASSERT_TRUE(put(*store, "a", 2));
  ASSERT_TRUE(remove(*store, "a"));
  auto changes = store->recent("configmaps", 1, 10);
  ASSERT_TRUE(changes);
  ASSERT_EQ(changes->size(), 2u);
  EXPECT_EQ((*changes)[0].before->revision, 1u);
  EXPECT_TRUE((*changes)[1].deleted);
  EXPECT_EQ((*changes)[1].after->revision, 3u);
}

TEST_F(StoreFileTest, AReopenedStoreHoldsTheSameObjectsAndGoesOnCounting) {
  {
    auto store = open(file());
    ASSERT_TRUE(put(*store, "a", 1));
    ASSERT_TRUE(put(*store, "b", 2));
    ASSERT_TRUE(put(*store, "a", 3));
    ASSERT_TRUE(remove(*store, "b"));
  }
  auto store = open(file());
  EXPECT_EQ(store->revision(), 4u);
  EXPECT_EQ(store->get("configmaps", "d", "a")->json()["data"]["v"], 3);
  EXPECT_EQ(store->get("configmaps", "d", "b"), nullptr);
  EXPECT_FALSE(store->recent("configmaps", 1, 10));  // memory starts empty
  auto changes = await(store->history("configmaps", 1, 10));
  ASSERT_TRUE(changes);
  ASSERT_EQ(changes->size(), 3u);
  EXPECT_EQ((*changes)[1].before->json()["data"]["v"], 1);
  EXPECT_TRUE((*changes)[2].deleted);
  ASSERT_TRUE(put(*store, "c", 1));
  EXPECT_EQ(store->revision(), 5u);
}

TEST_F(StoreFileTest, ASecondProcessIsRefusedWithTheReason) {
  auto store = open(file());
  ASSERT_TRUE(put(*store, "a", 1));
  auto second = Store::open(io.get_executor(), file());
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find("in use by another process"), std::string::npos) << second.error().message;
}

TEST_F(StoreFileTest, CompactionForgetsHistoryButNeverTheLastRevision) {
  {
    auto store = open(file());
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(put(*store, "a", i));
    ASSERT_TRUE(put(*store, "b", 1));
    ASSERT_TRUE(remove(*store, "b"));
    ASSERT_TRUE(store->compact(1000));
    EXPECT_EQ(store->compacted(), 6u);
    auto changes = await(store->history("configmaps", 3, 10));
    ASSERT_FALSE(changes);
    EXPECT_EQ(changes.error().code, Code::Gone);
  }
  auto store = open(file());
  EXPECT_EQ(store->revision(), 7u);
  EXPECT_EQ(store->compacted(), 6u);
  EXPECT_EQ(store->get("configmaps", "d", "a")->json()["data"]["v"], 4);
  EXPECT_EQ(store->count("configmaps"), 1u);
}

TEST_F(StoreFileTest, AnObjectThatWasDeletedAndMadeAgainIsThereAfterARestart) {
  {
    auto store = open(file());
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(put(*store, "a", i));
    ASSERT_TRUE(remove(*store, "a"));
    ASSERT_TRUE(put(*store, "gone", 1));
    ASSERT_TRUE(put(*store, "a", 7));
    ASSERT_TRUE(put(*store, "a", 8));
    ASSERT_TRUE(remove(*store, "gone"));
  }
  auto store = open(file());
  EXPECT_EQ(store->count("configmaps"), 1u);
  EXPECT_EQ(store->get("configmaps", "d", "a")->json()["data"]["v"], 8);
  EXPECT_EQ(store->get("configmaps", "d", "a")->revision, 7u);
}

// A kind whose last object was deleted and forgotten leaves no row: its watches must be told so all the same.
TEST_F(StoreFileTest, AfterARestartAWatchOfAKindWithoutObjectsIsToldThatItsVersionIsGone) {
  {
    auto store = open(file());
    ASSERT_TRUE(put(*store, "a", 1));
    ASSERT_TRUE(remove(*store, "a"));
    const auto other = [](Txn& txn) -> Status {
      Json o = object("x", 1);
      o["kind"] = "Secret";
      txn.put("secrets", o);
      return {};
    };
    ASSERT_TRUE(await(store->commit(other)));
    ASSERT_TRUE(await(store->commit(other)));
    ASSERT_TRUE(store->compact(1000));
    EXPECT_EQ(store->compacted(), 3u);
  }
  auto store = open(file());
  EXPECT_FALSE(store->recent("configmaps", 1, 10)) << "revision 2, the deletion, would be missed";
  EXPECT_FALSE(await(store->history("configmaps", 1, 10)));
  EXPECT_TRUE(store->recent("configmaps", 4, 10));
  ASSERT_TRUE(put(*store, "b", 1));
  EXPECT_FALSE(store->recent("configmaps", 1, 10)) << "also once there is one again";
  EXPECT_EQ(store->recent("configmaps", 4, 10)->size(), 1u);
}

TEST_F(StoreFileTest, HistoryIsBoundedByCount) {
  StoreOptions options = file();
  options.historyRevisions = 10;
  options.windowChanges = 4;
  auto store = open(options);
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(put(*store, "a", i));
  EXPECT_GE(store->compacted(), 25u);
  EXPECT_FALSE(store->recent("configmaps", 30, 100));
  EXPECT_TRUE(store->recent("configmaps", 36, 100));
}

}  // namespace
}  // namespace slipway::apiserver
