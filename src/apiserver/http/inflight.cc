#include "apiserver/http/inflight.h"

#include <fmt/args.h>
#include <fmt/format.h>

namespace slipway::apiserver {

bool Inflight::isSystem(const UserInfo& user) {
  return user.inGroup("system:masters") || user.inGroup("system:nodes") ||
         user.inGroup("system:serviceaccounts:kube-system") || user.name.starts_with("system:kube-");
}

Result<Inflight::Place> Inflight::enter(const UserInfo& user) {
  const bool system = isSystem(user);
  const auto refuse = [&](const char* text, std::size_t count) {
    return fail(Code::TooMany, fmt::format(fmt::runtime(text), fmt::arg("count", count), fmt::arg("user", user.name)));
  };
  if (counts_->total >= total_ + (system ? reserve_ : 0)) return refuse(texts_.full, counts_->total);
  const auto known = counts_->users.find(user.name);
  if (!system && known != counts_->users.end() && known->second >= perUser_) return refuse(texts_.userFull, known->second);
  std::size_t& mine = counts_->users[user.name];
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
