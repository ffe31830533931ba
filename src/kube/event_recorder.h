// EventRecorder: writes core/v1 Events as client-go does: equal events are counted on one object, many similar ones are
// combined, and each object has a rate bound, so that a crash loop cannot fill the store. Recording never blocks: writes
// happen in the background, and are dropped when too many wait. Used from one executor.
//
//   EventRecorder events(client, clock, scope, "deployment-controller");
//   events.record(deployment, {.reason = "ScalingReplicaSet", .message = "Scaled up replica set web-5d9 from 0 to 1"});
#pragma once
#include <deque>
#include <list>
#include <map>

#include "base/clock.h"
#include "base/scope.h"
#include "kube/client.h"

namespace slipway::kube {

struct EventNote {
  std::string type = "Normal";  // or "Warning"
  std::string reason;           // CamelCase, for machines
  std::string message;          // for people; cut at 1024 bytes as the API demands
  std::string fieldPath;        // "spec.containers{name}" for events about one container
  std::string action;           // set: an events.k8s.io style event (eventTime, action, series), as kube-scheduler writes
};

struct EventOptions {
  std::size_t maxPending = 1000;  // writes that wait; further events are dropped and counted
  std::size_t maxRemembered = 4096;
  double burst = 25;                            // events per object at once …
  Duration refill = std::chrono::seconds(300);  // … and then one per this time
  std::size_t combineAfter = 10;                // different messages of one reason on one object within `combineWindow`
  Duration combineWindow = std::chrono::minutes(10);
};

class EventRecorder {
 public:
  EventRecorder(Client& client, Clock& clock, TaskScope& scope, std::string component, EventOptions options = {});
  ~EventRecorder();
  // `object` needs kind, apiVersion and metadata (name, namespace, uid).
  void record(const Json& object, EventNote note);
  void warning(const Json& object, std::string reason, std::string message) {
    record(object, {.type = "Warning", .reason = std::move(reason), .message = std::move(message)});
  }
  std::uint64_t dropped() const;
  std::size_t pending() const;  // not yet written; tests wait for 0

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared with the writing task
};

}  // namespace slipway::kube
