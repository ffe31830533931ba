// RequestInfo: what a path and method of the Kubernetes API mean. Pure.
//
//   GET /apis/apps/v1/namespaces/d/deployments/web/scale -> get, group apps, version v1, resource deployments, subresource
//   scale
#pragma once
#include <string>

#include "net/http.h"

namespace slipway::apiserver {

struct RequestInfo {
  bool isResource = false;  // else only verb and path mean something
  std::string verb;         // get, list, watch, create, update, patch, delete, deletecollection; lower-case method otherwise
  std::string path;
  std::string group, version, resource, subresource, ns, name;
};

RequestInfo parseRequestInfo(const net::Request& request);
// Whether a query parameter is set to something true ("true", "1", or present and empty).
bool queryFlag(const net::Request& request, std::string_view name);

}  // namespace slipway::apiserver
