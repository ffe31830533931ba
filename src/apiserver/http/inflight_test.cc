#include "apiserver/http/inflight.h"

#include <gtest/gtest.h>

namespace slipway::apiserver {
namespace {

const UserInfo kAnn{"ann", "", {"dev"}};
const UserInfo kBen{"ben", "", {"dev"}};
const UserInfo kAdmin{"admin", "", {"system:masters"}};

TEST(Inflight, OneUserCannotTakeEveryPlace) {
  Inflight inflight(4, 2, 1);
  auto a = inflight.enter(kAnn);
  auto b = inflight.enter(kAnn);
  ASSERT_TRUE(a && b);
  const auto refused = inflight.enter(kAnn);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::TooMany);
  EXPECT_NE(refused.error().message.find("of user \"ann\" are being served, the limit (--max-requests-per-user)"),
            std::string::npos);
  EXPECT_TRUE(inflight.enter(kBen));
  a = fail(Code::Gone, "");
  EXPECT_TRUE(inflight.enter(kAnn));
}

TEST(Inflight, TheSystemGetsInWhenOrdinaryUsersFillEverything) {
  Inflight inflight(2, 2, 1);
  auto a = inflight.enter(kAnn);
  auto b = inflight.enter(kBen);
  EXPECT_FALSE(inflight.enter({"cam", "", {}}));
  auto admin = inflight.enter(kAdmin);
  EXPECT_TRUE(admin);
  EXPECT_FALSE(inflight.enter(kAdmin)) << "the reserve is bounded too";
  EXPECT_EQ(inflight.count(), 3u);
}

TEST(Inflight, APlaceMayOutliveTheServer) {
  Inflight::Place place;
  {
    Inflight inflight(1, 1, 0);
    place = std::move(*inflight.enter(kAnn));
  }
  place.reset();
}

}  // namespace
}  // namespace slipway::apiserver
