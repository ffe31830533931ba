// AddressBook: gives each pod its own loopback address, 127.x.y.z. Two platforms on one machine never share an x: each
// claims one for as long as it lives (128 to 239, apart from Services; an abstract Unix socket, which like loopback
// addresses belongs to the network namespace and goes with the process). The data folder's path says which x is tried first,
// so that a platform that starts again keeps its own. Pods outlive their platform, so an address that something listens on
// is passed over. Control loop only.
#pragma once
#include <functional>
#include <map>
#include <set>
#include <string>

namespace slipway::node {

// Whether a TCP socket of this machine listens on an IPv4 address ("127.200.0.2"); read from /proc/net/tcp.
bool hasListener(const std::string& address);

class AddressBook {
 public:
  // `seed`: the data folder's path. When every x is taken (112 platforms), the seed's own is shared.
  explicit AddressBook(const std::string& seed, std::function<bool(const std::string&)> inUse = hasListener);
  ~AddressBook();
  AddressBook(const AddressBook&) = delete;
  AddressBook& operator=(const AddressBook&) = delete;
  // The pod's address: the one it has, else the next free one; "" when all 65000 are taken.
  std::string assign(const std::string& podUid);
  void keep(const std::string& podUid, const std::string& address);  // from a record on disk
  void release(const std::string& podUid);

 private:
  std::function<bool(const std::string&)> inUse_;
  int network_ = 0;
  int claim_ = -1;  // the socket that holds network_
  int next_ = 2;
  std::map<std::string, std::string> byPod_;
  std::set<std::string> used_;
};

}  // namespace slipway::node
