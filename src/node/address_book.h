// AddressBook: gives each pod its own loopback address, 127.x.y.z. x follows from the data folder, so that two platforms on
// one machine rarely meet; y.z counts up. Control loop only.
#pragma once
#include <map>
#include <set>
#include <string>

namespace slipway::node {

class AddressBook {
 public:
  explicit AddressBook(const std::string& seed);  // the data folder's path; x is 128..239, apart from Services (127.96)
  // The pod's address: the one it has, else the next free one; "" when all 65000 are taken.
  std::string assign(const std::string& podUid);
  void keep(const std::string& podUid, const std::string& address);  // from a record on disk
  void release(const std::string& podUid);

 private:
  int network_;
  int next_ = 2;
  std::map<std::string, std::string> byPod_;
  std::set<std::string> used_;
};

}  // namespace slipway::node
