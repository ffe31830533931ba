#include "node/service_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace slipway::node {
namespace {
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

Json service(const char* ip, Json ports = Json::array()) {
  return {{"spec", {{"clusterIP", ip}, {"ports", std::move(ports)}}}};
}
Json external(const char* name) { return {{"spec", {{"type", "ExternalName"}, {"externalName", name}}}}; }
Json slice(const char* of, Json endpoints) {
  return {{"metadata", {{"labels", {{"kubernetes.io/service-name", of}}}}}, {"endpoints", std::move(endpoints)}};
}

TEST(ServiceNames, AServiceHasTheFourNamesOfAClustersDns) {
  ServiceNames names;
  EXPECT_TRUE(names.setService("ns", "web", service("127.96.0.9")));
  EXPECT_FALSE(names.setService("ns", "web", service("127.96.0.9"))) << "nothing changed";
  EXPECT_EQ(names.blockOf("ns"), "127.96.0.9 web.ns.svc.cluster.local web.ns.svc web.ns web\n");
  EXPECT_EQ(names.blockOf("other"), "127.96.0.9 web.ns.svc.cluster.local web.ns.svc web.ns\n");
  EXPECT_TRUE(names.setService("ns", "web", Json()));
  EXPECT_EQ(names.blockOf("ns"), "");
}

TEST(ServiceNames, AHeadlessServiceIsItsReadyPodsWithTheirOwnNames) {
  ServiceNames names;
  names.setService("ns", "db", service("None"));
  names.setSlice("ns", "db-abcde",
                 slice("db", {{{"addresses", {"127.20.0.2"}}, {"hostname", "db-0"}},
                              {{"addresses", {"127.20.0.3"}}, {"hostname", "db-1"}, {"conditions", {{"ready", false}}}},
                              {{"addresses", {"127.20.0.4"}}}}));
  EXPECT_EQ(names.blockOf("ns"),
            "127.20.0.2 db.ns.svc.cluster.local db.ns.svc db.ns db\n"
            "127.20.0.2 db-0.db.ns.svc.cluster.local db-0.db.ns.svc db-0.db.ns db-0.db\n"
            "127.20.0.4 db.ns.svc.cluster.local db.ns.svc db.ns db\n");
  EXPECT_TRUE(names.setSlice("ns", "db-abcde", Json()));
  EXPECT_EQ(names.blockOf("ns"), "");
}

TEST(ServiceNames, ExternalNamesFollowServicesAddressesAndTheResolver) {
  ServiceNames names;
  names.setService("a", "real", service("127.96.0.9"));
  names.setService("b", "alias", external("real.a.svc.cluster.local"));
  names.setService("b", "fixed", external("10.1.2.3"));
  names.setService("b", "far", external("example.com"));
  names.setService("b", "loop", external("loop.b.svc.cluster.local"));
  EXPECT_THAT(names.externalHosts(), ElementsAre("example.com"));
  EXPECT_THAT(names.blockOf("b"), AllOf(HasSubstr("127.96.0.9 alias.b.svc.cluster.local"), HasSubstr("10.1.2.3 fixed.b"),
                                        Not(HasSubstr("far")), Not(HasSubstr("loop"))));
  EXPECT_TRUE(names.setExternal("example.com", {"93.184.216.34"}));
  EXPECT_THAT(names.blockOf("b"), HasSubstr("93.184.216.34 far.b"));
}

TEST(ServiceNames, EnvironmentIsThatOfKubernetes) {
  ServiceNames names;
  names.setService(
      "ns", "redis-primary",
      service("127.96.0.9", {{{"name", "redis"}, {"port", 6379}}, {{"name", "x-y"}, {"port", 1}, {"protocol", "UDP"}}}));
  names.setService("default", "kubernetes", service("127.96.0.1", {{{"name", "https"}, {"port", 443}}}));
  names.setService("ns", "db", service("None", {{{"port", 5}}}));
  const Environment env = names.environmentOf("ns", true);
  EXPECT_THAT(
      env, AllOf(Contains(Pair("REDIS_PRIMARY_SERVICE_HOST", "127.96.0.9")),
                 Contains(Pair("REDIS_PRIMARY_SERVICE_PORT", "6379")), Contains(Pair("REDIS_PRIMARY_SERVICE_PORT_X_Y", "1")),
                 Contains(Pair("REDIS_PRIMARY_PORT", "tcp://127.96.0.9:6379")),
                 Contains(Pair("REDIS_PRIMARY_PORT_6379_TCP_ADDR", "127.96.0.9")),
                 Contains(Pair("REDIS_PRIMARY_PORT_1_UDP_PROTO", "udp")),
                 Contains(Pair("KUBERNETES_SERVICE_HOST", "127.96.0.1"))));
  for (const auto& [name, value] : env) EXPECT_FALSE(name.starts_with("DB_")) << name;
  for (const auto& [name, value] : names.environmentOf("ns", false)) EXPECT_TRUE(name.starts_with("KUBERNETES_")) << name;
}

Json pod(Json spec) { return {{"metadata", {{"name", "p-0"}, {"namespace", "ns"}}}, {"spec", std::move(spec)}}; }

TEST(ServiceNames, TheHostsFileHasThePodItsAliasesAndTheMachinesOwnNames) {
  const std::string text =
      hostsFile(pod({{"subdomain", "db"}, {"hostAliases", Json::array({{{"ip", "1.2.3.4"}, {"hostnames", {"a", "b"}}}})}}),
                "127.20.0.2", "127.96.0.9 web\n", "127.0.0.1 localhost box\n# note\n10.0.0.1 minio # store\n9.9.9.9 p-0\n");
  EXPECT_THAT(
      text, HasSubstr("127.20.0.2 p-0.db.ns.svc.cluster.local p-0\n1.2.3.4 a b\n127.96.0.9 web\n10.0.0.1 minio # store\n"));
  EXPECT_THAT(text, AllOf(Not(HasSubstr("box")), Not(HasSubstr("9.9.9.9"))));
}

TEST(ServiceNames, HostnamesAndResolvers) {
  EXPECT_EQ(hostnameOf(pod(Json::object())), "p-0");
  EXPECT_EQ(hostnameOf(pod({{"hostname", "h"}, {"subdomain", "s"}, {"setHostnameAsFQDN", true}})),
            "h.s.ns.svc.cluster.local");
  EXPECT_EQ(hostnameOf(pod({{"hostname", std::string(62, 'a') + "-b"}})), std::string(62, 'a'));
  const std::string machine = "nameserver 10.0.0.53\nsearch home\noptions ndots:1 edns0\n";
  EXPECT_EQ(resolverFile(pod({{"dnsPolicy", "ClusterFirst"}}), machine), "");
  const Json config = {{"nameservers", {"1.1.1.1"}}, {"options", Json::array({{{"name", "ndots"}, {"value", "2"}}})}};
  EXPECT_EQ(resolverFile(pod({{"dnsConfig", config}}), machine),
            "search home\nnameserver 10.0.0.53\nnameserver 1.1.1.1\noptions edns0 ndots:2\n");
  EXPECT_EQ(resolverFile(pod({{"dnsPolicy", "None"}, {"dnsConfig", config}}), machine),
            "nameserver 1.1.1.1\noptions ndots:2\n");
}

}  // namespace
}  // namespace slipway::node
