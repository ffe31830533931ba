// WatchStream: the body of a watch response: one JSON document per event, as objects, Tables or metadata, with bookmarks
// every minute when asked for, until timeoutSeconds, the client or the server ends it.
#pragma once
#include <memory>
#include <optional>

#include "apiserver/http/content.h"
#include "apiserver/object_watch.h"
#include "apiserver/registry.h"
#include "net/http.h"

namespace slipway::apiserver {

struct WatchStreamOptions {
  const Resource* resource = nullptr;
  Accepted accepted;
  std::string includeObject;
  bool bookmarks = false;
  std::optional<std::chrono::seconds> timeout;
  std::shared_ptr<Clock> clock;
};

std::unique_ptr<net::BodyReader> makeWatchStream(std::unique_ptr<ObjectWatch> watch, WatchStreamOptions options);

}  // namespace slipway::apiserver
