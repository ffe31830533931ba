#include "node/address_book.h"

#include <fmt/format.h>

#include <functional>

namespace slipway::node {

AddressBook::AddressBook(const std::string& seed) : network_(128 + static_cast<int>(std::hash<std::string>{}(seed) % 112)) {}

std::string AddressBook::assign(const std::string& podUid) {
  const auto found = byPod_.find(podUid);
  if (found != byPod_.end()) return found->second;
  constexpr int kSpan = 65000;
  for (int tries = 0; tries < kSpan; ++tries) {
    const int n = next_;
    next_ = next_ >= kSpan ? 2 : next_ + 1;
    if (n % 256 == 0 || n % 256 == 255) continue;
    std::string address = fmt::format("127.{}.{}.{}", network_, n / 256, n % 256);
    if (used_.contains(address)) continue;
    keep(podUid, address);
    return address;
  }
  return "";
}

void AddressBook::keep(const std::string& podUid, const std::string& address) {
  byPod_[podUid] = address;
  used_.insert(address);
}

void AddressBook::release(const std::string& podUid) {
  const auto found = byPod_.find(podUid);
  if (found == byPod_.end()) return;
  used_.erase(found->second);
  byPod_.erase(found);
}

}  // namespace slipway::node
