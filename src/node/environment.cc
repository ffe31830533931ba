#include "node/environment.h"

#include "node/quantity.h"

namespace slipway::node {
namespace {

void noteRef(std::set<std::string>& names, const Json& ref) {
  const std::string name = textAt(ref, "name");
  if (!name.empty()) names.insert(name);
}

void noteSources(ReferenceNames& names, const Json& source) {
  noteRef(names.configMaps, at(source, "configMap"));
  noteRef(names.secrets, at(source, "secret"));
  const std::string secretName = textAt(at(source, "secret"), "secretName");
  if (!secretName.empty()) names.secrets.insert(secretName);
  const std::string claim = textAt(at(source, "persistentVolumeClaim"), "claimName");
  if (!claim.empty()) names.claims.insert(claim);
}

const Json& find(const std::map<std::string, Json>& table, const std::string& name) {
  static const Json none;
  const auto found = table.find(name);
  return found == table.end() ? none : found->second;
}

std::string unquoteKey(const std::string& path, std::size_t from) {
  // metadata.labels['key']
  if (path.size() < from + 4 || path[from] != '[') return "";
  const char quote = path[from + 1];
  const std::size_t end = path.rfind(quote);
  return end > from + 1 && end + 1 < path.size() ? path.substr(from + 2, end - from - 2) : "";
}

std::string mapText(const Json& map) {
  std::string out;
  if (!map.is_object()) return out;
  for (const auto& [key, value] : map.items())
    out += fmt::format("{}{}=\"{}\"", out.empty() ? "" : "\n", key, value.is_string() ? value.get<std::string>() : "");
  return out;
}

// One key of a ConfigMap or Secret. nullopt: absent and optional.
Result<std::optional<std::string>> keyValue(const Json& pod, const Json& ref, const References& refs, bool secret) {
  const std::string name = textAt(ref, "name");
  const std::string key = textAt(ref, "key");
  const bool optional = boolAt(ref, "optional");
  const Json& object = find(secret ? refs.secrets : refs.configMaps, name);
  if (object.is_null()) {
    if (optional) return std::nullopt;
    return fail(Code::NotFound, fmt::format("{} \"{}\" not found", secret ? "secret" : "configmap", name));
  }
  const Json& value = at(object, "data", key);
  if (value.is_string()) return secret ? decodeBase64(value.get<std::string>()) : value.get<std::string>();
  if (optional) return std::nullopt;
  return fail(Code::NotFound, fmt::format("couldn't find key {} in {} {}/{}", key, secret ? "Secret" : "ConfigMap",
                                          textAt(at(pod, "metadata"), "namespace"), name));
}

void set(Environment& env, const std::string& name, std::string value) {
  for (auto& entry : env) {
    if (entry.first != name) continue;
    entry.second = std::move(value);
    return;
  }
  env.emplace_back(name, std::move(value));
}

Status addAll(Environment& env, const Json& source, const References& refs) {
  for (const bool secret : {false, true}) {
    const Json& ref = at(source, secret ? "secretRef" : "configMapRef");
    if (!ref.is_object()) continue;
    const std::string name = textAt(ref, "name");
    const Json& object = find(secret ? refs.secrets : refs.configMaps, name);
    if (object.is_null()) {
      if (boolAt(ref, "optional")) continue;
      return fail(Code::NotFound, fmt::format("{} \"{}\" not found", secret ? "secret" : "configmap", name));
    }
    const Json& data = at(object, "data");
    if (!data.is_object()) continue;
    for (const auto& [key, value] : data.items()) {
      if (value.is_string())
        set(env, textAt(source, "prefix") + key, secret ? decodeBase64(value.get<std::string>()) : value.get<std::string>());
    }
  }
  return {};
}

}  // namespace

ReferenceNames referencesOf(const Json& pod) {
  ReferenceNames names;
  const Json& spec = at(pod, "spec");
  for (const char* list : {"initContainers", "containers"}) {
    for (const Json& container : at(spec, list)) {
      for (const Json& e : at(container, "env")) {
        noteRef(names.configMaps, at(e, "valueFrom", "configMapKeyRef"));
        noteRef(names.secrets, at(e, "valueFrom", "secretKeyRef"));
      }
      for (const Json& e : at(container, "envFrom")) {
        noteRef(names.configMaps, at(e, "configMapRef"));
        noteRef(names.secrets, at(e, "secretRef"));
      }
    }
  }
  for (const Json& volume : at(spec, "volumes")) {
    noteSources(names, volume);
    for (const Json& source : at(volume, "projected", "sources")) noteSources(names, source);
  }
  return names;
}

const Json& containerNamed(const Json& pod, const std::string& name) {
  static const Json none;
  for (const char* list : {"initContainers", "containers"})
    for (const Json& container : at(pod, "spec", list))
      if (textAt(container, "name") == name) return container;
  return none;
}

std::string decodeBase64(const std::string& text) {
  std::string out;
  unsigned bits = 0;
  int have = 0;
  for (const char c : text) {
    int v = -1;
    if (c >= 'A' && c <= 'Z') v = c - 'A';
    if (c >= 'a' && c <= 'z') v = c - 'a' + 26;
    if (c >= '0' && c <= '9') v = c - '0' + 52;
    if (c == '+' || c == '-') v = 62;
    if (c == '/' || c == '_') v = 63;
    if (v < 0) continue;
    bits = (bits << 6) | static_cast<unsigned>(v);
    have += 6;
    if (have < 8) continue;
    have -= 8;
    out.push_back(static_cast<char>((bits >> have) & 0xff));
  }
  return out;
}

Result<std::string> fieldValue(const Json& pod, const std::string& path, const PodFacts& facts) {
  const Json& meta = at(pod, "metadata");
  if (path == "metadata.name" || path == "metadata.namespace" || path == "metadata.uid") return textAt(meta, path.substr(9));
  if (path == "metadata.labels") return mapText(at(meta, "labels"));
  if (path == "metadata.annotations") return mapText(at(meta, "annotations"));
  if (path.starts_with("metadata.labels[")) return textAt(at(meta, "labels"), unquoteKey(path, 15));
  if (path.starts_with("metadata.annotations[")) return textAt(at(meta, "annotations"), unquoteKey(path, 20));
  if (path == "spec.nodeName") return facts.nodeName;
  if (path == "spec.serviceAccountName") return textAt(at(pod, "spec"), "serviceAccountName", "default");
  if (path == "status.podIP" || path == "status.podIPs") return facts.podIp;
  if (path == "status.hostIP" || path == "status.hostIPs") return facts.hostIp;
  return fail(Code::Invalid, fmt::format("unsupported fieldPath: {}", path));
}

Result<std::string> resourceValue(const Json& container, const std::string& resource, const std::string& divisor,
                                  const PodFacts& facts) {
  const std::size_t dot = resource.find('.');
  if (dot == std::string::npos) return fail(Code::Invalid, "unsupported container resource : " + resource);
  const std::string which = resource.substr(0, dot);
  const std::string name = resource.substr(dot + 1);
  std::string quantity = textAt(at(container, "resources", which), name);
  if (quantity.empty() && which == "limits" && name == "cpu") quantity = fmt::format("{}m", facts.nodeCpuMillis);
  if (quantity.empty() && which == "limits" && name == "memory") quantity = std::to_string(facts.nodeMemoryBytes);
  if (quantity.empty()) quantity = "0";
  const auto value = milliOf(quantity);
  const auto by = milliOf(divisor.empty() || divisor == "0" ? "1" : divisor);
  if (!value || !by || *by <= 0)
    return fail(Code::Invalid, fmt::format("resourceFieldRef {}: \"{}\" by \"{}\"", resource, quantity, divisor));
  return std::to_string((*value + *by - 1) / *by);
}

Result<Environment> resolveEnvironment(const Json& pod, const Json& container, const References& refs, const PodFacts& facts,
                                       const Environment& services) {
  Environment env = services;
  for (const Json& source : at(container, "envFrom")) SLIP_CHECK(addAll(env, source, refs));
  for (const Json& e : at(container, "env")) {
    const std::string name = textAt(e, "name");
    const Json& from = at(e, "valueFrom");
    if (!from.is_object()) {
      set(env, name, expandVariables(textAt(e, "value"), env));
      continue;
    }
    if (from.contains("fieldRef")) {
      SLIP_TRY(auto value, fieldValue(pod, textAt(from["fieldRef"], "fieldPath"), facts));
      set(env, name, std::move(value));
    } else if (from.contains("resourceFieldRef")) {
      const Json& ref = from["resourceFieldRef"];
      const std::string other = textAt(ref, "containerName");
      SLIP_TRY(auto value, resourceValue(other.empty() ? container : containerNamed(pod, other), textAt(ref, "resource"),
                                         textAt(ref, "divisor"), facts));
      set(env, name, std::move(value));
    } else {
      const bool secret = from.contains("secretKeyRef");
      SLIP_TRY(auto value, keyValue(pod, at(from, secret ? "secretKeyRef" : "configMapKeyRef"), refs, secret));
      if (value) set(env, name, std::move(*value));
    }
  }
  return env;
}

std::string expandVariables(const std::string& text, const Environment& env) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '$' || i + 1 >= text.size()) {
      out += text[i];
      continue;
    }
    if (text[i + 1] == '$') {
      out += '$';
      ++i;
      continue;
    }
    const std::size_t close = text[i + 1] == '(' ? text.find(')', i) : std::string::npos;
    if (close == std::string::npos) {
      out += text[i];
      continue;
    }
    const std::string name = text.substr(i + 2, close - i - 2);
    const auto found = std::find_if(env.begin(), env.end(), [&](const auto& e) { return e.first == name; });
    out += found == env.end() ? text.substr(i, close - i + 1) : found->second;
    i = close;
  }
  return out;
}

}  // namespace slipway::node
