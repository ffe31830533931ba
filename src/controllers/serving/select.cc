#include "controllers/serving/select.h"

#include "objects/serving/keys.h"
#include "objects/serving/view.h"

namespace slipway::isvc {

namespace {

constexpr std::size_t kMaxNamed = 8;  // runtimes named in a message; the rest are counted

struct Wanted {
  std::string format, version, protocol;
  bool workers = false;
  std::string text() const {
    return "format " + (format.empty() ? "(none)" : format) + (version.empty() ? "" : " version " + version) +
           (protocol.empty() ? "" : " over protocol " + protocol);
  }
};

Wanted wantedBy(const Json& isvc) {
  const Json& predictor = componentSpec(isvc, Component::Predictor);
  const Json& model = at(predictor, "model");
  const Json& format = at(model, "modelFormat");
  return Wanted{textAt(format, "name"), textAt(format, "version"), textAt(model, "protocolVersion"),
                at(predictor, "workerSpec").is_object()};
}

const Json& list(const Json& object, std::string_view key) {
  static const Json kEmpty = Json::array();
  const Json& value = at(object, key);
  return value.is_array() ? value : kEmpty;
}

bool supportsProtocol(const Json& runtime, const std::string& protocol) {
  const Json& known = list(at(runtime, "spec"), "protocolVersions");
  return known.empty() || std::find(known.begin(), known.end(), Json(protocol)) != known.end();
}

bool supportsFormat(const Json& runtime, const Wanted& wanted, bool autoOnly) {
  for (const Json& format : list(at(runtime, "spec"), "supportedModelFormats")) {
    if (textAt(format, "name") != wanted.format || (autoOnly && !boolAt(format, "autoSelect"))) continue;
    if (wanted.version.empty() || textAt(format, "version") == wanted.version) return true;
  }
  return false;
}

int protocolRank(const Json& runtime) {
  static const std::vector<std::string> kOrder = {"v1", "v2", "grpc-v1", "grpc-v2"};
  int best = static_cast<int>(kOrder.size());
  for (const Json& protocol : list(at(runtime, "spec"), "protocolVersions")) {
    auto it = std::find(kOrder.begin(), kOrder.end(), protocol.is_string() ? protocol.get<std::string>() : "");
    best = std::min(best, static_cast<int>(it - kOrder.begin()));
  }
  return best;
}

// The priority of the first entry with this format's name, whatever its version; nothing when unset.
std::optional<std::int64_t> priority(const Json& runtime, const std::string& format) {
  for (const Json& entry : list(at(runtime, "spec"), "supportedModelFormats")) {
    if (textAt(entry, "name") != format) continue;
    if (!at(entry, "priority").is_number_integer()) return std::nullopt;
    return intAt(entry, "priority");
  }
  return std::nullopt;
}

std::string formatsOf(const Json& runtime, const std::string& name, bool autoOnly) {
  std::string out;
  for (const Json& format : list(at(runtime, "spec"), "supportedModelFormats")) {
    if (textAt(format, "name") != name || (autoOnly && !boolAt(format, "autoSelect"))) continue;
    out += (out.empty() ? "" : ", ") + textAt(format, "version", "any");
  }
  return out;
}

std::string protocolsOf(const Json& runtime) {
  std::string out;
  for (const Json& protocol : list(at(runtime, "spec"), "protocolVersions")) {
    if (protocol.is_string()) out += (out.empty() ? "" : ", ") + protocol.get<std::string>();
  }
  return out;
}

bool hasFormat(const Json& runtime, const std::string& name) { return !formatsOf(runtime, name, false).empty(); }

// Why a runtime that knows the format was not taken; empty when it was fit.
std::string rejection(const Json& runtime, const Wanted& wanted) {
  const Json& spec = at(runtime, "spec");
  if (boolAt(spec, "disabled")) return "is disabled";
  if (boolAt(spec, "multiModel")) return "is a multi-model runtime of ModelMesh";
  if (at(spec, "workerSpec").is_object() != wanted.workers)
    return wanted.workers ? "has no workerSpec" : "is for several nodes (workerSpec)";
  if (!hasFormat(runtime, wanted.format)) return "does not serve this format";
  std::string automatic = formatsOf(runtime, wanted.format, true);
  if (automatic.empty()) return "is not picked automatically for it (name it in model.runtime)";
  if (!supportsFormat(runtime, wanted, true)) return "serves versions " + automatic;
  if (!supportsProtocol(runtime, wanted.protocol)) return "speaks " + protocolsOf(runtime);
  return "";
}

bool better(const Json& a, const Json& b, const std::string& format) {
  std::optional<std::int64_t> pa = priority(a, format), pb = priority(b, format);
  if (pa != pb) return pa.value_or(-1) > pb.value_or(-1);
  if (protocolRank(a) != protocolRank(b)) return protocolRank(a) < protocolRank(b);
  std::string ca = textAt(at(a, "metadata"), "creationTimestamp"), cb = textAt(at(b, "metadata"), "creationTimestamp");
  if (ca != cb) return ca > cb;
  return nameOf(a) < nameOf(b);
}

const Json* best(const std::vector<Json>& runtimes, const Wanted& wanted) {
  const Json* chosen = nullptr;
  for (const Json& runtime : runtimes) {
    if (rejection(runtime, wanted).empty() && (!chosen || better(runtime, *chosen, wanted.format))) chosen = &runtime;
  }
  return chosen;
}

std::string listRejected(const RuntimeCatalog& catalog, const Wanted& wanted) {
  std::string out;
  std::size_t named = 0, others = 0;
  for (const std::vector<Json>* scope : {&catalog.namespaced, &catalog.cluster}) {
    for (const Json& runtime : *scope) {
      if (!hasFormat(runtime, wanted.format) || named == kMaxNamed) {
        ++others;
        continue;
      }
      out += (named++ ? "; " : "") + nameOf(runtime) + " " + rejection(runtime, wanted);
    }
  }
  if (named == 0) return fmt::format("none of the {} runtimes serves this format", others);
  return others ? out + fmt::format("; {} more serve other formats", others) : out;
}

tl::expected<RuntimeChoice, SpecFault> checkNamed(const Json& runtime, bool cluster, const Wanted& wanted) {
  std::string name = nameOf(runtime);
  auto refuse = [&](SpecFault f) { return tl::unexpected<SpecFault>(std::move(f)); };
  if (boolAt(at(runtime, "spec"), "disabled")) {
    return refuse(
        {"RuntimeDisabled", "Specified runtime is disabled: " + name, "specified runtime " + name + " is disabled"});
  }
  if (!wanted.protocol.empty() && !supportsProtocol(runtime, wanted.protocol)) {
    std::string details = name + " speaks " + protocolsOf(runtime) + ", not " + wanted.protocol;
    return refuse({"NoSupportingRuntime", "Specified runtime does not support specified protocol version: " + details,
                   "specified runtime " + name + " does not support specified protocol version: " + details});
  }
  if (!supportsFormat(runtime, wanted, false)) {
    std::string versions = formatsOf(runtime, wanted.format, false);
    std::string details = versions.empty() ? name + " does not serve " + wanted.format
                                           : name + " serves " + wanted.format + " versions " + versions;
    return refuse({"NoSupportingRuntime", "Specified runtime does not support specified framework/version: " + details,
                   "specified runtime " + name + " does not support specified framework/version: " + details});
  }
  return RuntimeChoice{runtime, cluster};
}

const Json* named(const std::vector<Json>& runtimes, const std::string& name) {
  for (const Json& runtime : runtimes) {
    if (nameOf(runtime) == name) return &runtime;
  }
  return nullptr;
}

tl::expected<RuntimeChoice, SpecFault> selectNamed(const std::string& name, const Wanted& wanted,
                                                   const RuntimeCatalog& catalog) {
  if (const Json* runtime = named(catalog.namespaced, name)) return checkNamed(*runtime, false, wanted);
  if (const Json* runtime = named(catalog.cluster, name)) return checkNamed(*runtime, true, wanted);
  std::string message = "No ServingRuntimes or ClusterServingRuntimes with the name: " + name;
  return tl::unexpected<SpecFault>({"RuntimeNotRecognized", "Waiting for runtime to become available. " + message, message});
}

}  // namespace

std::string serverType(const Json& runtime) {
  std::string type = annotation(runtime, kServerType);
  if (!type.empty()) return type;
  std::string name = nameOf(runtime);
  return name.starts_with("kserve-") ? name.substr(7) : name;
}

tl::expected<RuntimeChoice, SpecFault> selectRuntime(const Json& isvc, const RuntimeCatalog& catalog) {
  Wanted wanted = wantedBy(isvc);
  std::string name = textAt(at(componentSpec(isvc, Component::Predictor), "model"), "runtime");
  if (!name.empty()) return selectNamed(name, wanted, catalog);
  if (wanted.protocol.empty()) wanted.protocol = "v1";
  if (const Json* runtime = best(catalog.namespaced, wanted)) return RuntimeChoice{*runtime, false};
  if (const Json* runtime = best(catalog.cluster, wanted)) return RuntimeChoice{*runtime, true};
  std::string details = wanted.text() + ": " + listRejected(catalog, wanted);
  return tl::unexpected<SpecFault>({"NoSupportingRuntime",
                                    "No runtime found to support specified framework/version: " + details,
                                    "no runtime found to support predictor with " + details});
}

}  // namespace slipway::isvc
