// Inflight: how many requests are being served, in all and by user.
//
// Users of the system (administrators, nodes, control plane components) have a reserve of their own and no bound by user, so
// that a flood of ordinary requests never keeps them out. Our own controllers do not come over HTTP and are not counted.
//
//   auto place = inflight.enter(user);   if (!place) return errorResponse(place.error());   // until `place` goes
#pragma once
#include <map>
#include <memory>
#include <string>

#include "apiserver/admission.h"
#include "base/result.h"

namespace slipway::apiserver {

class Inflight {
 public:
  Inflight(std::size_t total, std::size_t perUser, std::size_t reserve)
      : counts_(std::make_shared<Counts>()), total_(total), perUser_(perUser), reserve_(reserve) {}

  class Place {
   public:
    Place(std::shared_ptr<void> held) : held_(std::move(held)) {}

   private:
    std::shared_ptr<void> held_;
  };
  // TooMany, naming the limit.
  Result<Place> enter(const UserInfo& user);
  std::size_t count() const { return counts_->total; }
  static bool isSystem(const UserInfo& user);

 private:
  struct Counts {
    std::size_t total = 0;
    std::map<std::string, std::size_t> users;
  };
  std::shared_ptr<Counts> counts_;
  std::size_t total_, perUser_, reserve_;
};

}  // namespace slipway::apiserver
