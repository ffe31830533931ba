#include "apiserver/http/inflight.h"

#include <fmt/format.h>

namespace slipway::apiserver {

bool Inflight::isSystem(const UserInfo& user) {
  return user.inGroup("system:masters") || user.inGroup("system:nodes") ||
         user.inGroup("system:serviceaccounts:kube-system") || user.name.starts_with("system:kube-");
}

Result<Inflight::Place> Inflight::enter(const UserInfo& user) {
  const bool system = isSystem(user);
  if (counts_->total >= total_ + (system ? reserve_ : 0)) {
    return fail(Code::TooMany, fmt::format("Too many requests, please try again later: {} are being served, the limit "
                                           "(--max-requests-inflight)",
                                           counts_->total));
  }
  std::size_t& mine = counts_->users[user.name];
  if (!system && mine >= perUser_) {
    return fail(Code::TooMany,
                fmt::format("Too many requests, please try again later: {} of user \"{}\" are being served, the "
                            "limit (--max-requests-per-user)",
                            mine, user.name));
  }
  ++mine;
  ++counts_->total;
  // The place may outlive this object: a handler that is cancelled after the server has gone.
  return Place(std::shared_ptr<void>(nullptr, [counts = counts_, name = user.name](void*) {
    --counts->total;
    const auto it = counts->users.find(name);
    if (--it->second == 0) counts->users.erase(it);
  }));
}

}  // namespace slipway::apiserver
