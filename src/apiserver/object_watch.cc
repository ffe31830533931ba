#include "apiserver/object_watch.h"

namespace slipway::apiserver {

using Type = kube::WatchEvent::Type;

ObjectWatch::ObjectWatch(std::string ns, Selector selector, std::unique_ptr<Subscription> subscription,
                         std::vector<WatchItem> initial)
    : ns_(std::move(ns)),
      selector_(std::move(selector)),
      subscription_(std::move(subscription)),
      initial_(std::move(initial)) {}

std::optional<WatchItem> watchItem(const Change& change, const std::string& ns, const Selector& selector) {
  const auto matches = [&](const EntryPtr& entry) {
    return entry && (ns.empty() || entry->ns == ns) && selector.matches(*entry);
  };
  const bool before = matches(change.before);
  const bool after = !change.deleted && matches(change.after);
  if (after) return WatchItem{before ? Type::Modified : Type::Added, change.after, change.revision};
  if (!before) return std::nullopt;
  return WatchItem{Type::Deleted, change.deleted ? change.after : change.before, change.revision};
}

Task<Result<std::vector<WatchItem>>> ObjectWatch::next(std::optional<TimePoint> deadline) {
  if (!initial_.empty()) co_return std::exchange(initial_, {});
  std::vector<WatchItem> items;
  for (;;) {
    Result<std::vector<Change>> changes = co_await subscription_->next(deadline);
    if (!changes) co_return fail(changes.error());
    for (const Change& change : *changes) {
      if (auto item = watchItem(change, ns_, selector_)) items.push_back(std::move(*item));
    }
    if (!items.empty() || changes->empty()) co_return items;
  }
}

}  // namespace slipway::apiserver
