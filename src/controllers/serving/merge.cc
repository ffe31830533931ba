#include "controllers/serving/merge.h"

#include <string_view>

namespace slipway::isvc {

namespace {

// The key by which a list's items are the same thing; empty: the list is replaced as a whole.
std::string_view mergeKey(const std::string& list) {
  static const std::map<std::string, std::string_view> kKeys = {{"env", "name"},
                                                                {"ports", "containerPort"},
                                                                {"volumeMounts", "mountPath"},
                                                                {"volumeDevices", "devicePath"},
                                                                {"containers", "name"},
                                                                {"initContainers", "name"},
                                                                {"volumes", "name"},
                                                                {"imagePullSecrets", "name"},
                                                                {"hostAliases", "ip"},
                                                                {"topologySpreadConstraints", "topologyKey"},
                                                                {"resourceClaims", "name"}};
  auto it = kKeys.find(list);
  return it == kKeys.end() ? std::string_view() : it->second;
}

int find(const Json& list, std::string_view key, const Json& item) {
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (at(list[i], key) == at(item, key)) return static_cast<int>(i);
  }
  return -1;
}

Json mergeValues(const std::string& name, const Json& base, const Json& overlay);

Json mergeObjects(const Json& base, const Json& overlay) {
  Json out = base;
  for (auto it = overlay.begin(); it != overlay.end(); ++it) {
    if (it->is_null()) {
      out.erase(it.key());
    } else {
      out[it.key()] = mergeValues(it.key(), at(base, it.key()), *it);
    }
  }
  return out;
}

Json mergeItem(const std::string& list, const Json& base, const Json& overlay) {
  Json out = mergeObjects(base, overlay);
  if (list == "env" && overlay.contains("valueFrom")) out.erase("value");
  if (list == "env" && overlay.contains("value")) out.erase("valueFrom");
  return out;
}

// The order of Kubernetes' strategic merge: the overlay's items in their order, the base's others in theirs; where both an
// overlay item and a base item stand in the base, the base's order decides.
Json mergeLists(const std::string& name, std::string_view key, const Json& base, const Json& overlay) {
  Json left = Json::array(), right = Json::array(), out = Json::array();
  for (const Json& item : overlay) {
    int there = find(base, key, item);
    left.push_back(there < 0 ? item : mergeItem(name, base[there], item));
  }
  for (const Json& item : base) {
    if (find(overlay, key, item) < 0) right.push_back(item);
  }
  std::size_t i = 0, j = 0;
  while (i < left.size() || j < right.size()) {
    bool takeRight = i == left.size();
    if (!takeRight && j < right.size()) {
      int l = find(base, key, left[i]), r = find(base, key, right[j]);
      takeRight = l >= 0 && r < l;
    }
    out.push_back(takeRight ? right[j++] : left[i++]);
  }
  return out;
}

Json mergeValues(const std::string& name, const Json& base, const Json& overlay) {
  if (base.is_object() && overlay.is_object()) return mergeObjects(base, overlay);
  if (base.is_array() && overlay.is_array() && !mergeKey(name).empty())
    return mergeLists(name, mergeKey(name), base, overlay);
  return overlay;
}

}  // namespace

Json mergePodPart(const Json& base, const Json& overlay) {
  if (!base.is_object()) return overlay;
  if (!overlay.is_object()) return base;
  return mergeObjects(base, overlay);
}

Json mergeContainer(const Json& base, const Json& overlay) {
  Json out = mergePodPart(base, overlay);
  const Json &first = at(base, "args"), &second = at(overlay, "args");
  if (first.is_array() && second.is_array()) {
    Json args = first;
    args.insert(args.end(), second.begin(), second.end());
    out["args"] = std::move(args);
  }
  return out;
}

}  // namespace slipway::isvc
