#include "apiserver/http/request_info.h"

#include <vector>

namespace slipway::apiserver {
namespace {

std::vector<std::string> segments(std::string_view rawPath) {
  std::vector<std::string> parts;
  std::size_t pos = 0;
  while (pos < rawPath.size()) {
    const auto slash = rawPath.find('/', pos);
    const auto end = slash == std::string_view::npos ? rawPath.size() : slash;
    // Split before decoding: a name may hold an encoded slash.
    if (end > pos) parts.push_back(net::percentDecode(rawPath.substr(pos, end - pos)));
    pos = end + 1;
  }
  return parts;
}

std::string lower(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
  return text;
}

std::string verbOf(const net::Request& request, const RequestInfo& info, bool watchPath) {
  const std::string& m = request.method;
  const bool named = !info.name.empty();
  if (m == "GET" || m == "HEAD") {
    if (watchPath) return "watch";
    if (named) return "get";
    return queryFlag(request, "watch") ? "watch" : "list";
  }
  if (m == "POST") return "create";
  if (m == "PUT") return "update";
  if (m == "PATCH") return "patch";
  if (m == "DELETE") return named ? "delete" : "deletecollection";
  return lower(m);
}

}  // namespace

bool queryFlag(const net::Request& request, std::string_view name) {
  const auto value = request.queryValue(name);
  return value && (*value == "true" || *value == "1" || *value == "True" || value->empty());
}

RequestInfo parseRequestInfo(const net::Request& request) {
  RequestInfo info;
  info.path = request.path();
  info.verb = lower(request.method);
  std::vector<std::string> parts = segments(request.rawPath());
  std::size_t i = 0;
  if (parts.size() >= 3 && parts[0] == "api") {
    info.version = parts[1];
    i = 2;
  } else if (parts.size() >= 4 && parts[0] == "apis") {
    info.group = parts[1];
    info.version = parts[2];
    i = 3;
  } else {
    return info;
  }
  bool watchPath = false;
  if (parts[i] == "watch" && parts.size() > i + 1) {
    watchPath = true;
    ++i;
  }
  info.isResource = true;
  if (parts[i] == "namespaces" && parts.size() > i + 1) {
    info.ns = parts[i + 1];
    const bool itself =
        parts.size() == i + 2 || (parts.size() == i + 3 && (parts[i + 2] == "status" || parts[i + 2] == "finalize"));
    if (!itself) i += 2;
  }
  info.resource = parts[i];
  if (parts.size() > i + 1) info.name = parts[i + 1];
  for (std::size_t k = i + 2; k < parts.size(); ++k) info.subresource += (k > i + 2 ? "/" : "") + parts[k];
  info.verb = verbOf(request, info, watchPath);
  return info;
}

}  // namespace slipway::apiserver
