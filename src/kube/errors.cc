#include "kube/errors.h"

#include "data/json.h"

namespace slipway::kube {

bool isNamespaceTerminating(const Error& error) {
  if (error.code != Code::Forbidden || error.detail.empty()) return false;
  const Json status = Json::parse(error.detail, nullptr, false);
  const Json& causes = at(status, "details", "causes");
  if (!causes.is_array()) return false;
  for (const Json& cause : causes) {
    if (textAt(cause, "reason") == "NamespaceTerminating") return true;
  }
  return false;
}

}  // namespace slipway::kube
