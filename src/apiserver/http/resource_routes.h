// ResourceRoutes: the REST verbs on objects: from a Call to the Registry and back to a response in the form asked for.
#pragma once
#include "apiserver/http/call.h"
#include "apiserver/http/stream_routes.h"
#include "apiserver/registry.h"
#include "apiserver/watch_feed.h"
#include "kube/pod_streams.h"

namespace slipway::apiserver {

class ResourceRoutes {
 public:
  ResourceRoutes(Registry& registry, std::shared_ptr<Clock> clock)
      : registry_(registry), clock_(std::move(clock)), feeds_(registry.hub()), podStreams_(registry) {}
  void setPodStreams(kube::PodStreams* streams) {
    streams_ = streams;
    podStreams_.setPodStreams(streams);
  }

  Task<net::Response> handle(Call call, const Resource* resource);

 private:
  Task<Result<net::Response>> route(Call& call, const Resource& resource);
  Task<Result<net::Response>> read(Call& call, const Resource& resource);
  Result<net::Response> get(const Call& call, const Resource& resource) const;
  Result<ListQuery> listQuery(const Call& call) const;
  Result<net::Response> listResponse(const Call& call, const Resource& resource, ListPage list) const;
  Result<net::Response> watch(const Call& call, const Resource& resource);
  Task<Result<net::Response>> create(Call& call, const Resource& resource);
  Task<Result<net::Response>> update(Call& call, const Resource& resource);
  Task<Result<net::Response>> patch(Call& call, const Resource& resource);
  Task<Result<net::Response>> remove(Call& call, const Resource& resource);
  Task<Result<net::Response>> removeCollection(Call& call, const Resource& resource);
  Task<Result<net::Response>> connect(Call& call, const Resource& resource);
  Task<Result<net::Response>> podLog(Call& call, const Resource& resource);
  Task<Result<net::Response>> evict(Call& call, const Resource& resource);
  Task<Result<net::Response>> bind(Call& call, const Resource& resource);

  Result<WriteContext> writeContext(const Call& call, const Resource& resource) const;
  Result<net::Response> objectResponse(int status, const Call& call, const Resource& resource, const Entry& entry) const;
  Result<net::Response> writtenResponse(const Call& call, const Resource& resource, const Result<Written>& written) const;

  Registry& registry_;
  std::shared_ptr<Clock> clock_;
  WatchFeeds feeds_;
  kube::PodStreams* streams_ = nullptr;
  StreamRoutes podStreams_;
};

}  // namespace slipway::apiserver
