// Adapts the pure admission of KServe's kinds and of their pods to the embedded API server's hooks.
#pragma once
#include <vector>

#include "apiserver/admission.h"
#include "controllers/serving/component.h"

namespace slipway::cmd {

std::vector<apiserver::Admission> servingHooks(isvc::BuildOptions build);

}  // namespace slipway::cmd
