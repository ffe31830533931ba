#include "apiserver/watch_feed.h"

#include <malloc.h>

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <deque>
#include <list>
#include <map>
#include <set>

#include "base/log.h"

namespace slipway::apiserver {
namespace asio = boost::asio;
namespace {

constexpr std::size_t kPieceBytes = 64 << 10;
constexpr std::size_t kStepBytes = 256 << 10;  // of pieces taken at once
constexpr std::size_t kStepPieces = 8;
const std::string kEverywhere;  // the namespace of those who watch all

// The time between two beats, by the number of watches of a resource. A few watches wait for nothing; a thousand, each of
// which costs some 15 us a write, get what has gathered every 100 ms.
std::chrono::microseconds beatTime(std::size_t watches) {
  constexpr std::size_t kFew = 64;
  constexpr std::chrono::microseconds kEach{100}, kMost{400'000};
  return watches <= kFew ? std::chrono::microseconds(0) : std::min(kMost, kEach * static_cast<int>(watches));
}

}  // namespace

struct WatchFeeds::Piece {
  std::uint64_t from = 0;   // holds what concerns the audience after this
  std::uint64_t first = 0;  // revision of its first event
  std::uint64_t to = 0;     // through this
  std::uint64_t number = 0;
  std::shared_ptr<const std::string> bytes;
  bool last = false;
};

struct WatchFeeds::Feed : std::enable_shared_from_this<WatchFeeds::Feed> {
  WatchAudience audience;
  RenderItems render;
  std::deque<Piece> pieces;
  std::uint64_t tail = 0;       // where the next piece begins
  std::string open;             // of the next piece
  std::uint64_t openFirst = 0;  // revision of its first event; 0: it has none
  bool ended = false;           // its last piece ends the watch
  std::set<Reader*> readers;
  std::list<asio::steady_timer*> waiting;

  void wake() {
    for (asio::steady_timer* timer : waiting) timer->cancel();
  }
};

struct WatchFeeds::Channel {
  explicit Channel(const Executor& executor) : timer(executor) {}
  std::map<std::string, std::vector<Feed*>> byNamespace;
  std::set<Feed*> fresh;  // with events that no beat has given out
  std::size_t readers = 0;
  TimePoint rested;    // when the watches that the last beat woke had their turn
  bool armed = false;  // a beat is to come
  asio::steady_timer timer;
};

struct WatchFeeds::State : std::enable_shared_from_this<WatchFeeds::State> {
  State(WatchHub& h, std::size_t bytes) : hub(h), bound(bytes), observed(h.store().revision()) {}

  WatchHub& hub;
  std::size_t bound, kept = 0;
  std::uint64_t observed;  // revision of the newest batch
  std::uint64_t numbers = 0;
  std::map<std::string, std::weak_ptr<Feed>> feeds;                       // by audience
  std::map<std::string, Channel, std::less<>> channels;                   // by resource
  std::deque<std::pair<std::weak_ptr<Feed>, std::uint64_t>> oldestFirst;  // pieces
  std::size_t left = 0;                                                   // readers since memory was given back
  bool closed = false;

  std::shared_ptr<Feed> feedOf(const WatchAudience& audience, RenderItems render);
  void drop(Feed& feed);
  void onBatch(const Store::Batch& batch);
  bool push(Feed& feed, const Change& change);
  void seal(Feed& feed, std::uint64_t to);
  void schedule(const std::string& resource, Channel& channel);
  void beat(Channel& channel);
  void forget();
  void gone();
  void close();
  static std::string keyOf(const WatchAudience& a) { return a.resource + '\n' + a.ns + '\n' + a.key; }
};

class WatchFeeds::Reader final : public WatchReader {
 public:
  Reader(std::shared_ptr<State> state, std::shared_ptr<Feed> feed, std::uint64_t after)
      : state_(std::move(state)), feed_(std::move(feed)), cursor_(after) {
    feed_->readers.insert(this);
    ++channel().readers;
  }
  ~Reader() override {
    --channel().readers;
    feed_->readers.erase(this);
    if (feed_->readers.empty()) state_->drop(*feed_);
    state_->gone();
  }

  std::uint64_t cursor() const { return cursor_; }
  std::uint64_t revision() const override {
    const bool all = cursor_ >= feed_->tail && feed_->openFirst == 0;
    return all ? std::max(cursor_, state_->observed) : cursor_;
  }

  Task<Result<WatchStep>> next(std::optional<TimePoint> deadline, bool shared) override {
    for (;;) {
      if (state_->closed) co_return WatchStep{};
      WatchStep step = shared ? take() : WatchStep{};
      if (!step.empty()) co_return step;
      if (const std::uint64_t target = behind(shared); target != 0) {
        Status read = co_await readItems(target, step.items);
        if (!read) co_return fail(read.error());
        if (!step.empty()) co_return step;
        continue;
      }
      if (deadline && std::chrono::steady_clock::now() >= *deadline) co_return WatchStep{};
      co_await wait(deadline);
    }
  }

