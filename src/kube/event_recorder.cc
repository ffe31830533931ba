#include "kube/event_recorder.h"

#include <unistd.h>

#include "base/log.h"

namespace slipway::kube {
namespace {

constexpr std::size_t kMaxMessage = 1024;
const char* const kCombined = "(combined from similar events): ";

std::string cut(std::string text) {
  if (text.size() <= kMaxMessage) return text;
  std::size_t end = kMaxMessage;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;  // not inside a UTF-8 character
  text.resize(end);
  return text;
}

std::string hostName() {
  char buffer[256] = "";
  gethostname(buffer, sizeof buffer - 1);
  return buffer;
}

Json reference(const Json& object, const std::string& fieldPath) {
  const Json& meta = at(object, "metadata");
  Json ref{{"kind", textAt(object, "kind")}, {"apiVersion", textAt(object, "apiVersion")}, {"name", textAt(meta, "name")}};
  for (const char* key : {"namespace", "uid", "resourceVersion"}) {
    if (const auto text = textAt(meta, key); !text.empty()) ref[key] = text;
  }
  if (!fieldPath.empty()) ref["fieldPath"] = fieldPath;
  return ref;
}

// A map that forgets what was used longest ago.
template <class V>
class Remembered {
 public:
  V& at(const std::string& key, std::size_t bound) {
    if (auto it = where_.find(key); it != where_.end()) {
      order_.splice(order_.begin(), order_, it->second);
      return it->second->second;
    }
    order_.emplace_front(key, V{});
    where_[key] = order_.begin();
    if (order_.size() > bound) {
      where_.erase(order_.back().first);
      order_.pop_back();
    }
    return order_.front().second;
  }

 private:
  std::list<std::pair<std::string, V>> order_;
  std::map<std::string, typename std::list<std::pair<std::string, V>>::iterator> where_;
};

struct Similar {  // by object and reason
  std::set<std::string> messages;
  std::optional<TimePoint> last;
};
struct Counted {     // by object, reason and message
  std::string name;  // of the Event object; empty: none yet
  std::string first;
  int count = 0;
};
struct Bucket {
  std::optional<TimePoint> at;
  double tokens = 0;
};
struct Pending {
  Key key;
  Json create;  // null: patch only
  Json patch;   // null: create only
};

}  // namespace

struct EventRecorder::State {
  State(Client& c, Clock& k, TaskScope& s, std::string n, EventOptions o)
      : client(c), clock(k), scope(s), component(std::move(n)), options(o) {}
  Client& client;
  Clock& clock;
  TaskScope& scope;
  std::string component;
  EventOptions options;
  Remembered<Similar> similar;
  Remembered<Counted> counted;
  Remembered<Bucket> buckets;
  std::deque<Pending> queue;
  bool writing = false;
  std::uint64_t dropped = 0;
  std::uint64_t serial = 0;

