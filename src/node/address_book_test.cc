#include "node/address_book.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>

namespace slipway::node {
namespace {

bool free(const std::string&) { return false; }
std::string networkOf(const std::string& address) { return address.substr(0, address.find('.', 4)); }

TEST(AddressBook, PlatformsOnOneMachineNeverShareANetwork) {
  auto first = std::make_unique<AddressBook>("/same", free);
  AddressBook second("/same", free);
  const std::string a = first->assign("pod"), b = second.assign("pod");
  EXPECT_NE(networkOf(a), networkOf(b));
  first.reset();
  AddressBook again("/same", free);  // a platform that starts again has its own
  EXPECT_EQ(again.assign("pod"), a);
}

TEST(AddressBook, KeepsAPodsAddressAndGivesItBack) {
  AddressBook book("/x", free);
  const std::string a = book.assign("a");
  EXPECT_EQ(book.assign("a"), a);
  EXPECT_NE(book.assign("b"), a);
  book.keep("old", "127.1.2.3");
  EXPECT_EQ(book.assign("old"), "127.1.2.3");
}

TEST(AddressBook, PassesOverAnAddressThatSomethingListensOn) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  ::inet_pton(AF_INET, "127.77.3.9", &address.sin_addr);
  ASSERT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  EXPECT_FALSE(hasListener("127.77.3.9"));
  ASSERT_EQ(::listen(fd, 1), 0);
  EXPECT_TRUE(hasListener("127.77.3.9"));
  EXPECT_FALSE(hasListener("127.77.3.8"));
  ::close(fd);

  std::string taken;
  AddressBook book("/y", [&](const std::string& a) { return a == taken; });
  taken = "none";
  const std::string first = book.assign("a");
  book.release("a");
  taken = first.substr(0, first.rfind('.')) + ".3";
  EXPECT_NE(book.assign("b"), taken);
}

}  // namespace
}  // namespace slipway::node
