// validate.h for ServingRuntime, ClusterServingRuntime, TrainedModel and InferenceGraph.
#include <map>
#include <set>

#include "objects/serving/keys.h"
#include "objects/serving/validate.h"
#include "objects/serving/view.h"

namespace slipway::isvc {

namespace {

tl::unexpected<Error> deny(std::string message) { return fail(Code::Forbidden, std::move(message)); }

const Json& list(const Json& object, std::string_view key) {
  static const Json kEmpty = Json::array();
  const Json& value = at(object, key);
  return value.is_array() ? value : kEmpty;
}

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

bool sharesProtocol(const Json& a, const Json& b) {
  for (const Json& protocol : list(a, "protocolVersions")) {
    for (const Json& other : list(b, "protocolVersions")) {
      if (protocol == other) return true;
    }
  }
  return false;
}

// The format that two runtimes would both pick automatically with the same priority; empty when there is none.
std::string contested(const Json& a, const Json& b) {
  for (const Json& x : list(a, "supportedModelFormats")) {
    for (const Json& y : list(b, "supportedModelFormats")) {
      bool same = lower(textAt(x, "name")) == lower(textAt(y, "name")) && at(x, "version") == at(y, "version");
      if (same && boolAt(x, "autoSelect") && boolAt(y, "autoSelect") && at(x, "priority").is_number_integer() &&
          at(x, "priority") == at(y, "priority")) {
        return textAt(x, "name");
      }
    }
  }
  return "";
}

Status validatePriorities(const Json& runtime, const std::vector<Json>& others) {
  const Json& spec = at(runtime, "spec");
  bool namespaced = textAt(runtime, "kind") == "ServingRuntime";
  for (const Json& other : others) {
    const Json& existing = at(other, "spec");
    if (nameOf(other) == nameOf(runtime) || boolAt(existing, "disabled")) continue;
    if (boolAt(spec, "multiModel") != boolAt(existing, "multiModel") || !sharesProtocol(spec, existing)) continue;
    std::string format = contested(spec, existing);
    if (format.empty()) continue;
    std::string what = "same priority assigned for the model format " + format;
    if (namespaced) {
      return deny(what + " in the servingruntimes " + nameOf(other) + " and " + nameOf(runtime) + " in namespace " +
                  namespaceOf(runtime));
    }
    return deny(what + " in the clusterservingruntimes " + nameOf(other) + " and " + nameOf(runtime));
  }
  return {};
}

// One runtime lists a format in several versions; they must agree on the priority, since the first one decides.
Status validateOwnPriorities(const Json& runtime) {
  std::map<std::string, Json> seen;
  for (const Json& format : list(at(runtime, "spec"), "supportedModelFormats")) {
    if (!boolAt(format, "autoSelect")) continue;
    std::string name = textAt(format, "name");
    const Json& priority = at(format, "priority");
    auto [it, fresh] = seen.emplace(name, priority);
    if (!fresh && !it->second.is_null() && !priority.is_null() && it->second != priority) {
      bool namespaced = textAt(runtime, "kind") == "ServingRuntime";
      return deny("different priorities assigned for the model format " + name + " under the " +
                  (namespaced ? "servingruntime " : "clusterservingruntime ") + nameOf(runtime));
    }
  }
  return {};
}

Status validateWorkers(const Json& runtime, const Json* old) {
  const Json& worker = at(runtime, "spec", "workerSpec");
  std::string subject = "the " + textAt(runtime, "kind") + " " + nameOf(runtime) + " is invalid: ";
  if (!worker.is_object()) {
    if (old && at(*old, "spec", "workerSpec").is_object()) {
      return deny(subject + "removing workerSpec where it already exists is not allowed");
    }
    return {};
  }
  if (list(worker, "containers").size() > 1) {
    return deny(subject + "setting multiple containers in workerSpec is not allowed");
  }
  for (const char* key : {"pipelineParallelSize", "tensorParallelSize"}) {
    if (at(worker, key).is_number_integer() && intAt(worker, key) < 1) {
      std::string label = key == std::string("pipelineParallelSize") ? "PipelineParallelSize" : "TensorParallelSize";
      return deny(subject + fmt::format("the WorkerSpec.{} cannot be less than 1({})", label, intAt(worker, key)));
    }
  }
  return {};
}

Status validateSteps(const std::string& graph, const std::string& node, const Json& steps) {
  std::set<std::string> names;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    std::string name = textAt(steps[i], "name");
    if (!name.empty() && !names.insert(name).second) {
      return deny("Node \"" + node + "\" of InferenceGraph \"" + graph + "\" contains more than one step with name \"" +
                  name + "\"");
    }
  }
  for (std::size_t i = 0; i < steps.size(); ++i) {
    int targets = 0;
    for (const char* key : {"nodeName", "serviceName", "serviceUrl"}) targets += !textAt(steps[i], key).empty();
    std::string where =
        fmt::format("Step {} (\"{}\") in node \"{}\" of InferenceGraph \"{}\"", i, textAt(steps[i], "name"), node, graph);
    if (targets == 0) return deny(where + " does not specify an inference target");
    if (targets > 1) return deny(where + " specifies more than one of nodeName, serviceName, serviceUrl");
  }
  return {};
}

Status validateWeights(const std::string& graph, const std::string& node, const Json& steps) {
  std::int64_t sum = 0;
  for (const Json& step : steps) {
    if (!at(step, "weight").is_number_integer()) {
      return deny("InferenceGraph[" + graph + "] Node[" + node + "] Route[" + textAt(step, "serviceName") +
                  "] missing the 'Weight'");
    }
    sum += intAt(step, "weight");
  }
  if (sum == 100) return {};
  return deny("InferenceGraph[" + graph + "] Node[" + node +
              "] splitter node: the sum of traffic weights for all routing targets should be 100");
}

bool isGraphName(const std::string& name) {
  return !name.empty() && name.front() >= 'a' && name.front() <= 'z' && name.back() != '-' &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos;
}

}  // namespace

