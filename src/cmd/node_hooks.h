// What the embedded API server refuses where this machine is the only node: pods that it cannot run, and kinds that make no
// sense on one node. Where pods run elsewhere (`--no-node`) these hooks are not there.
#pragma once
#include <vector>

#include "apiserver/admission.h"

namespace slipway::cmd {

std::vector<apiserver::Admission> nodeHooks();

}  // namespace slipway::cmd
