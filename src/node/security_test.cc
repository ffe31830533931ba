#include "node/security.h"

#include <gtest/gtest.h>

namespace slipway::node {
namespace {

const PlatformUser kRoot{0, 0, {}};
const PlatformUser kUser{1000, 1000, {1000, 27}};

Result<Security> of(Json pod, Json container, const PlatformUser& platform = kRoot, ProgramOrigin origin = {}) {
  const Json whole = {{"metadata", {{"name", "p"}, {"namespace", "ns"}, {"uid", "u"}}},
                      {"spec", {{"securityContext", std::move(pod)}}}};
  return securityOf(whole, {{"name", "c"}, {"securityContext", std::move(container)}}, platform, origin);
}
std::string refusal(const Result<Security>& s) { return s ? "accepted" : s.error().message; }
bool has(const Security& s, const char* name) { return (s.capabilities >> *capabilityNumber(name) & 1) != 0; }

TEST(Security, TheContainersOwnValuesBeatThePods) {
  const auto s =
      of({{"runAsUser", 5}, {"runAsGroup", 6}, {"fsGroup", 7}, {"supplementalGroups", {8, 9}}}, {{"runAsUser", 4}});
  ASSERT_TRUE(s) << refusal(s);
  EXPECT_EQ(s->user, 4);
  EXPECT_EQ(s->group, 6);
  EXPECT_EQ(s->groups, (std::vector<std::int64_t>{8, 9, 7}));
  EXPECT_EQ(of({}, {{"runAsUser", 4}})->group, 0) << "as for a user that no image knows";
}

TEST(Security, CapabilitiesStartFromTheRuntimesDefaultAndNamesBeatAll) {
  const auto plain = of({}, {});
  EXPECT_TRUE(has(*plain, "CHOWN"));
  EXPECT_FALSE(has(*plain, "SYS_ADMIN"));
  const auto changed = of({}, {{"capabilities", {{"add", {"NET_ADMIN"}}, {"drop", {"CAP_CHOWN"}}}}});
  EXPECT_TRUE(has(*changed, "NET_ADMIN"));
  EXPECT_FALSE(has(*changed, "CHOWN"));
  EXPECT_EQ(of({}, {{"capabilities", {{"drop", {"ALL"}}}}})->capabilities, 0U);
  const auto one = of({}, {{"capabilities", {{"drop", {"all"}}, {"add", {"NET_BIND_SERVICE"}}}}});
  EXPECT_EQ(one->capabilities, Capabilities{1} << 10);
  EXPECT_EQ(refusal(of({}, {{"capabilities", {{"add", {"FLY"}}}}})),
            "container c: securityContext.capabilities.add: \"FLY\" is not a Linux capability");
}

TEST(Security, RunAsNonRootIsHeldInTheKubeletsWords) {
  EXPECT_EQ(refusal(of({{"runAsNonRoot", true}}, {})),
            "container has runAsNonRoot and image will run as root (pod: \"p_ns(u)\", container: c); set runAsUser");
  EXPECT_EQ(refusal(of({{"runAsNonRoot", true}}, {{"runAsUser", 0}})),
            "container's runAsUser breaks non-root policy (pod: \"p_ns(u)\", container: c)");
  EXPECT_TRUE(of({{"runAsNonRoot", true}}, {{"runAsUser", 7}}));
  EXPECT_TRUE(of({{"runAsNonRoot", true}}, {{"runAsNonRoot", false}}));
  EXPECT_TRUE(of({{"runAsNonRoot", true}}, {}, kUser)) << "the platform's own user is not root";
  EXPECT_TRUE(of({{"runAsNonRoot", true}}, {}, kRoot, {.ours = true}));
  EXPECT_TRUE(of({{"runAsNonRoot", true}}, {}, kRoot, {.image = true, .imageUser = "1000:1000"}));
  EXPECT_FALSE(of({{"runAsNonRoot", true}}, {}, kRoot, {.image = true}));
  EXPECT_FALSE(of({{"runAsNonRoot", true}}, {}, kUser, {.image = true, .imageUser = "root"}));
  EXPECT_EQ(refusal(of({{"runAsNonRoot", true}}, {}, kRoot, {.image = true, .imageUser = "nginx"})),
            "container has runAsNonRoot and image has non-numeric user (nginx), cannot verify user is non-root (pod: "
            "\"p_ns(u)\", container: c)");
}

TEST(Security, OnlyRootMayBecomeSomebodyElse) {
  EXPECT_EQ(refusal(of({}, {{"runAsUser", 5}}, kUser)),
            "container c: securityContext.runAsUser: 5 is not possible on this node: the platform runs as user 1000 (group "
            "1000) and cannot become another; run slipway as root or remove it");
  EXPECT_TRUE(of({{"fsGroup", 27}}, {{"runAsUser", 1000}, {"runAsGroup", 1000}}, kUser));
  EXPECT_FALSE(of({{"fsGroup", 28}}, {}, kUser));
  EXPECT_TRUE(of({{"fsGroup", 28}}, {{"runAsUser", 5}}, kUser, {.image = true})) << "podman maps users itself";
}

TEST(Security, EscalationAndRootFolder) {
  EXPECT_FALSE(of({}, {})->noNewPrivileges);
  EXPECT_FALSE(of({}, {{"allowPrivilegeEscalation", true}})->noNewPrivileges);
  const auto s = of({}, {{"allowPrivilegeEscalation", false}, {"readOnlyRootFilesystem", true}});
  EXPECT_TRUE(s->noNewPrivileges);
  EXPECT_TRUE(s->readOnlyRoot);
}

}  // namespace
}  // namespace slipway::node