  bool allowed(const std::string& objectKey);
  std::string combine(const std::string& similarKey, EventNote& note);
  Json build(const Json& object, const EventNote& note, const Counted& entry);
  Json repeat(const EventNote& note, const Counted& entry);
  void push(Pending pending);
  static Task<void> writeAll(std::shared_ptr<State> self);
  static Task<Status> writeOne(std::shared_ptr<State> self, Pending pending);
};

// client-go's EventSourceObjectSpamFilter: a token bucket per source and object.
bool EventRecorder::State::allowed(const std::string& objectKey) {
  Bucket& bucket = buckets.at(objectKey, options.maxRemembered);
  const auto now = clock.now();
  if (!bucket.at)
    bucket.tokens = options.burst;
  else
    bucket.tokens = std::min(options.burst, bucket.tokens + std::chrono::duration<double>(now - *bucket.at) /
                                                                std::chrono::duration<double>(options.refill));
  bucket.at = now;
  if (bucket.tokens < 1) return false;
  bucket.tokens -= 1;
  return true;
}

// client-go's EventAggregator: returns the key under which this event is counted, and marks the message when it is combined.
std::string EventRecorder::State::combine(const std::string& similarKey, EventNote& note) {
  Similar& entry = similar.at(similarKey, options.maxRemembered);
  const auto now = clock.now();
  if (!entry.last || now - *entry.last > options.combineWindow) entry.messages.clear();
  entry.last = now;
  entry.messages.insert(note.message);
  if (entry.messages.size() < options.combineAfter) return similarKey + "\n" + note.message;
  entry.messages.erase(std::prev(entry.messages.end()));
  note.message = cut(kCombined + note.message);
  return similarKey;
}

Json EventRecorder::State::build(const Json& object, const EventNote& note, const Counted& entry) {
  const std::string ns = textAt(at(object, "metadata"), "namespace", "default");
  Json event{{"apiVersion", "v1"},
             {"kind", "Event"},
             {"metadata", {{"name", entry.name}, {"namespace", ns}}},
             {"involvedObject", reference(object, note.fieldPath)},
             {"type", note.type},
             {"reason", note.reason},
             {"message", note.message},
             {"reportingComponent", component}};
  if (note.action.empty()) {
    event.update({{"source", {{"component", component}}},
                  {"firstTimestamp", entry.first},
                  {"lastTimestamp", entry.first},
                  {"count", entry.count},
                  {"eventTime", nullptr},
                  {"reportingInstance", ""}});
  } else {
    event.update({{"source", Json::object()},
                  {"firstTimestamp", nullptr},
                  {"lastTimestamp", nullptr},
                  {"action", note.action},
                  {"eventTime", formatRfc3339Micro(clock.wall())},
                  {"reportingInstance", component + "-" + hostName()}});
  }
  return event;
}

Json EventRecorder::State::repeat(const EventNote& note, const Counted& entry) {
  if (note.action.empty()) {
    return {{"count", entry.count}, {"lastTimestamp", formatRfc3339(clock.wall())}, {"message", note.message}};
  }
  return {{"series", {{"count", entry.count}, {"lastObservedTime", formatRfc3339Micro(clock.wall())}}}};
}

void EventRecorder::State::push(Pending pending) {
  if (queue.size() >= options.maxPending) {
    ++dropped;
    return;
  }
  queue.push_back(std::move(pending));
}

Task<Status> EventRecorder::State::writeOne(std::shared_ptr<State> self, Pending pending) {
  if (!pending.patch.is_null()) {
    auto patched = co_await self->client.patch(kinds::kEvent, pending.key, PatchType::Merge, pending.patch);
    if (patched) co_return Status{};
    if (patched.error().code != Code::NotFound) co_return fail(patched.error());
    // The first one has expired or never got there: write it whole.
  }
  auto created = co_await self->client.create(kinds::kEvent, pending.create);
  if (created || created.error().code == Code::AlreadyExists) co_return Status{};
  co_return fail(created.error());
}

Task<void> EventRecorder::State::writeAll(std::shared_ptr<State> self) {
  int attempts = 0;
  while (!self->queue.empty()) {
    auto status = co_await writeOne(self, self->queue.front());
    const bool later = !status && (status.error().code == Code::Unavailable || status.error().code == Code::Timeout ||
                                   status.error().code == Code::TooMany);
    if (later && ++attempts < 12) {
      co_await self->clock.sleepFor(std::chrono::seconds(1));
      continue;
    }
    if (!status) {
      ++self->dropped;
      logDebug("event for {} not written: {}", self->queue.front().key.name, status.error().message);
    }
    attempts = 0;
    self->queue.pop_front();
  }
  self->writing = false;
}

EventRecorder::EventRecorder(Client& client, Clock& clock, TaskScope& scope, std::string component, EventOptions options)
    : state_(std::make_shared<State>(client, clock, scope, std::move(component), options)) {}
EventRecorder::~EventRecorder() = default;

void EventRecorder::record(const Json& object, EventNote note) {
  State& s = *state_;
  note.message = cut(std::move(note.message));
  const Json& meta = at(object, "metadata");
  const Key about = keyOf(object);
  const std::string objectKey =
      fmt::format("{}\n{}\n{}\n{}\n{}", textAt(object, "kind"), about.ns, about.name, textAt(meta, "uid"), note.fieldPath);
  if (!s.allowed(objectKey)) {
    ++s.dropped;
    return;
  }
  const std::string countKey = s.combine(fmt::format("{}\n{}\n{}", objectKey, note.type, note.reason), note);
  Counted& entry = s.counted.at(countKey, s.options.maxRemembered);
  ++entry.count;
  Pending pending;
  const bool isNew = entry.name.empty();
  if (isNew) {
    const auto nanos = std::chrono::duration_cast<std::chrono::nanoseconds>(s.clock.wall().time_since_epoch()).count();
    entry.name = fmt::format("{}.{:x}", about.name, static_cast<std::uint64_t>(nanos) + s.serial++);
    entry.first = formatRfc3339(s.clock.wall());
  } else {
    pending.patch = s.repeat(note, entry);
  }
  pending.create = s.build(object, note, entry);
  pending.key = keyOf(pending.create);
  if (!isNew && note.action.empty()) pending.create["lastTimestamp"] = formatRfc3339(s.clock.wall());
  s.push(std::move(pending));
  if (std::exchange(s.writing, true)) return;
  s.scope.spawn("events of " + s.component, [state = state_] { return State::writeAll(state); });
}

std::uint64_t EventRecorder::dropped() const { return state_->dropped; }
std::size_t EventRecorder::pending() const { return state_->queue.size(); }

}  // namespace slipway::kube
