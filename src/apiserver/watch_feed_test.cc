#include "apiserver/watch_feed.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <random>

#include "base/result.h"

namespace slipway::apiserver {
namespace {

namespace asio = boost::asio;

class WatchFeedTest : public ::testing::Test {
 protected:
  explicit WatchFeedTest(StoreOptions options = {}, std::size_t kept = 16 << 20)
      : store(std::move(*Store::open(io.get_executor(), std::move(options)))),
        hub(*store, io.get_executor()),
        feeds(hub, kept) {}

  template <class T>
  T await(Task<T> task) {
    std::optional<T> out;
    asio::co_spawn(io, std::move(task), [&](std::exception_ptr e, T value) {
      EXPECT_FALSE(e);
      out = std::move(value);
    });
    io.restart();
    while (!out) io.run_one();
    return std::move(*out);
  }
  // Writes one object and lets the feeds see it.
  void put(const std::string& ns, const std::string& name, const std::string& text = "x") { putAll(ns, {name}, text); }
  // Several in one commit: they come in one piece.
  void putAll(const std::string& ns, const std::vector<std::string>& names, const std::string& text = "x") {
    ASSERT_TRUE(await(store->commit([&](Txn& txn) -> Status {
      for (const std::string& name : names) {
        txn.put("configmaps",
                Json{{"kind", "ConfigMap"},
                     {"apiVersion", "v1"},
                     {"metadata", {{"name", name}, {"namespace", ns}, {"labels", {{"app", text.substr(0, 8)}}}}},
                     {"data", {{"v", text}}}});
      }
      return {};
    })));
  }
  std::unique_ptr<WatchReader> follow(const std::string& ns = "d", const std::string& labels = "",
                                      std::optional<std::uint64_t> after = {}) {
    WatchAudience audience{"configmaps", ns, labels, *Selector::parse("configmaps", labels, "")};
    return feeds.follow(audience, after.value_or(store->revision()), [this](const std::vector<WatchItem>& items) {
      ++renders;
      return RenderedItems{textOf(items), items.front().entry->name == breaks};
    });
  }
  static std::string textOf(const std::vector<WatchItem>& items) {
    std::string out;
    for (const WatchItem& item : items) {
      out += item.type == kube::WatchEvent::Type::Deleted ? "-" : "";
      out += item.entry->name + "@" + std::to_string(item.revision) + "\n";
    }
    return out;
  }
  // What the reader gets now, until nothing is left.
  std::string all(WatchReader& reader, bool shared = true) {
    std::string out;
    for (;;) {
      auto step = await(reader.next(std::chrono::steady_clock::now(), shared));
      EXPECT_TRUE(step) << step.error().message;
      if (!step || step->empty()) return out;
      for (const auto& piece : step->pieces) out += *piece;
      out += textOf(step->items);
      if (step->last) return out + "end";
    }
  }

