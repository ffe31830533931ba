// Runs one program inside a running container, as exec probes, lifecycle hooks and `kubectl exec` do.
#pragma once
#include <array>
#include <string>
#include <vector>

#include "node/runtime.h"
#include "node/shim/cgroup.h"

namespace slipway::node {

// Replaces this process; on failure prints one line on stderr and returns 126 (cannot run) or 127 (not found).
int enterContainer(const std::string& folder, const std::vector<std::string>& argv);

// What runInContainer needs to know.
struct InContainer {
  const Launch& launch;  // of the container
  const Cgroup* cgroup;  // null: none
  int programPid;        // the container's own program
  int shimPid;           // this process's parent: the two end together
  std::vector<std::string> argv;
  std::array<int, 3> streams;  // its standard streams
  bool tty;                    // they are a terminal, which becomes the controlling one
};

// For a freshly forked child of the shim: becomes argv inside the container. Only returns on failure, with the message.
std::string runInContainer(InContainer what);

}  // namespace slipway::node