Status validateRuntime(const Json& runtime, const Json* old, const std::vector<Json>& others) {
  const Json& spec = at(runtime, "spec");
  if (boolAt(spec, "disabled")) return {};
  SLIP_CHECK(validateOwnPriorities(runtime));
  SLIP_CHECK(validatePriorities(runtime, others));
  SLIP_CHECK(validateWorkers(runtime, old));
  for (const Json* containers : {&at(spec, "containers"), &at(spec, "workerSpec", "containers")}) {
    if (Status ok = validateEnvironment(*containers); !ok) {
      return deny("the " + textAt(runtime, "kind") + " \"" + nameOf(runtime) + "\" is invalid: " + ok.error().message);
    }
  }
  return {};
}

Status validateTrainedModel(const Json& model, const Json* old) {
  std::string name = nameOf(model);
  bool plain =
      std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) || c == '_' || c == '-'; });
  if (name.empty() || !plain) {
    return deny("the Trained Model \"" + name +
                "\" is invalid: a Trained Model name must consist of alphanumeric characters, '_', "
                "or '-'. (e.g. \"my-Name\" or \"abc_123\", regex used for validation is '^[a-zA-Z0-9_-]+$')");
  }
  const Json& spec = at(model, "spec", "model");
  std::string uri = textAt(spec, "storageUri");
  static const std::vector<std::string> kPrefixes = {"gs://", "s3://", "http://", "https://", "hf://", "pvc://", "file://"};
  if (std::none_of(kPrefixes.begin(), kPrefixes.end(), [&](const std::string& p) { return uri.starts_with(p); })) {
    return deny(
        fmt::format("the Trained Model \"{}\" storageUri field is invalid. The storage uri must start with one of the "
                    "prefixes: {}. (the storage uri given is \"{}\")",
                    name, fmt::join(kPrefixes, ", "), uri));
  }
  if (old && at(*old, "spec", "model", "memory") != at(spec, "memory")) {
    return deny("the Trained Model \"" + name + "\" memory field is immutable. The memory was \"" +
                textAt(at(*old, "spec", "model"), "memory") + "\" but it is updated to \"" + textAt(spec, "memory") + "\"");
  }
  return {};
}

Status validateInferenceGraph(const Json& graph) {
  std::string name = nameOf(graph);
  if (!isGraphName(name)) {
    return deny(
        "The InferenceGraph \"" + name +
        "\" is invalid: a InferenceGraph name must consist of lower case alphanumeric "
        "characters or '-', and must start with alphabetical character. (e.g. \"my-name\" or \"abc-123\", regex used for "
        "validation is '[a-z]([-a-z0-9]*[a-z0-9])?')");
  }
  const Json& nodes = at(graph, "spec", "nodes");
  if (!nodes.is_object() || !nodes.contains("root")) {
    return deny("root node not found, InferenceGraph needs a node with name 'root' as the root node of the graph");
  }
  for (auto it = nodes.begin(); it != nodes.end(); ++it) SLIP_CHECK(validateSteps(name, it.key(), list(*it, "steps")));
  for (auto it = nodes.begin(); it != nodes.end(); ++it) {
    if (textAt(*it, "routerType") == "Splitter") SLIP_CHECK(validateWeights(name, it.key(), list(*it, "steps")));
  }
  return {};
}

}  // namespace slipway::isvc
