// LocalClient: kube::Client inside the process of the embedded API server: the same rules as over HTTP, no serialising to a
// socket.
//
// Used from the registry's executor; the registry must outlive it and its watches.
//
//   LocalClient client(registry);   auto pods = co_await client.list(kinds::kPod, {.ns = "default"});
#pragma once
#include "apiserver/registry.h"
#include "kube/client.h"

namespace slipway::apiserver {

class LocalClient final : public kube::Client {
 public:
  // user: who the writes are done as, for admission.
  explicit LocalClient(Registry& registry, UserInfo user = UserInfo::system())
      : registry_(registry), user_(std::move(user)) {}

  Task<Result<Json>> get(Kind kind, kube::Key key) override;
  Task<Result<kube::List>> list(Kind kind, kube::ListOptions options) override;
  Task<Result<std::unique_ptr<kube::Watch>>> watch(Kind kind, kube::ListOptions options,
                                                   std::string resourceVersion) override;
  // Of a ServiceAccount with subresource "token": `object` is a TokenRequest that names the account in its metadata.
  Task<Result<Json>> create(Kind kind, Json object, kube::WriteOptions options = {}) override;
  Task<Result<Json>> update(Kind kind, Json object, kube::WriteOptions options = {}) override;
  Task<Result<Json>> patch(Kind kind, kube::Key key, kube::PatchType type, Json patch,
                           kube::WriteOptions options = {}) override;
  Task<Status> remove(Kind kind, kube::Key key, kube::DeleteOptions options = {}) override;

 private:
  Result<const Resource*> resourceOf(const Kind& kind) const;
  WriteContext context(const Resource& resource, const kube::Key& key, const kube::WriteOptions& options) const;

  Registry& registry_;
  UserInfo user_;
};

}  // namespace slipway::apiserver