 private:
  Channel& channel() { return state_->channels.find(feed_->audience.resource)->second; }

  // The first piece that holds anything after the cursor.
  std::deque<Piece>::const_iterator ahead() const {
    return std::upper_bound(feed_->pieces.begin(), feed_->pieces.end(), cursor_,
                            [](std::uint64_t cursor, const Piece& piece) { return cursor < piece.to; });
  }

  WatchStep take() {
    WatchStep step;
    auto piece = ahead();
    if (piece == feed_->pieces.end() || cursor_ < piece->from || cursor_ >= piece->first) return step;
    for (std::size_t bytes = 0; piece != feed_->pieces.end() && step.pieces.size() < kStepPieces && bytes < kStepBytes;
         ++piece) {
      bytes += piece->bytes->size();
      if (!piece->bytes->empty()) step.pieces.push_back(piece->bytes);
      cursor_ = piece->to;
      step.last = piece->last;
    }
    return step;
  }

  // Through which revision this reader must read the changes by itself; 0: it needs not.
  std::uint64_t behind(bool shared) const {
    const auto piece = ahead();
    if (piece == feed_->pieces.end()) return cursor_ < feed_->tail ? feed_->tail : 0;
    if (cursor_ < piece->from) return piece->from;
    return !shared || cursor_ >= piece->first ? piece->to : 0;
  }

  Task<Status> readItems(std::uint64_t target, std::vector<WatchItem>& items) {
    Result<WatchHub::Changes> changes = co_await state_->hub.read(feed_->audience.resource, cursor_);
    if (!changes) co_return fail(changes.error());
    for (const Change& change : changes->list) {
      if (change.revision > target) break;
      if (auto item = watchItem(change, feed_->audience.ns, feed_->audience.selector)) items.push_back(std::move(*item));
    }
    cursor_ = std::min(target, changes->upTo);
    co_return Status{};
  }

  Task<void> wait(std::optional<TimePoint> deadline) {
    asio::steady_timer timer(state_->hub.executor(), deadline.value_or(asio::steady_timer::time_point::max()));
    struct Place {
      std::shared_ptr<Feed> feed;
      std::list<asio::steady_timer*>::iterator it;
      ~Place() { feed->waiting.erase(it); }
    } place{feed_, feed_->waiting.insert(feed_->waiting.end(), &timer)};
    boost::system::error_code ec;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    const auto cancelled = co_await asio::this_coro::cancellation_state;
    if (cancelled.cancelled() != asio::cancellation_type::none)
      throw boost::system::system_error(asio::error::operation_aborted);
  }

