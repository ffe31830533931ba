// The storage part of validate.h: URIs, storage specs and lists of URIs.
#include <set>

#include "objects/serving/keys.h"
#include "objects/serving/validate.h"
#include "objects/serving/view.h"

namespace slipway::isvc {

namespace {

tl::unexpected<Error> deny(std::string message) { return fail(Code::Forbidden, std::move(message)); }

const std::vector<std::string>& schemes() {
  static const std::vector<std::string> kAll = {
      "gs://",      "s3://",  "pvc://",        "file://",      "https://",        "http://", "hdfs://",
      "webhdfs://", "oci://", "oci+native://", "oci+fetch://", "oci+modelcar://", "hf://",   "modelscope://"};
  return kAll;
}

bool startsWithAny(const std::string& text, const std::vector<std::string>& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(), [&](const std::string& p) { return text.starts_with(p); });
}

Status validateStorageSpec(const Json& model) {
  const Json& storage = at(model, "storage");
  if (!storage.is_object()) return {};
  if (at(model, "storageUri").is_string()) {
    return deny("spec.predictor.model: must provide only one of storageUri and storage.path");
  }
  std::string type = textAt(at(storage, "parameters"), "type");
  if (type.empty() || type == "s3" || type == "hdfs" || type == "webhdfs") return {};
  return deny("storage.spec.type, must be one of: [s3://, hdfs://, webhdfs://]. storage.spec.type [" + type +
              "] is not supported");
}

std::string mountPath(const Json& entry) { return textAt(entry, "mountPath", std::string(kModelDir)); }

Status validateEntry(const Json& entry) {
  std::string uri = textAt(entry, "uri"), path = mountPath(entry);
  if (uri.empty()) return deny("storage URI cannot be empty");
  if (path == "/") return deny("storage path cannot be empty");
  if (!path.starts_with("/")) return deny("storage path must be absolute: " + path);
  if (path.find("..") != std::string::npos) {
    return deny("storage path cannot contain '..' for security reasons: " + path);
  }
  return validateStorageUri(uri);
}

// The first folder of an absolute path: "/mnt" of "/mnt/models/a".
std::string topFolder(const std::string& path) { return path.substr(0, path.find('/', 1)); }

Status validateUriList(const Json& list) {
  std::vector<std::string> paths;
  std::set<std::string> claims;
  for (const Json& entry : list) {
    SLIP_CHECK(validateEntry(entry));
    if (!textAt(entry, "uri").starts_with("pvc://")) {
      paths.push_back(mountPath(entry));
    } else if (!claims.insert(mountPath(entry)).second) {
      return deny("PVC storage paths must be unique");
    }
  }
  for (const std::string& path : paths) {
    if (topFolder(path) != topFolder(paths[0])) {
      return deny(fmt::format(
          "storage paths must have a common parent directory. Current paths: [{}] have no common parent beyond root",
          fmt::join(paths, " ")));
    }
  }
  return {};
}

}  // namespace

Status validateStorageUri(const std::string& uri) {
  std::size_t colon = uri.find("://");
  // Without a scheme it is a local path. The scheme must come before any slash: "/a/b://c" is a path too.
  if (colon == std::string::npos || uri.find('/') < colon) return {};
  if (startsWithAny(uri, schemes())) return {};
  return deny(
      fmt::format("StorageURI not supported: storageUri, must be one of: [{}] or match "
                  "https://{{}}.blob.core.windows.net/{{}}/{{}} or be an "
                  "absolute or relative local path. StorageUri [{}] is not supported",
                  fmt::join(schemes(), ", "), uri));
}

Status validateStorage(const Json& isvc) {
  for (Component which : kComponents) {
    const Json& component = componentSpec(isvc, which);
    if (!component.is_object()) continue;
    std::optional<std::string> uri = storageUri(component, which);
    if (uri) SLIP_CHECK(validateStorageUri(*uri));
    const Json& list = at(component, "storageUris");
    if (list.is_array() && !list.empty()) {
      if (uri) return deny("Setting both StorageURI and StorageURIs is not supported.");
      SLIP_CHECK(validateUriList(list));
    }
    if (which != Component::Predictor) continue;
    SLIP_CHECK(validateStorageSpec(at(component, "model")));
    const Json& containers = at(component, "containers");
    for (const Json& container : containers.is_array() ? containers : Json::array()) {
      if (textAt(container, "name") != kTransformerContainer || !at(container, "env").is_array()) continue;
      for (const Json& entry : at(container, "env")) {
        if (textAt(entry, "name") == "STORAGE_URI") {
          return deny("storage uri should not be specified in transformer container");
        }
      }
    }
  }
  return {};
}

}  // namespace slipway::isvc
