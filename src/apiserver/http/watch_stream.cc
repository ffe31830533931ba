#include "apiserver/http/watch_stream.h"

#include "apiserver/api_status.h"
#include "apiserver/http/protobuf.h"
#include "apiserver/http/tables.h"
#include "data/json_text.h"

namespace slipway::apiserver {
namespace {

constexpr std::chrono::seconds kBookmarkEvery{60};
constexpr std::size_t kInitialBytes = 256 << 10;  // of initial objects sent at once
using Type = kube::WatchEvent::Type;

const char* typeName(Type type) {
  switch (type) {
    case Type::Added: return "ADDED";
    case Type::Modified: return "MODIFIED";
    case Type::Deleted: return "DELETED";
    case Type::Bookmark: return "BOOKMARK";
  }
  return "ERROR";
}

// Makes bytes of events. It refers to nothing but the resource, so that a feed may keep one.
class WatchRenderer {
 public:
  WatchRenderer(const WatchStreamOptions& o, bool columns)
      : resource_(o.resource), accepted_(o.accepted), includeObject_(o.includeObject), clock_(o.clock), columns_(columns) {}

  // Appends events until `out` has reached `limit`; how many.
  std::size_t append(std::string& out, std::span<const WatchItem> items, std::size_t limit = std::string::npos) {
    std::size_t done = 0;
    for (; done < items.size() && !failed_ && out.size() < limit; ++done) appendOne(out, items[done]);
    return done;
  }

  std::string event(const char* type, const Json& object) {
    if (!accepted_.protobuf) return jsonEvent(type, dumpJson(object));
    auto encoded = encodeWatchEvent(type, object);
    if (encoded) return std::move(*encoded);
    failed_ = true;  // half a watch would be a lie: the client lists again and asks for JSON
    return encodeWatchEvent("ERROR", toStatus(encoded.error())).value_or("");
  }

  std::string bookmark(std::uint64_t revision, bool initialEnd) {
    Json object{{"kind", resource_->kind},
                {"apiVersion", resource_->apiVersion()},
                {"metadata", {{"resourceVersion", std::to_string(revision)}, {"creationTimestamp", nullptr}}}};
    if (initialEnd) object["metadata"]["annotations"] = {{"k8s.io/initial-events-end", "true"}};
    if (isTable()) object = table({}, std::move(object["metadata"]));
    return event("BOOKMARK", object);
  }

  // Nothing can follow what was rendered.
  bool failed() const { return failed_; }
  // The first event of a watch of Tables carries the columns: it is not the same for all.
  bool columnsDue() const { return columns_ && isTable(); }

 private:
  static std::string jsonEvent(const char* type, const std::string& object) {
    return std::string("{\"type\":\"") + type + "\",\"object\":" + object + "}\n";
  }

  bool isTable() const { return !accepted_.protobuf && accepted_.form == Accepted::Form::Table; }

  Json table(const std::vector<Json>& objects, Json meta) {
    const TableRequest request{resource_, accepted_.version, includeObject_, clock_->wall()};
    meta.erase("creationTimestamp");
    return tableOf(request, objects, std::move(meta), std::exchange(columns_, false));
  }

  void appendOne(std::string& out, const WatchItem& item) {
    if (!item.entry)
      out += bookmark(item.revision, item.initialEnd);
    else if (accepted_.protobuf)
      out += event(typeName(item.type), objectOf(item));
    else if (sentAsStored(item))
      appendStored(out, item);
    else
      out += jsonEvent(typeName(item.type), objectText(item));
  }

  Json objectOf(const WatchItem& item) {
    Json object = parseOwnJson(Registry::textFor(*resource_, *item.entry));
    object["metadata"]["resourceVersion"] = std::to_string(item.revision);
    return object;
  }

  // The usual case: no copies but the one into the answer.
  bool sentAsStored(const WatchItem& item) const {
    return accepted_.form == Accepted::Form::Object && item.revision == item.entry->revision &&
           Registry::storedAs(*resource_, *item.entry);
  }
  static void appendStored(std::string& out, const WatchItem& item) {
    out.append("{\"type\":\"").append(typeName(item.type)).append("\",\"object\":").append(item.entry->text).append("}\n");
  }

