// Reads a container's log as `kubectl logs` shows it: tail, since, timestamps, byte limit, and following through rotation.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/scope.h"
#include "kube/pod_streams.h"

namespace slipway::node {

// The text of the last lines of `path` (and of the rotated file before it): at most maxBytes and maxLines. For termination
// messages.
std::string lastLogText(const std::string& path, std::size_t maxBytes, std::size_t maxLines);

// A body that gives the log at `path` from its oldest rotated part on. `stillRunning` is asked at the end of the file when
// following: false ends the stream once everything has been read. Follows by inotify, not by polling.
net::Body openLog(Executor executor, const std::string& path, const kube::LogOptions& options, WallTime now,
                  std::function<bool()> stillRunning);

}  // namespace slipway::node
