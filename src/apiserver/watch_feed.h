// WatchFeeds: what watches of clients send, made once for all that send the same.
//
// A feed holds the newest changes of one audience (resource, namespace, selectors, form) as the very bytes that its watches
// write, in pieces that they share; a reader is one watch's position in it. An event is filtered and rendered once for each
// audience, not for each watch, and namespaces that see no change wake nobody. With many watches of a resource the pieces go
// out in beats, so that one write carries many events.
//
// A reader that is behind what the feed still holds, or begins within a piece, gets the changes themselves from the store
// and renders them; then it joins the others. Lives on the hub's executor.
//
//   auto reader = feeds.follow({"pods", "default", key, selector}, revision, render);
//   auto step = co_await reader->next(deadline);
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apiserver/object_watch.h"

namespace slipway::apiserver {

struct WatchAudience {
  std::string resource;  // its name in the store
  std::string ns;        // empty: all
  std::string key;       // whatever else decides what is sent: version, selectors, form
  Selector selector;
};

struct RenderedItems {
  std::string bytes;
  bool last = false;  // the watch ends with them
};
using RenderItems = std::function<RenderedItems(const std::vector<WatchItem>&)>;

// What comes next in a watch: pieces, or items that the caller renders. Neither: the deadline passed or the server stops.
struct WatchStep {
  std::vector<std::shared_ptr<const std::string>> pieces;
  std::vector<WatchItem> items;
  bool last = false;  // nothing follows the pieces
  bool empty() const { return pieces.empty() && items.empty() && !last; }
};

class WatchReader {
 public:
  virtual ~WatchReader() = default;
  // Error Gone when the changes after revision() are compacted. With `shared` false, items only.
  virtual Task<Result<WatchStep>> next(std::optional<TimePoint> deadline, bool shared = true) = 0;
  // Everything through this revision was returned by next() or concerns others.
  virtual std::uint64_t revision() const = 0;
};

class WatchFeeds {
 public:
  // `hub` must outlive this object; readers may outlive it. Pieces that slow readers have not taken are kept up to
  // `keptBytes`, over all feeds; the oldest go first.
  explicit WatchFeeds(WatchHub& hub, std::size_t keptBytes = 16 << 20);
  ~WatchFeeds();
  // `render` is that of the first reader of the audience; it must not refer to that reader.
  std::unique_ptr<WatchReader> follow(const WatchAudience& audience, std::uint64_t after, RenderItems render);
  std::size_t feeds() const;
  std::size_t keptBytes() const;

 private:
  struct Piece;
  struct Feed;
  struct Channel;
  struct State;
  class Reader;
  std::shared_ptr<State> state_;
};

}  // namespace slipway::apiserver
