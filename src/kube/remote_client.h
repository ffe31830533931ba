// RemoteClient: kube::Client over HTTPS, for any kube-apiserver. Lists come in pages, watches as streams with bookmarks.
//
//   auto config = loadKubeconfig(file);
//   auto client = RemoteClient::create(executor, *config);   if (!client) … one line that says what is wrong
//   auto pods = co_await (*client)->list(kinds::kPod, {});
#pragma once
#include "base/scope.h"
#include "kube/client.h"
#include "kube/kubeconfig.h"

namespace slipway::kube {

struct RemoteOptions {
  int pageSize = 500;                       // objects per list request
  std::chrono::seconds requestTimeout{30};  // from sending to the response's head
  std::chrono::seconds watchTimeout{300};   // the server ends a watch after this to twice this; we ask again
  std::size_t maxObjectBytes = 16 << 20;    // of one response, or one watch event
  std::string userAgent = "slipway";
};

class RemoteClient final : public Client {
 public:
  // Error Invalid when a certificate or key cannot be used. Connects on first use.
  static Result<std::unique_ptr<RemoteClient>> create(Executor executor, Kubeconfig config, RemoteOptions options = {});
  ~RemoteClient() override;

  Task<Result<Json>> get(Kind kind, Key key) override;
  Task<Result<List>> list(Kind kind, ListOptions options) override;
  Task<Result<std::unique_ptr<Watch>>> watch(Kind kind, ListOptions options, std::string resourceVersion) override;
  Task<Result<Json>> create(Kind kind, Json object, WriteOptions options = {}) override;
  Task<Result<Json>> update(Kind kind, Json object, WriteOptions options = {}) override;
  Task<Result<Json>> patch(Kind kind, Key key, PatchType type, Json patch, WriteOptions options = {}) override;
  Task<Status> remove(Kind kind, Key key, DeleteOptions options = {}) override;

 private:
  struct State;
  explicit RemoteClient(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;  // shared with open watches
};

// "/apis/apps/v1/namespaces/models/deployments/web/status"; an empty name is the collection.
std::string resourcePath(const Kind& kind, const Key& key, const std::string& subresource = "");
// The error that a Status object (or any other body) of an answer means.
Error errorOf(int httpStatus, const std::string& body);

}  // namespace slipway::kube
