// Admission: what a kind's owner adds to every write of it: defaults (mutate) and rules (validate), as pure functions on
// JSON.
//
// They run on the store's writer thread inside the write's transaction, so `find` sees exactly the state that the write will
// join; they must not block. A refusal's message goes to the user as it is.
//
//   Admission{.group = "serving.kserve.io", .kind = "InferenceService", .mutate = defaults, .validate = rules}
#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "data/json.h"
#include "objects/schema/catalog.h"

namespace slipway::apiserver {

struct UserInfo {
  std::string name, uid;
  std::vector<std::string> groups;
  std::map<std::string, std::vector<std::string>> extra = {};  // e.g. the pod that a token is bound to
  // The platform's own components, which go around authorization.
  static UserInfo system() { return {"system:apiserver", "", {"system:masters"}}; }
  bool inGroup(std::string_view group) const { return std::find(groups.begin(), groups.end(), group) != groups.end(); }
};

enum class Operation { Create, Update, Delete };

struct AdmissionRequest {
  const Resource& resource;
  Operation operation;
  std::string ns, name, subresource;
  const UserInfo& user;
  bool dryRun = false;
  const Json* old = nullptr;  // the stored object; null on create
  // Reads another object: find("v1", "ConfigMap", "kserve", "inferenceservice-config"); null Json when it does not exist.
  std::function<Json(std::string apiVersion, std::string kind, std::string ns, std::string name)> find;
  // Every object of a kind in a namespace (ns "": all), from the same state.
  std::function<std::vector<Json>(std::string apiVersion, std::string kind, std::string ns)> list;
  std::vector<std::string>* warnings = nullptr;  // shown to the user as `Warning: …`
};

struct Admission {
  std::string group;                                                            // "*" matches every group
  std::string kind;                                                             // "*" matches every kind
  std::function<Status(const AdmissionRequest&, Json& object)> mutate;          // create and update, not status writes
  std::function<Status(const AdmissionRequest&, const Json& object)> validate;  // also delete (object is the stored one)
  bool matches(const Resource& r) const { return (group == "*" || group == r.group) && (kind == "*" || kind == r.kind); }
};

}  // namespace slipway::apiserver
