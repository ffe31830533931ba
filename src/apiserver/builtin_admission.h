// The admission hooks that every server has, before those that its owner adds: RBAC's escalation checks and the
// ServiceAccount of a pod.
#pragma once
#include <vector>

#include "apiserver/admission.h"

namespace slipway::apiserver {

std::vector<Admission> builtinAdmissions();

}  // namespace slipway::apiserver
