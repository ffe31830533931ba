#include "kube/controller.h"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include "base/log.h"
#include "kube/errors.h"

namespace slipway::kube {
namespace {

const Json kNone;

std::string describe(const Key& key) { return key.ns.empty() ? key.name : key.ns + "/" + key.name; }

// Calls the reconciler; whatever it throws (a bug, or third-party code) becomes an error that is retried.
Task<Result<Outcome>> guarded(std::shared_ptr<Reconciler> reconciler, Key key) {
  try {
    auto result = co_await reconciler->reconcile(key);
    co_return result;
  } catch (const boost::system::system_error& e) {
    if (e.code() == boost::asio::error::operation_aborted) throw;
    co_return fail(Code::Internal, e.what());
  } catch (const std::exception& e) {
    co_return fail(Code::Internal, e.what());
  }
}

}  // namespace

const Json& controllerOf(const Json& object) {
  for (const auto& owner : at(object, "metadata", "ownerReferences")) {
    if (boolAt(owner, "controller")) return owner;
  }
  return kNone;
}

bool generationChanged(const InformerEvent& event) {
  if (event.type != InformerEvent::Type::Modified) return true;
  return intAt(at(*event.object, "metadata"), "generation") != intAt(at(*event.old, "metadata"), "generation");
}

Controller::Controller(std::string name, Cache& cache, Clock& clock, TaskScope& scope, ControllerOptions options)
    : name_(std::move(name)),
      cache_(cache),
      clock_(clock),
      scope_(scope),
      options_(options),
      queue_(options.queue),
      wake_(scope.executor()) {}

Controller& Controller::watches(const Kind& kind, EventPredicate predicate) {
  follow(kind, [predicate = std::move(predicate)](const InformerEvent& e) -> std::vector<Key> {
    if (predicate && !predicate(e)) return {};
    return {keyOf(*e.object)};
  });
  return *this;
}

Controller& Controller::owns(const Kind& child, const Kind& owner, EventPredicate predicate) {
  follow(child, [owner, predicate = std::move(predicate)](const InformerEvent& e) -> std::vector<Key> {
    if (predicate && !predicate(e)) return {};
    std::vector<Key> keys;
    auto add = [&](const Json& object) {
      const Json& ref = controllerOf(object);
      // The version may differ (an owner written through another one): group and kind decide.
      const std::string apiVersion = textAt(ref, "apiVersion");
      const auto slash = apiVersion.find('/');
      const std::string group = slash == std::string::npos ? "" : apiVersion.substr(0, slash);
      if (textAt(ref, "kind") != owner.kind || group != owner.group) return;
      keys.push_back(Key{owner.namespaced ? keyOf(object).ns : "", textAt(ref, "name")});
    };
    add(*e.object);
    if (e.old) add(*e.old);  // a child that was given away concerns its former owner too
    return keys;
  });
  return *this;
}

Controller& Controller::maps(const Kind& kind, EventToKeys toKeys) {
  follow(kind, std::move(toKeys));
  return *this;
}

void Controller::follow(const Kind& kind, EventToKeys toKeys) {
  cache_.of(kind);
  sources_.emplace_back(kind, std::move(toKeys));
}

void Controller::start(std::shared_ptr<Reconciler> reconciler) {
  reconciler_ = std::move(reconciler);
  auto self = shared_from_this();
  for (auto& [kind, toKeys] : sources_) {
    cache_.of(kind).onEvent([weak = weak_from_this(), toKeys](const InformerEvent& e) {
      auto self = weak.lock();
      if (!self) return;
      const auto priority = e.initial ? WorkQueue::Priority::Low : WorkQueue::Priority::High;
      for (const auto& key : toKeys(e)) self->enqueue(key, priority);
    });
  }
  scope_.spawn("controller " + name_, [self] { return dispatch(self); });
}

void Controller::enqueue(const Key& key, WorkQueue::Priority priority) {
  queue_.add(key, clock_.now(), priority);
  wake_.notifyAll();
}

void Controller::enqueueAfter(const Key& key, Duration delay) {
  const auto now = clock_.now();
  queue_.addAt(key, now + std::chrono::duration_cast<TimePoint::duration>(delay), now);
  wake_.notifyAll();
}

Task<void> Controller::dispatch(std::shared_ptr<Controller> self) {
  for (const auto& source : self->sources_) co_await self->cache_.of(source.first).waitForSync();
  while (true) {
    while (self->queue_.processing() < self->options_.concurrency) {
      auto key = self->queue_.get(self->clock_.now());
      if (!key) break;
      self->scope_.spawn(self->name_ + " " + describe(*key), [self, key = *key] { return work(self, key); });
    }
    const bool full = self->queue_.processing() >= self->options_.concurrency;
    const auto due = full ? std::nullopt : self->queue_.nextDue();
    co_await self->wake_.waitUntil(self->clock_, due);
  }
}

Task<void> Controller::work(std::shared_ptr<Controller> self, Key key) {
  const auto started = self->clock_.now();
  auto result = co_await guarded(self->reconciler_, key);
  self->stats_.reconcileSeconds += std::chrono::duration<double>(self->clock_.now() - started).count();
  self->settle(key, result);
}

void Controller::settle(const Key& key, const Result<Outcome>& result) {
  const auto now = clock_.now();
  if (!result) {
    const Error& error = result.error();
    if (error.code == Code::Conflict) {
      ++stats_.conflict;
      logDebug("{} {}: {}", name_, describe(key), error.message);
    } else if (isNamespaceTerminating(error)) {
      ++stats_.error;  // its objects are about to go: nothing to tell anybody
      logDebug("{} {}: {}", name_, describe(key), error.message);
    } else {
      ++stats_.error;
      logWarn("{} {}: {}", name_, describe(key), error.message);
    }
    queue_.retry(key, now);
  } else if (result->terminal) {
    ++stats_.terminal;
    const bool expected = isNamespaceTerminating(*result->terminal);
    if (expected)
      logDebug("{} {}: {}", name_, describe(key), result->terminal->message);
    else
      logError("{} {}: {}", name_, describe(key), result->terminal->message);
    queue_.forget(key);
  } else {
    queue_.forget(key);
    if (result->requeueAfter) {
      ++stats_.requeueAfter;
      queue_.addAt(key, now + std::chrono::duration_cast<TimePoint::duration>(*result->requeueAfter), now);
    } else {
      ++stats_.success;
    }
  }
  queue_.done(key, now);
  wake_.notifyAll();
}

std::string renderMetrics(const std::vector<std::shared_ptr<Controller>>& controllers) {
  std::string out;
  auto family = [&](const char* name, const char* type, auto&& lines) {
    out += fmt::format("# TYPE {} {}\n", name, type);
    for (const auto& c : controllers) lines(*c);
  };
  auto counter = [&](const char* name, const char* label, auto&& value) {
    family(name, "counter",
           [&](const Controller& c) { out += fmt::format("{}{{{}=\"{}\"}} {}\n", name, label, c.name(), value(c)); });
  };
  auto gauge = [&](const char* name, const char* label, auto&& value) {
    family(name, "gauge",
           [&](const Controller& c) { out += fmt::format("{}{{{}=\"{}\"}} {}\n", name, label, c.name(), value(c)); });
  };
  family("controller_runtime_reconcile_total", "counter", [&](const Controller& c) {
    const auto& s = c.stats();
    auto line = [&](const char* result, std::uint64_t n) {
      out += fmt::format("controller_runtime_reconcile_total{{controller=\"{}\",result=\"{}\"}} {}\n", c.name(), result, n);
    };
    line("success", s.success);
    line("error", s.error + s.conflict + s.terminal);
    line("requeue_after", s.requeueAfter);
  });
  counter("controller_runtime_reconcile_errors_total", "controller",
          [](const Controller& c) { return c.stats().error + c.stats().conflict + c.stats().terminal; });
  counter("controller_runtime_terminal_reconcile_errors_total", "controller",
          [](const Controller& c) { return c.stats().terminal; });
  counter("controller_runtime_reconcile_time_seconds_sum", "controller",
          [](const Controller& c) { return c.stats().reconcileSeconds; });
  gauge("controller_runtime_active_workers", "controller", [](const Controller& c) { return c.queue().processing(); });
  gauge("controller_runtime_max_concurrent_reconciles", "controller", [](const Controller& c) { return c.maxConcurrent(); });
  gauge("workqueue_depth", "name", [](const Controller& c) { return c.queue().depth(); });
  counter("workqueue_adds_total", "name", [](const Controller& c) { return c.queue().stats().adds; });
  counter("workqueue_retries_total", "name", [](const Controller& c) { return c.queue().stats().retries; });
  counter("workqueue_queue_duration_seconds_sum", "name",
          [](const Controller& c) { return c.queue().stats().queueSeconds; });
  counter("workqueue_work_duration_seconds_sum", "name", [](const Controller& c) { return c.queue().stats().workSeconds; });
  return out;
}

}  // namespace slipway::kube
