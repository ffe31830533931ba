// Small edits of a pod's lists, shared by the files that build and admit pods. Inside controllers/serving only.
#pragma once
#include <string>
#include <string_view>

#include "data/json.h"

namespace slipway::isvc {

// object[key] as a list; made empty when it is missing or something else.
inline Json& listOf(Json& object, const char* key) {
  Json& value = object[key];
  if (!value.is_array()) value = Json::array();
  return value;
}

// The item of that name; null pointer when there is none.
inline Json* findNamed(Json& list, std::string_view name) {
  for (Json& item : list) {
    if (textAt(item, "name") == name) return &item;
  }
  return nullptr;
}

inline void setEnvIfAbsent(Json& container, const std::string& name, const std::string& value) {
  Json& env = listOf(container, "env");
  if (!findNamed(env, name)) env.push_back({{"name", name}, {"value", value}});
}

// `source`: {"emptyDir": {}} or another volume source. A volume of that name is left as it is.
inline void addVolume(Json& podSpec, const std::string& name, Json source) {
  Json& volumes = listOf(podSpec, "volumes");
  if (findNamed(volumes, name)) return;
  source["name"] = name;
  volumes.push_back(std::move(source));
}

// Nothing when something is mounted at that path already.
inline void addMount(Json& container, Json mount) {
  Json& mounts = listOf(container, "volumeMounts");
  for (const Json& there : mounts) {
    if (at(there, "mountPath") == at(mount, "mountPath")) return;
  }
  mounts.push_back(std::move(mount));
}

inline Json emptyDir() {
  Json source = Json::object();
  source["emptyDir"] = Json::object();
  return source;
}

}  // namespace slipway::isvc
