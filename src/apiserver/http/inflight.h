// Inflight: how many requests are being served (or watches are open), in all and by user.
//
// Users of the system (administrators, nodes, control plane components) have a reserve of their own and no bound by user, so
// that a flood of ordinary requests never keeps them out. Our own controllers do not come over HTTP and are not counted.
//
//   auto place = inflight.enter(user);   if (!place) return errorResponse(place.error());   // until `place` goes
//   Inflight watches(10000, 2000, 0, kWatchTexts);
#pragma once
#include <map>
#include <memory>
#include <string>

#include "apiserver/admission.h"
#include "base/result.h"

namespace slipway::apiserver {

// What a refused client is told; {count} and {user} are filled in.
struct InflightTexts {
  const char* full;
  const char* userFull;
};
inline constexpr InflightTexts kRequestTexts{
    "Too many requests, please try again later: {count} are being served, the limit (--max-requests-inflight)",
    "Too many requests, please try again later: {count} of user \"{user}\" are being served, the limit "
    "(--max-requests-per-user)"};
inline constexpr InflightTexts kWatchTexts{
    "{count} watches are open, the limit (--max-watches); close one and try again",
    "{count} watches of user \"{user}\" are open, the limit (--max-watches-per-user); close one and try again"};

class Inflight {
 public:
  Inflight(std::size_t total, std::size_t perUser, std::size_t reserve, InflightTexts texts = kRequestTexts)
      : counts_(std::make_shared<Counts>()), total_(total), perUser_(perUser), reserve_(reserve), texts_(texts) {}

  using Place = std::shared_ptr<void>;
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
  InflightTexts texts_;
};

}  // namespace slipway::apiserver
