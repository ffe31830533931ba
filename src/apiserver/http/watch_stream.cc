#include "apiserver/http/watch_stream.h"

#include "apiserver/api_status.h"
#include "apiserver/http/protobuf.h"
#include "apiserver/http/tables.h"
#include "data/json_text.h"

namespace slipway::apiserver {
namespace {

constexpr std::chrono::seconds kBookmarkEvery{60};
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

class WatchStream final : public net::BodyReader {
 public:
  WatchStream(std::unique_ptr<ObjectWatch> watch, WatchStreamOptions options)
      : watch_(std::move(watch)), options_(std::move(options)) {
    if (options_.timeout) end_ = std::chrono::steady_clock::now() + *options_.timeout;
  }

  Task<Result<std::string>> read() override {
    if (finished_) co_return std::string();
    for (;;) {
      const auto now = std::chrono::steady_clock::now();
      if (end_ && now >= *end_) co_return std::string();
      std::optional<TimePoint> deadline = end_;
      if (options_.bookmarks) deadline = std::min(now + kBookmarkEvery, end_.value_or(TimePoint::max()));
      Result<std::vector<WatchItem>> items = co_await watch_->next(deadline);
      if (!items) {
        finished_ = true;
        co_return event("ERROR", toStatus(items.error()));
      }
      if (!items->empty()) co_return render(*items);
      // Nothing came: the time is up, a bookmark is due, or the server stops.
      const auto later = std::chrono::steady_clock::now();
      if (!deadline || later < *deadline) co_return std::string();
      if (options_.bookmarks) {
        const bool last = end_ && later >= *end_;
        finished_ = last;
        co_return bookmark(watch_->revision(), false);
      }
    }
  }

 private:
  static std::string jsonEvent(const char* type, const std::string& object) {
    return std::string("{\"type\":\"") + type + "\",\"object\":" + object + "}\n";
  }

  std::string event(const char* type, const Json& object) {
    if (!options_.accepted.protobuf) return jsonEvent(type, dumpJson(object));
    auto encoded = encodeWatchEvent(type, object);
    if (encoded) return std::move(*encoded);
    finished_ = true;  // half a watch would be a lie: the client lists again and asks for JSON
    return encodeWatchEvent("ERROR", toStatus(encoded.error())).value_or("");
  }

  std::string bookmark(std::uint64_t revision, bool initialEnd) {
    Json object{{"kind", options_.resource->kind},
                {"apiVersion", options_.resource->apiVersion()},
                {"metadata", {{"resourceVersion", std::to_string(revision)}, {"creationTimestamp", nullptr}}}};
    if (initialEnd) object["metadata"]["annotations"] = {{"k8s.io/initial-events-end", "true"}};
    if (!options_.accepted.protobuf && options_.accepted.form == Accepted::Form::Table)
      object = table({}, std::move(object["metadata"]));
    return event("BOOKMARK", object);
  }

  Json table(const std::vector<Json>& objects, Json meta) {
    const TableRequest request{options_.resource, options_.accepted.version, options_.includeObject, options_.clock->wall()};
    meta.erase("creationTimestamp");
    Json out = tableOf(request, objects, std::move(meta), !columnsSent_);
    columnsSent_ = true;
    return out;
  }

  std::string render(const std::vector<WatchItem>& items) {
    std::string out;
    for (const WatchItem& item : items) {
      if (!item.entry)
        out += bookmark(item.revision, item.initialEnd);
      else if (options_.accepted.protobuf)
        out += event(typeName(item.type), objectOf(item));
      else if (sentAsStored(item))
        appendStored(out, item);
      else
        out += jsonEvent(typeName(item.type), objectText(item));
      if (finished_) break;
    }
    return out;
  }

  Json objectOf(const WatchItem& item) {
    Json object = parseOwnJson(Registry::textFor(*options_.resource, *item.entry));
    object["metadata"]["resourceVersion"] = std::to_string(item.revision);
    return object;
  }

  // The usual case: no copies but the one into the answer.
  bool sentAsStored(const WatchItem& item) const {
    return options_.accepted.form == Accepted::Form::Object && item.revision == item.entry->revision &&
           Registry::storedAs(*options_.resource, *item.entry);
  }
  static void appendStored(std::string& out, const WatchItem& item) {
    out.append("{\"type\":\"").append(typeName(item.type)).append("\",\"object\":").append(item.entry->text).append("}\n");
  }

  std::string objectText(const WatchItem& item) {
    const bool plain = options_.accepted.form == Accepted::Form::Object;
    std::string text = Registry::textFor(*options_.resource, *item.entry);
    if (plain && item.revision == item.entry->revision) return text;
    Json object = objectOf(item);
    if (plain) return dumpJson(object);
    if (options_.accepted.form == Accepted::Form::Metadata) return dumpJson(metadataOf(object, options_.accepted.version));
    Json meta{{"resourceVersion", std::to_string(item.revision)}};
    return dumpJson(table({std::move(object)}, std::move(meta)));
  }

  std::unique_ptr<ObjectWatch> watch_;
  WatchStreamOptions options_;
  std::optional<TimePoint> end_;
  bool columnsSent_ = false;
  bool finished_ = false;
};

}  // namespace

std::unique_ptr<net::BodyReader> makeWatchStream(std::unique_ptr<ObjectWatch> watch, WatchStreamOptions options) {
  return std::make_unique<WatchStream>(std::move(watch), std::move(options));
}

}  // namespace slipway::apiserver
