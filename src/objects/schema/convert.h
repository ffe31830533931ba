// Conversion between versions of one kind: objects are stored in one version (Resource::storedAs of the others) and answered
// in the version that was asked for. Nothing is lost on the way there and back. Pure, thread-safe.
//
//   Json stored = convertObject(std::move(body), "autoscaling/v2");
#pragma once
#include <string_view>

#include "data/json.h"

namespace slipway {

// The object as `apiVersion`. HorizontalPodAutoscaler v1 and v2, Event core and events.k8s.io are translated field by field
// (what v1 of the autoscaler cannot say travels in the annotations that kube-apiserver uses); the versions of other kinds
// differ in name only.
Json convertObject(Json object, std::string_view apiVersion);

}  // namespace slipway
