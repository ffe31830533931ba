// WatchStream: the body of a watch response: one JSON document per event, as objects, Tables or metadata, with bookmarks
// every minute when asked for, until timeoutSeconds, the client or the server ends it. Watches that send the same share its
// bytes (watch_feed.h).
#pragma once
#include <memory>
#include <optional>

#include "apiserver/http/content.h"
#include "apiserver/object_watch.h"
#include "apiserver/registry.h"
#include "apiserver/watch_feed.h"
#include "net/http.h"

namespace slipway::apiserver {

struct WatchStreamOptions {
  const Resource* resource = nullptr;
  WatchQuery query;
  Accepted accepted;
  std::string includeObject;
  std::optional<std::chrono::seconds> timeout;
  std::shared_ptr<Clock> clock;
  std::shared_ptr<void> place;  // among the watches that may be open; kept as long as the stream
};

std::unique_ptr<net::BodyReader> makeWatchStream(const Registry& registry, WatchFeeds& feeds, WatchStart start,
                                                 WatchStreamOptions options);

}  // namespace slipway::apiserver
