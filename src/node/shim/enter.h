// Runs one program inside a running container, as exec probes, lifecycle hooks and `kubectl exec` do.
#pragma once
#include <string>
#include <vector>

namespace slipway::node {

// Replaces this process; on failure prints one line on stderr and returns 126 (cannot run) or 127 (not found).
int enterContainer(const std::string& folder, const std::vector<std::string>& argv);

}  // namespace slipway::node
