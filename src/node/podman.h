// Images that no local program stands for run with podman where it is installed.
#pragma once
#include "node/environment.h"
#include "node/runtime.h"

namespace slipway::node {

bool podmanInstalled();  // on this process's PATH

// The name that the container has in podman: one per container of a pod, so that a run replaces what the last one left.
std::string podmanName(const Launch& launch);

// A launch that makes the image of `container` present by its imagePullPolicy; its last line of output is `user=USER`, the
// image's own user. `base` has folder and log; authFile may be empty.
Launch pullLaunch(Launch base, const Json& container, const std::string& authFile);
// The user in that output; nullopt: it did not come so far.
std::optional<std::string> imageUserIn(const std::string& output);
// What is wrong, from the output of a pull that failed.
std::string pullFailure(const Json& container, const std::string& output);
// One auth.json of all pull secrets (types dockerconfigjson and dockercfg); "" when none holds anything.
std::string authFileText(const std::vector<Json>& secrets);

// The launch that runs `container` in podman under our shim: volumes by -v, environment by name, limits by podman itself,
// the host's network (pods are loopback addresses of this machine).
Launch podmanLaunch(Launch launch, const Json& container, const Environment& env);

}  // namespace slipway::node
