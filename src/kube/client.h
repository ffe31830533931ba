// Client: the seam between everything that reads or writes objects and the API that holds them. Two implementations: the
// embedded API server's in-process one (apiserver/local_client.h) and the remote one for any kube-apiserver
// (kube/remote_client.h). A reconciler cannot tell which one it has.
//
// Objects are JSON documents with apiVersion, kind and metadata. Errors carry the Kubernetes Status object as JSON in
// Error::detail and its message in Error::message. Used from one executor.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/task.h"
#include "data/json.h"
#include "objects/kinds.h"

namespace slipway::kube {

struct Key {
  std::string ns;  // empty for cluster-scoped kinds
  std::string name;
  auto operator<=>(const Key&) const = default;
};

struct ListOptions {
  std::string ns;             // empty: all namespaces
  std::string labelSelector;  // "a=b,c in (d,e)"
  std::string fieldSelector;
};
struct List {
  std::string resourceVersion;  // a valid start for watch()
  std::vector<Json> items;
};

struct WatchEvent {
  enum class Type { Added, Modified, Deleted, Bookmark } type;
  Json object;
};
class Watch {
 public:
  virtual ~Watch() = default;
  // The next event; Gone when the resource version has been compacted (list again), Unavailable when the stream broke.
  virtual Task<Result<WatchEvent>> next() = 0;
};

enum class PatchType { Json, Merge, Strategic, Apply };
struct WriteOptions {
  std::string fieldManager = "slipway";
  bool dryRun = false;
  bool force = false;       // Apply only: take ownership on conflict
  std::string subresource;  // "status", "scale"; empty: the object itself
};
struct DeleteOptions {
  std::string propagationPolicy = "Background";
  std::optional<int> gracePeriodSeconds;
  std::string uid;  // precondition; empty: none
};

class Client {
 public:
  virtual ~Client() = default;
  virtual Task<Result<Json>> get(Kind kind, Key key) = 0;
  virtual Task<Result<List>> list(Kind kind, ListOptions options) = 0;
  // Events after `resourceVersion` (from a list); "" or "0": first an Added for everything that exists now.
  virtual Task<Result<std::unique_ptr<Watch>>> watch(Kind kind, ListOptions options, std::string resourceVersion) = 0;
  virtual Task<Result<Json>> create(Kind kind, Json object, WriteOptions options = {}) = 0;
  virtual Task<Result<Json>> update(Kind kind, Json object, WriteOptions options = {}) = 0;
  virtual Task<Result<Json>> patch(Kind kind, Key key, PatchType type, Json patch, WriteOptions options = {}) = 0;
  virtual Task<Status> remove(Kind kind, Key key, DeleteOptions options = {}) = 0;
};

inline Key keyOf(const Json& object) {
  const Json& meta = at(object, "metadata");
  return Key{textAt(meta, "namespace"), textAt(meta, "name")};
}

}  // namespace slipway::kube
