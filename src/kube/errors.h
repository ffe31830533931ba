// What an API error means to a controller, read from the Status object in Error::detail. Pure.
#pragma once
#include "base/result.h"

namespace slipway::kube {

// 403 because the namespace is being deleted: expected while it empties, and of no use to try again.
bool isNamespaceTerminating(const Error& error);

}  // namespace slipway::kube
