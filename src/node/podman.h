// Images that no local program stands for run with podman where it is installed.
#pragma once
#include "node/environment.h"
#include "node/runtime.h"

namespace slipway::node {

bool podmanInstalled();  // on this process's PATH
// The launch that runs `container` in podman under our shim: volumes by -v, environment by name, limits by podman itself,
// the host's network (pods are loopback addresses of this machine).
Launch podmanLaunch(Launch launch, const Json& container, const Environment& env);

}  // namespace slipway::node