  asio::io_context io;
  std::unique_ptr<Store> store;
  WatchHub hub;
  WatchFeeds feeds;
  int renders = 0;
  std::string breaks;
};

TEST_F(WatchFeedTest, EqualWatchesShareTheirBytes) {
  auto a = follow(), b = follow(), other = follow("e");
  EXPECT_EQ(feeds.feeds(), 2u);
  put("d", "one");
  auto first = await(a->next({}));
  auto second = await(b->next({}));
  ASSERT_EQ(first->pieces.size(), 1u);
  EXPECT_EQ(*first->pieces[0], "one@1\n");
  EXPECT_EQ(first->pieces, second->pieces) << "the very same bytes";
  EXPECT_EQ(renders, 1);
  EXPECT_EQ(all(*other), "");
}

TEST_F(WatchFeedTest, AQuietNamespaceKnowsHowFarItIs) {
  auto quiet = follow("e");
  for (int i = 0; i < 5; ++i) put("d", "n" + std::to_string(i));
  EXPECT_EQ(all(*quiet), "");
  EXPECT_EQ(quiet->revision(), 5u);
  ASSERT_TRUE(store->compact(5));  // must not end a watch that has missed nothing
  put("e", "now");
  EXPECT_EQ(all(*quiet), "now@6\n");
}

TEST_F(WatchFeedTest, WhoJoinsWithinAPieceGetsTheRestOnce) {
  auto early = follow();
  putAll("d", {"a", "b", "c"});
  auto late = follow("d", "", 2);
  EXPECT_EQ(all(*late), "c@3\n");
  auto fromBefore = follow("d", "", 0);
  EXPECT_EQ(all(*fromBefore), "a@1\nb@2\nc@3\n");
  put("d", "d");
  for (auto* reader : {late.get(), fromBefore.get()}) EXPECT_EQ(all(*reader), "d@4\n");
  EXPECT_EQ(all(*early), "a@1\nb@2\nc@3\nd@4\n");
}

TEST_F(WatchFeedTest, ItemsInsteadOfBytesForWhoRendersHimself) {
  auto reader = follow();
  put("d", "a");
  auto step = await(reader->next({}, false));
  EXPECT_TRUE(step->pieces.empty());
  EXPECT_EQ(textOf(step->items), "a@1\n");
  put("d", "b");
  EXPECT_EQ(all(*reader), "b@2\n");
}

TEST_F(WatchFeedTest, AnObjectThatStopsToMatchIsDeletedForTheWatch) {
  auto reader = follow("d", "app=on");
  put("d", "a", "on");
  put("d", "a", "off");
  put("d", "a", "off");
  EXPECT_EQ(all(*reader), "a@1\n-a@2\n");
}

TEST_F(WatchFeedTest, WhatCannotBeRenderedEndsTheWatchesThatSeeIt) {
  breaks = "bad";
  auto a = follow(), b = follow();
  put("d", "good");
  put("d", "bad");
  put("d", "after");
  EXPECT_EQ(all(*a), "good@1\nbad@2\nend");
  auto late = follow();
  put("d", "more");
  EXPECT_EQ(all(*late), "more@4\n") << "who comes later begins anew";
  EXPECT_EQ(all(*b), "good@1\nbad@2\nend");
}

TEST_F(WatchFeedTest, PiecesGoWhenAllHaveTakenThem) {
  auto a = follow(), b = follow();
  put("d", "a", std::string(1000, 'x'));
  EXPECT_GT(feeds.keptBytes(), 0u);
  all(*a);
  put("d", "b");
  all(*a);
  const std::size_t both = feeds.keptBytes();
  all(*b);
  put("d", "c");
  EXPECT_LT(feeds.keptBytes(), both);
  a.reset();
  b.reset();
  EXPECT_EQ(feeds.keptBytes(), 0u);
  EXPECT_EQ(feeds.feeds(), 0u);
}

class TightFeedTest : public WatchFeedTest {
 protected:
  TightFeedTest() : WatchFeedTest(StoreOptions{.historyRevisions = 100000, .windowChanges = 20}, 200) {}
};

TEST_F(TightFeedTest, ASlowReaderReadsTheStoreWhereTheFeedHasForgotten) {
  auto slow = follow(), fast = follow();
  std::string expected;
  for (int i = 1; i <= 300; ++i) {
    put("d", "n" + std::to_string(i));
    expected += "n" + std::to_string(i) + "@" + std::to_string(i) + "\n";
    if (i % 7 == 0) all(*fast);
    EXPECT_LE(feeds.keptBytes(), 200u);
  }
  EXPECT_EQ(all(*slow), expected);
  put("d", "last");
  EXPECT_EQ(all(*slow), "last@301\n");
}

TEST_F(TightFeedTest, ReadersThatComeAndGoAtRandomSeeEveryEventOnceInOrder) {
  std::mt19937 random(7);
  struct Seen {
    std::unique_ptr<WatchReader> reader;
    std::uint64_t from;
    std::string text;
  };
  std::vector<Seen> readers;
  std::vector<std::string> lines;
  const auto expected = [&](std::uint64_t from, std::size_t to) {
    std::string out;
    for (std::size_t i = from; i < to; ++i) out += lines[i];
    return out;
  };
  for (int round = 0; round < 400; ++round) {
    std::vector<std::string> names;
    for (std::size_t i = 0; i <= random() % 4; ++i) names.push_back("n" + std::to_string(lines.size() + i));
    putAll("d", names);
    for (const auto& name : names) lines.push_back(name + "@" + std::to_string(lines.size() + 1) + "\n");
    if (random() % 8 == 0) {
      const std::uint64_t from = store->revision() - random() % std::min<std::uint64_t>(40, store->revision());
      readers.push_back({follow("d", "", from), from, ""});
    }
    for (Seen& seen : readers) {
      if (random() % 5 == 0) seen.text += all(*seen.reader, random() % 4 != 0);
    }
    if (readers.size() > 12) {
      Seen& gone = readers[random() % readers.size()];
      EXPECT_EQ(gone.text, expected(gone.from, gone.from + std::count(gone.text.begin(), gone.text.end(), '\n')));
      gone = std::move(readers.back());
      readers.pop_back();
    }
  }
  ASSERT_FALSE(readers.empty());
  for (Seen& seen : readers) {
    seen.text += all(*seen.reader);
    EXPECT_EQ(seen.text, expected(seen.from, lines.size()));
  }
}

TEST_F(WatchFeedTest, ManyWatchesGetTheirEventsInBeatsAndLoseNone) {
  constexpr int kReaders = 500, kEvents = 50;
  struct Watch {
    std::unique_ptr<WatchReader> reader;
    std::string text;
    int writes = 0;
  };
  std::vector<Watch> watches(kReaders);
  int done = 0;
  for (Watch& watch : watches) {
    watch.reader = follow();
    asio::co_spawn(
        io,
        [&]() -> Task<void> {
          while (std::count(watch.text.begin(), watch.text.end(), '\n') < kEvents) {
            auto step = co_await watch.reader->next({});
            for (const auto& piece : step->pieces) watch.text += *piece;
            ++watch.writes;
          }
          ++done;
        },
        [](std::exception_ptr e) { EXPECT_FALSE(e); });
  }
  for (int i = 0; i < kEvents; ++i) put("d", "n");
  io.restart();
  while (done < kReaders) io.run_one();
  for (const Watch& watch : watches) EXPECT_EQ(watch.text, watches[0].text);
  EXPECT_EQ(renders, kEvents) << "once for all";
}

TEST_F(WatchFeedTest, CloseEndsThoseWhoWait) {
  auto reader = follow();
  std::optional<Result<WatchStep>> step;
  asio::co_spawn(io, reader->next({}), [&](std::exception_ptr, Result<WatchStep> s) { step = std::move(s); });
  io.poll();
  EXPECT_FALSE(step);
  hub.close();
  io.restart();
  io.run();
  ASSERT_TRUE(step && *step);
  EXPECT_TRUE((*step)->empty());
}

}  // namespace
}  // namespace slipway::apiserver
