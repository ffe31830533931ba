#include "apiserver/http/protobuf.h"

#include <gtest/gtest.h>

namespace slipway::apiserver {
namespace {

std::string varint(std::uint64_t v) {
  std::string out;
  for (; v >= 0x80; v >>= 7) out += static_cast<char>(v | 0x80);
  return out + static_cast<char>(v);
}
std::string bytes(int number, const std::string& value) { return varint(number << 3 | 2) + varint(value.size()) + value; }
std::string number(int field, std::uint64_t value) { return varint(field << 3) + varint(value); }
std::string envelope(const std::string& apiVersion, const std::string& kind, const std::string& raw) {
  return std::string("k8s\0", 4) + bytes(1, bytes(1, apiVersion) + bytes(2, kind)) + bytes(2, raw) + bytes(3, "") +
         bytes(4, "");
}

TEST(ProtobufTest, ASecretAsKubectlSendsIt) {
  const std::string meta =
      bytes(1, "sec") + bytes(2, "") + bytes(3, "default") + bytes(8, "") + bytes(11, bytes(1, "a") + bytes(2, "b"));
  auto object = decodeProtobuf(
      envelope("v1", "Secret", bytes(1, meta) + bytes(2, bytes(1, "p") + bytes(2, "q")) + bytes(3, "Opaque")));
  ASSERT_TRUE(object) << object.error().message;
  EXPECT_EQ(*object, Json::parse(R"({"apiVersion":"v1","kind":"Secret","type":"Opaque","data":{"p":"cQ=="},
                                     "metadata":{"name":"sec","namespace":"default","labels":{"a":"b"}}})"));
}

TEST(ProtobufTest, InlineStructsQuantitiesAndIntOrString) {
  const std::string container =
      bytes(1, "c") + bytes(2, "nginx") + bytes(8, bytes(1, bytes(1, "cpu") + bytes(2, bytes(1, "200m")))) +
      bytes(11, bytes(1, bytes(2, bytes(1, "/") + bytes(2, number(1, 0) + number(2, 80) + bytes(3, ""))))) + number(16, 0);
  const std::string volume = bytes(1, "v") + bytes(2, bytes(19, bytes(1, bytes(1, "cm"))));
  auto object = decodeProtobuf(envelope("v1", "Pod", bytes(2, bytes(1, volume) + bytes(2, container))));
  ASSERT_TRUE(object) << object.error().message;
  EXPECT_EQ((*object)["spec"], Json::parse(R"({"volumes":[{"name":"v","configMap":{"name":"cm"}}],
      "containers":[{"name":"c","image":"nginx","resources":{"limits":{"cpu":"200m"}},"readinessProbe":{"httpGet":{"path":"/","port":80}}}]})"));
}

TEST(ProtobufTest, PointersKeepTheirZeroAndPlainFieldsDropTheirs) {
  auto object = decodeProtobuf(envelope("apps/v1", "Deployment", bytes(2, number(1, 0) + number(5, 0))));
  ASSERT_TRUE(object);
  EXPECT_EQ((*object)["spec"], Json({{"replicas", 0}}));
}

TEST(ProtobufTest, UnknownFieldsAreRefusedByNameUnlessTheyAreEmpty) {
  EXPECT_TRUE(decodeProtobuf(envelope("v1", "ConfigMap", bytes(99, ""))));
  auto refused = decodeProtobuf(envelope("v1", "ConfigMap", bytes(99, "x")));
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("field 99 of ConfigMap"), std::string::npos);
  EXPECT_EQ(decodeProtobuf(envelope("serving.knative.dev/v1", "Service", "")).error().code, Code::UnsupportedMedia);
}

TEST(ProtobufTest, MalformedBytesAreAnErrorNotACrash) {
  const std::string good = envelope("v1", "Secret", bytes(1, bytes(1, "sec")));
  for (std::size_t n = 0; n < good.size(); ++n) (void)decodeProtobuf(good.substr(0, n));
  EXPECT_FALSE(decodeProtobuf(""));
  EXPECT_FALSE(decodeProtobuf("k8s"));
  EXPECT_FALSE(decodeProtobuf(envelope("v1", "Secret", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")));
  EXPECT_FALSE(decodeProtobuf(envelope("v1", "Secret", std::string("\x0a\x7f", 2))));
}

TEST(ProtobufTest, WhatIsEncodedDecodesToTheSameObject) {
  const Json pod = Json::parse(R"({"apiVersion":"v1","kind":"Pod",
    "metadata":{"name":"p","namespace":"d","uid":"1","creationTimestamp":"2026-11-24T10:00:00Z","labels":{"a":"b","c":"\u00fc"},
      "managedFields":[{"manager":"m","operation":"Update","apiVersion":"v1","fieldsType":"FieldsV1","fieldsV1":{"f:spec":{}}}]},
    "spec":{"terminationGracePeriodSeconds":0,"volumes":[{"name":"v","configMap":{"name":"m","optional":false}}],
      "containers":[{"name":"c","image":"i","resources":{"limits":{"cpu":"200m"}},
        "livenessProbe":{"httpGet":{"path":"/","port":80},"initialDelaySeconds":5},"securityContext":{"runAsUser":0}}]},
    "status":{"phase":"Running","podIP":"127.0.0.2","podIPs":[{"ip":"127.0.0.2"}],
      "conditions":[{"type":"Ready","status":"True","lastTransitionTime":"2026-11-24T10:00:00Z"}],
      "containerStatuses":[{"name":"c","ready":true,"restartCount":3,"started":true,"image":"i","imageID":"x",
        "state":{"running":{"startedAt":"2026-11-24T10:00:01Z"}}}]}})");
  auto encoded = encodeProtobuf(pod);
  ASSERT_TRUE(encoded) << encoded.error().message;
  auto decoded = decodeProtobuf(*encoded);
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(*decoded, pod) << decoded->dump(1);
}

TEST(ProtobufTest, ListsThatAreMessagesOnTheWire) {
  Json review = Json::parse(R"({"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview","status":{"userInfo":
    {"username":"u","extra":{"scopes":["a","b"],"none":[]}}}})");
  const auto encoded = encodeProtobuf(review);
  ASSERT_TRUE(encoded) << encoded.error().message;
  EXPECT_NE(encoded->find(std::string("scopes\x12\x06\x0a\x01"
                                      "a\x0a\x01"
                                      "b",
                                      14)),
            std::string::npos);
  const auto decoded = decodeProtobuf(*encoded);
  ASSERT_TRUE(decoded) << decoded.error().message;
  review["metadata"] = at(*decoded, "metadata");
  EXPECT_EQ(at(*decoded, "status"), review["status"]);
  review["status"]["userInfo"]["extra"]["scopes"] = "a";
  EXPECT_FALSE(encodeProtobuf(review));
}

TEST(ProtobufTest, WhatTheTablesCannotSayIsRefusedNotDropped) {
  auto refused =
      encodeProtobuf({{"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"metadata", {{"name", "x"}}}, {"strange", 1}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "field strange of ConfigMap is not known in protobuf; ask for application/json");
  EXPECT_EQ(Json::parse(refused.error().detail)["code"], 406);
  EXPECT_FALSE(encodeProtobuf({{"apiVersion", "serving.kserve.io/v1beta1"}, {"kind", "InferenceService"}}));
  EXPECT_FALSE(protobufKnows("serving.knative.dev/v1", "Service"));
  EXPECT_TRUE(protobufKnows("apps/v1", "Deployment"));
  EXPECT_TRUE(protobufKnows("rbac.authorization.k8s.io/v1", "ClusterRoleList"));
}

TEST(ProtobufTest, AWatchEventIsFramedByItsLength) {
  const auto frame = encodeWatchEvent("ADDED", {{"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"metadata", {{"name", "x"}}}});
  ASSERT_TRUE(frame);
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>((*frame)[i]); };
  EXPECT_EQ((byte(0) << 24 | byte(1) << 16 | byte(2) << 8 | byte(3)) + 4u, frame->size());
  EXPECT_EQ(frame->substr(4, 7), bytes(1, "ADDED"));
}

}  // namespace
}  // namespace slipway::apiserver
