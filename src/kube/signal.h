// kube::Signal: base/signal.h under the name that the control half uses.
#pragma once
#include "base/signal.h"

namespace slipway::kube {
using slipway::Signal;
}  // namespace slipway::kube
