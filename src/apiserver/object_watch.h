// ObjectWatch: the watch of the Kubernetes API over one resource: initial objects, then changes, filtered by namespace and
// selectors (an object that starts to match is ADDED, one that stops is DELETED), with bookmarks when asked for.
//
// Used from the control executor, by our own controllers. Registry::watch() makes it. A client's watch begins and filters
// alike, but shares its bytes with its equals (watch_feed.h).
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apiserver/selectors.h"
#include "apiserver/watch_hub.h"
#include "kube/client.h"

namespace slipway::apiserver {

struct WatchQuery {
  std::string ns, labelSelector, fieldSelector;
  std::string resourceVersion;  // "" or "0": first ADDED for what exists now
  bool bookmarks = false;
  bool sendInitialEvents = false;  // ADDED for all, then (with bookmarks) one with k8s.io/initial-events-end
  bool onlyChanges = false;        // without a resourceVersion: none of what exists now (sendInitialEvents=false)
};

struct WatchItem {
  kube::WatchEvent::Type type = kube::WatchEvent::Type::Added;
  EntryPtr entry;              // null for a bookmark
  std::uint64_t revision = 0;  // the entry's, but for an object that stopped matching: of the change that did it
  bool initialEnd = false;     // bookmark: the initial objects are all sent
};

// What a change is to a watch of these objects; nullopt: nothing.
std::optional<WatchItem> watchItem(const Change& change, const std::string& ns, const Selector& selector);

// Where a watch begins: what it sends first, and the revision after which it goes on.
struct WatchStart {
  Selector selector;
  std::vector<WatchItem> initial;
  std::uint64_t revision = 0;
};

class ObjectWatch {
 public:
  ObjectWatch(std::string ns, Selector selector, std::unique_ptr<Subscription> subscription, std::vector<WatchItem> initial);
  // Events in order; an empty vector when `deadline` passed or the server stops. Error Gone when history is compacted.
  Task<Result<std::vector<WatchItem>>> next(std::optional<TimePoint> deadline = {});
  std::uint64_t revision() const { return subscription_->revision(); }

 private:
  std::string ns_;
  Selector selector_;
  std::unique_ptr<Subscription> subscription_;
  std::vector<WatchItem> initial_;
};

}  // namespace slipway::apiserver
