#include "node/environment.h"

#include <gtest/gtest.h>

#include "node/quantity.h"

namespace slipway::node {
namespace {

const PodFacts kFacts{"127.20.0.2", "127.0.0.1", "node-1", 2000, 8LL << 30};

Json podWith(Json container) {
  return {{"metadata", {{"name", "p"}, {"namespace", "ns"}, {"uid", "u1"}, {"labels", {{"app", "x"}}}}},
          {"spec", {{"containers", Json::array({std::move(container)})}}}};
}
std::string value(const Environment& env, const std::string& name) {
  for (const auto& [n, v] : env)
    if (n == name) return v;
  return "(unset)";
}
Json env(const std::string& name, Json from) { return {{"name", name}, {"valueFrom", std::move(from)}}; }

TEST(Environment, ExpandsReferencesToEarlierVariables) {
  const Json c = {
      {"name", "c"},
      {"env", Json::array({{{"name", "A"}, {"value", "1"}}, {{"name", "B"}, {"value", "$(A)$(A)-$(NOPE)-$$(A)"}}})}};
  const auto r = resolveEnvironment(podWith(c), c, {}, kFacts);
  ASSERT_TRUE(r);
  EXPECT_EQ(value(*r, "B"), "11-$(NOPE)-$(A)");
}

TEST(Environment, TakesValuesFromSecretsConfigMapsAndThePodItself) {
  const Json c = {
      {"name", "c"},
      {"resources", {{"limits", {{"memory", "1Gi"}}}}},
      {"envFrom", Json::array({{{"prefix", "P_"}, {"configMapRef", {{"name", "cm"}}}}})},
      {"env", Json::array({env("S", {{"secretKeyRef", {{"name", "s"}, {"key", "k"}}}}),
                           env("IP", {{"fieldRef", {{"fieldPath", "status.podIP"}}}}),
                           env("APP", {{"fieldRef", {{"fieldPath", "metadata.labels['app']"}}}}),
                           env("MEM", {{"resourceFieldRef", {{"resource", "limits.memory"}, {"divisor", "1Mi"}}}}),
                           env("CPU", {{"resourceFieldRef", {{"resource", "limits.cpu"}}}}),
                           env("NONE", {{"secretKeyRef", {{"name", "x"}, {"key", "k"}, {"optional", true}}}})})}};
  References refs;
  refs.configMaps["cm"] = {{"data", {{"a", "b"}}}};
  refs.secrets["s"] = {{"data", {{"k", "aGk="}}}};
  refs.secrets["x"] = Json();
  const auto r = resolveEnvironment(podWith(c), c, refs, kFacts);
  ASSERT_TRUE(r) << r.error().message;
  EXPECT_EQ(value(*r, "P_a"), "b");
  EXPECT_EQ(value(*r, "S"), "hi");
  EXPECT_EQ(value(*r, "IP"), "127.20.0.2");
  EXPECT_EQ(value(*r, "APP"), "x");
  EXPECT_EQ(value(*r, "MEM"), "1024");
  EXPECT_EQ(value(*r, "CPU"), "2");
  EXPECT_EQ(value(*r, "NONE"), "(unset)");
}

TEST(Environment, NamesWhatIsMissing) {
  const Json c = {{"name", "c"}, {"env", Json::array({env("S", {{"secretKeyRef", {{"name", "s"}, {"key", "k"}}}})})}};
  References refs;
  refs.secrets["s"] = Json();
  EXPECT_EQ(resolveEnvironment(podWith(c), c, refs, kFacts).error().message, "secret \"s\" not found");
  refs.secrets["s"] = {{"data", Json::object()}};
  EXPECT_EQ(resolveEnvironment(podWith(c), c, refs, kFacts).error().message, "couldn't find key k in Secret ns/s");
}

TEST(Environment, FindsEverythingAPodRefersTo) {
  Json pod = podWith({{"name", "c"}, {"envFrom", Json::array({{{"secretRef", {{"name", "s1"}}}}})}});
  pod["spec"]["volumes"] =
      Json::array({{{"name", "a"}, {"secret", {{"secretName", "s2"}}}},
                   {{"name", "b"}, {"persistentVolumeClaim", {{"claimName", "pvc"}}}},
                   {{"name", "c"}, {"projected", {{"sources", Json::array({{{"configMap", {{"name", "cm"}}}}})}}}}});
  const ReferenceNames names = referencesOf(pod);
  EXPECT_EQ(names.secrets, (std::set<std::string>{"s1", "s2"}));
  EXPECT_EQ(names.configMaps, (std::set<std::string>{"cm"}));
  EXPECT_EQ(names.claims, (std::set<std::string>{"pvc"}));
}

TEST(Quantity, ReadsEveryForm) {
  EXPECT_EQ(milliOf("500m"), 500);
  EXPECT_EQ(milliOf("1.5"), 1500);
  EXPECT_EQ(milliOf("0.1"), 100);
  EXPECT_EQ(wholeOf("1Gi"), 1LL << 30);
  EXPECT_EQ(wholeOf("1e3"), 1000);
  EXPECT_EQ(wholeOf("2E"), 2000000000000000000LL);
  EXPECT_EQ(wholeOf("1100m"), 2);
  for (const char* bad : {"", "x", "1Q", "Gi", "1e99", "1 Gi", "--1", "9E9E"}) EXPECT_FALSE(wholeOf(bad)) << bad;
}

}  // namespace
}  // namespace slipway::node
