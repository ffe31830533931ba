// What KServe adds for particular model servers: variables and labels that their configuration needs. Pure.
#pragma once
#include <string>
#include <vector>

#include "data/json.h"
#include "objects/serving/view.h"

namespace slipway::isvc {

struct ServerDefaults {
  std::vector<std::pair<std::string, std::string>> env;  // set unless the service sets them
  std::vector<std::string> args;
  TextMap labels;  // of every child of the service, and visible to placeholders as {{.Labels.x}}
  void applyTo(Json& container) const;
};

// `serverType`: mlserver, torchserve, tritonserver …; others need nothing.
ServerDefaults serverDefaults(const Json& isvc, const std::string& serverType);

}  // namespace slipway::isvc