  std::string objectText(const WatchItem& item) {
    const bool plain = accepted_.form == Accepted::Form::Object;
    std::string text = Registry::textFor(*resource_, *item.entry);
    if (plain && item.revision == item.entry->revision) return text;
    Json object = objectOf(item);
    if (plain) return dumpJson(object);
    if (accepted_.form == Accepted::Form::Metadata) return dumpJson(metadataOf(object, accepted_.version));
    Json meta{{"resourceVersion", std::to_string(item.revision)}};
    return dumpJson(table({std::move(object)}, std::move(meta)));
  }

  const Resource* resource_;
  Accepted accepted_;
  std::string includeObject_;
  std::shared_ptr<Clock> clock_;
  bool columns_;
  bool failed_ = false;
};

WatchAudience audienceOf(const Registry& registry, const WatchStreamOptions& o, const Selector& selector) {
  const Json key{o.resource->apiVersion(),          o.query.labelSelector, o.query.fieldSelector, o.includeObject,
                 static_cast<int>(o.accepted.form), o.accepted.version,    o.accepted.protobuf};
  return {registry.bucketOf(*o.resource), o.query.ns, dumpJson(key), selector};
}

class WatchStream final : public net::BodyReader {
 public:
  WatchStream(std::unique_ptr<WatchReader> reader, std::vector<WatchItem> initial, WatchStreamOptions options)
      : reader_(std::move(reader)), initial_(std::move(initial)), options_(std::move(options)), renderer_(options_, true) {
    if (options_.timeout) end_ = std::chrono::steady_clock::now() + *options_.timeout;
  }

  Task<Result<std::string>> read() override {
    auto pieces = co_await readPieces();
    if (!pieces) co_return fail(pieces.error());
    for (const auto& piece : pieces->shared) pieces->own += *piece;
    co_return std::move(pieces->own);
  }

  Task<Result<net::BodyPieces>> readPieces() override {
    if (finished_) co_return net::BodyPieces{};
    for (;;) {
      const auto now = std::chrono::steady_clock::now();
      if (end_ && now >= *end_) co_return net::BodyPieces{};
      if (!initial_.empty()) co_return net::BodyPieces{someInitial(), {}};
      std::optional<TimePoint> deadline = end_;
      if (options_.query.bookmarks) deadline = std::min(now + kBookmarkEvery, end_.value_or(TimePoint::max()));
      Result<WatchStep> step = co_await reader_->next(deadline, !renderer_.columnsDue());
      if (!step) {
        finished_ = true;
        co_return net::BodyPieces{renderer_.event("ERROR", toStatus(step.error())), {}};
      }
      if (!step->empty()) co_return send(std::move(*step));
      // Nothing came: the time is up, a bookmark is due, or the server stops.
      const auto later = std::chrono::steady_clock::now();
      if (!deadline || later < *deadline) co_return net::BodyPieces{};
      if (options_.query.bookmarks) {
        finished_ = end_ && later >= *end_;
        co_return net::BodyPieces{renderer_.bookmark(reader_->revision(), false), {}};
      }
    }
  }

 private:
  std::string someInitial() {
    std::string out;
    sent_ += renderer_.append(out, std::span(initial_).subspan(sent_), kInitialBytes);
    finished_ = renderer_.failed();
    if (sent_ == initial_.size()) std::vector<WatchItem>().swap(initial_);
    return out;
  }

  net::BodyPieces send(WatchStep step) {
    net::BodyPieces out;
    renderer_.append(out.own, step.items);
    out.shared = std::move(step.pieces);
    finished_ = step.last || renderer_.failed();
    return out;
  }

  std::unique_ptr<WatchReader> reader_;
  std::vector<WatchItem> initial_;
  std::size_t sent_ = 0;  // of them
  WatchStreamOptions options_;
  WatchRenderer renderer_;
  std::optional<TimePoint> end_;
  bool finished_ = false;
};

}  // namespace

std::unique_ptr<net::BodyReader> makeWatchStream(const Registry& registry, WatchFeeds& feeds, WatchStart start,
                                                 WatchStreamOptions options) {
  auto render = [renderer = WatchRenderer(options, false)](const std::vector<WatchItem>& items) mutable {
    RenderedItems rendered;
    renderer.append(rendered.bytes, items);
    rendered.last = renderer.failed();
    return rendered;
  };
  auto reader = feeds.follow(audienceOf(registry, options, start.selector), start.revision, std::move(render));
  return std::make_unique<WatchStream>(std::move(reader), std::move(start.initial), std::move(options));
}

}  // namespace slipway::apiserver