  std::shared_ptr<State> state_;
  std::shared_ptr<Feed> feed_;
  std::uint64_t cursor_;
};

std::shared_ptr<WatchFeeds::Feed> WatchFeeds::State::feedOf(const WatchAudience& audience, RenderItems render) {
  std::weak_ptr<Feed>& known = feeds[keyOf(audience)];
  if (auto feed = known.lock()) return feed;
  auto feed = std::make_shared<Feed>();
  feed->audience = audience;
  feed->render = std::move(render);
  feed->tail = observed;
  known = feed;
  channels.try_emplace(audience.resource, hub.executor()).first->second.byNamespace[audience.ns].push_back(feed.get());
  return feed;
}

// Called when the last reader of a feed goes.
void WatchFeeds::State::drop(Feed& feed) {
  Channel& channel = channels.find(feed.audience.resource)->second;
  auto place = channel.byNamespace.find(feed.audience.ns);
  std::erase(place->second, &feed);
  if (place->second.empty()) channel.byNamespace.erase(place);
  channel.fresh.erase(&feed);
  for (const Piece& piece : feed.pieces) kept -= piece.bytes->size();
  feed.pieces.clear();
  const auto known = feeds.find(keyOf(feed.audience));
  if (known != feeds.end() && known->second.lock().get() == &feed) feeds.erase(known);
}

void WatchFeeds::State::onBatch(const Store::Batch& batch) {
  if (batch.empty()) return;
  std::set<std::string_view> touched;
  for (const auto& [resource, change] : batch) {
    const auto channel = channels.find(resource);
    if (channel == channels.end() || channel->second.readers == 0) continue;
    const std::string& ns = change.after->ns;
    for (const std::string* place : {&ns, ns.empty() ? nullptr : &kEverywhere}) {
      if (!place) continue;
      const auto feedsThere = channel->second.byNamespace.find(*place);
      if (feedsThere == channel->second.byNamespace.end()) continue;
      for (Feed* feed : feedsThere->second) {
        if (push(*feed, change)) channel->second.fresh.insert(feed);
      }
    }
    touched.insert(resource);
  }
  observed = batch.back().second.revision;
  for (const std::string_view resource : touched) {
    const auto channel = channels.find(resource);
    if (!channel->second.fresh.empty()) schedule(channel->first, channel->second);
  }
}

// Whether the change concerns the feed's audience.
bool WatchFeeds::State::push(Feed& feed, const Change& change) {
  if (feed.ended) return false;
  auto item = watchItem(change, feed.audience.ns, feed.audience.selector);
  if (!item) return false;
  RenderedItems rendered;
  try {
    rendered = feed.render({std::move(*item)});
  } catch (const std::exception& e) {
    logError("watch of {}: {}", feed.audience.resource, e.what());
    rendered.last = true;  // the clients list again
  }
  if (feed.openFirst == 0) feed.openFirst = change.revision;
  feed.open += rendered.bytes;
  feed.ended = rendered.last;
  if (feed.ended) feeds.erase(keyOf(feed.audience));  // who comes now begins a new one
  if (feed.ended || feed.open.size() >= kPieceBytes) seal(feed, change.revision);
  return true;
}

void WatchFeeds::State::seal(Feed& feed, std::uint64_t to) {
  if (feed.openFirst == 0) return;
  Piece piece{feed.tail, feed.openFirst, to, ++numbers, nullptr, feed.ended};
  feed.open.shrink_to_fit();
  piece.bytes = std::make_shared<const std::string>(std::exchange(feed.open, {}));
  kept += piece.bytes->size();
  feed.tail = to;
  feed.openFirst = 0;
  oldestFirst.emplace_back(feed.weak_from_this(), piece.number);
  feed.pieces.push_back(std::move(piece));
}

// Lets go of what every reader has taken, and of the oldest pieces beyond the bound.
void WatchFeeds::State::forget() {
  while (!oldestFirst.empty()) {
    const auto& [weak, number] = oldestFirst.front();
    const auto feed = weak.lock();
    if (feed && !feed->pieces.empty() && feed->pieces.front().number == number) {
      if (kept <= bound) return;
      kept -= feed->pieces.front().bytes->size();
      feed->pieces.pop_front();
    }
    oldestFirst.pop_front();
  }
}

// A few watches hear of a batch at once. For many, the beat comes when their rest is over, and behind whatever batches wait
// to be looked at already: on a loop that is late, each write must carry more, or it would be later still.
void WatchFeeds::State::schedule(const std::string& resource, Channel& channel) {
  if (channel.armed) return;
  const auto rest = beatTime(channel.readers);
  if (rest.count() == 0) return beat(channel);
  channel.armed = true;
  channel.timer.expires_at(channel.rested + rest);
  channel.timer.async_wait([weak = weak_from_this(), resource](const boost::system::error_code& ec) {
    const auto self = weak.lock();
    if (!self) return;
    Channel& mine = self->channels.find(resource)->second;
    mine.armed = false;
    if (ec) return;
    self->beat(mine);
    asio::post(self->hub.executor(), [weak, resource] {  // behind those that it woke
      if (const auto again = weak.lock()) again->channels.find(resource)->second.rested = std::chrono::steady_clock::now();
    });
  });
}

void WatchFeeds::State::beat(Channel& channel) {
  for (Feed* feed : std::exchange(channel.fresh, {})) {
    std::uint64_t slowest = feed->tail;
    for (const Reader* reader : feed->readers) slowest = std::min(slowest, reader->cursor());
    while (!feed->pieces.empty() && feed->pieces.front().to <= slowest) {
      kept -= feed->pieces.front().bytes->size();
      feed->pieces.pop_front();
    }
    seal(*feed, observed);
    feed->wake();
  }
  forget();
}

// Thousands of watches that end leave free memory between what stays, which only the kernel can use for others.
void WatchFeeds::State::gone() {
  constexpr std::size_t kMany = 250;
  if (closed || ++left < kMany) return;
  left = 0;
  asio::post(hub.executor(), [] { ::malloc_trim(0); });  // when their connections are gone too
}

void WatchFeeds::State::close() {
  closed = true;
  for (auto& [key, weak] : feeds) {
    if (auto feed = weak.lock()) feed->wake();
  }
}

WatchFeeds::WatchFeeds(WatchHub& hub, std::size_t keptBytes) : state_(std::make_shared<State>(hub, keptBytes)) {
  std::weak_ptr<State> weak = state_;
  hub.observe([weak](const Store::Batch& batch) {
    if (auto state = weak.lock()) state->onBatch(batch);
  });
  hub.onClose([weak] {
    if (auto state = weak.lock()) state->close();
  });
}

WatchFeeds::~WatchFeeds() { state_->close(); }

std::unique_ptr<WatchReader> WatchFeeds::follow(const WatchAudience& audience, std::uint64_t after, RenderItems render) {
  return std::make_unique<Reader>(state_, state_->feedOf(audience, std::move(render)), after);
}

std::size_t WatchFeeds::feeds() const { return state_->feeds.size(); }
std::size_t WatchFeeds::keptBytes() const { return state_->kept; }

}  // namespace slipway::apiserver
