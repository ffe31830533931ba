// Sessions with the processes of a running container, as the API server asks for them (kube::ProcessSession): pipes or a
// terminal on this side, the container's shim (shim/sessions.h) on the other.
#pragma once
#include <memory>
#include <string>

#include "base/scope.h"
#include "kube/pod_streams.h"

namespace slipway::node {

// `folder` is the run's. Errors: NotFound when nothing runs there, otherwise why the command could not be started.
Task<Result<std::unique_ptr<kube::ProcessSession>>> openSession(Executor executor, std::string folder,
                                                                kube::SessionOptions options);

}  // namespace slipway::node
