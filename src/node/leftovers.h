// What a container left running when its shim was killed. The program itself ends with its shim, but what it had started
// goes on as an orphan that nobody logs, limits or ends. It is known by the container's id in its environment.
#pragma once
#include <string>

namespace slipway::node {

inline constexpr const char* kContainerIdVariable =
    "SLIPWAY_CONTAINER_ID";  // in the environment of all that a container runs

// Kills every process of that container and waits until they are gone, 200 ms at most; blocks. Returns how many were killed.
// Only for a container without a shim: it also finds what runs under a live one.
int endLeftovers(const std::string& containerId);

}  // namespace slipway::node
