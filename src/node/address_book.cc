#include "node/address_book.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

namespace slipway::node {
namespace {

constexpr int kFirstNetwork = 128, kNetworks = 112;

// The socket that holds 127.`network` for this process, or -1 when another has it.
int claimNetwork(int network) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = fmt::format("slipway-pods-127.{}", network);
  std::memcpy(address.sun_path + 1, name.data(), name.size());  // a leading NUL: abstract
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd >= 0 && ::bind(fd, reinterpret_cast<const sockaddr*>(&address), size) == 0) return fd;
  if (fd >= 0) ::close(fd);
  return -1;
}

}  // namespace

bool hasListener(const std::string& address) {
  in_addr wanted{};
  if (::inet_pton(AF_INET, address.c_str(), &wanted) != 1) return false;
  // "  0: 0200C87F:1F90 00000000:0000 0A …": the address as the kernel holds it, in hex; state 0A listens.
  const std::string mine = fmt::format("{:08X}", wanted.s_addr);
  const std::string mapped = "0000000000000000FFFF0000" + mine;  // of a dual-stack socket, ::ffff:127.x.y.z
  for (const char* path : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    std::ifstream table(path);
    std::string slot, local, remote, state, rest;
    std::getline(table, rest);
    while (table >> slot >> local >> remote >> state && std::getline(table, rest)) {
      if (state == "0A" && (local.starts_with(mine + ":") || local.starts_with(mapped))) return true;
    }
  }
  return false;
}

AddressBook::AddressBook(const std::string& seed, std::function<bool(const std::string&)> inUse) : inUse_(std::move(inUse)) {
  const int preferred = static_cast<int>(std::hash<std::string>{}(seed) % kNetworks);
  network_ = kFirstNetwork + preferred;
  for (int i = 0; i < kNetworks && claim_ < 0; ++i) {
    const int network = kFirstNetwork + (preferred + i) % kNetworks;
    claim_ = claimNetwork(network);
    if (claim_ >= 0) network_ = network;
  }
}

AddressBook::~AddressBook() {
  if (claim_ >= 0) ::close(claim_);
}

std::string AddressBook::assign(const std::string& podUid) {
  const auto found = byPod_.find(podUid);
  if (found != byPod_.end()) return found->second;
  constexpr int kSpan = 65000;
  for (int tries = 0; tries < kSpan; ++tries) {
    const int n = next_;
    next_ = next_ >= kSpan ? 2 : next_ + 1;
    if (n % 256 == 0 || n % 256 == 255) continue;
    std::string address = fmt::format("127.{}.{}.{}", network_, n / 256, n % 256);
    if (used_.contains(address) || inUse_(address)) continue;
    keep(podUid, address);
    return address;
  }
  return "";
}

void AddressBook::keep(const std::string& podUid, const std::string& address) {
  release(podUid);
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
