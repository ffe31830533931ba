// RequestInfo: what a path and method of the Kubernetes API mean. Pure.
//
//   GET /apis/apps/v1/namespaces/d/deployments/web/scale -> get, group apps, version v1, resource deployments, subresource
//   scale
#pragma once
#include <string>

#include "apiserver/rbac.h"
#include "net/http.h"

namespace slipway::apiserver {

RequestInfo parseRequestInfo(const net::Request& request);
// Whether a query parameter is set to something true ("true", "1", or present and empty).
bool queryFlag(const net::Request& request, std::string_view name);

}  // namespace slipway::apiserver
