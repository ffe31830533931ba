// The admission hooks that every server has: before those that its owner adds RBAC's escalation checks and the
// ServiceAccount of a pod, after them the volume by which a pod's programs reach the API.
#pragma once
#include <vector>

#include "apiserver/admission.h"

namespace slipway::apiserver {

std::vector<Admission> builtinAdmissions();

// The projected volume kube-api-access-xxxxx (token, CA, namespace) in every container of a new pod, unless
// automountServiceAccountToken of the pod or else of its ServiceAccount is false. As kube-apiserver's ServiceAccount plugin.
Admission accountVolumes();

}  // namespace slipway::apiserver
