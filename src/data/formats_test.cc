#include <gtest/gtest.h>

#include "data/base64.h"
#include "data/gzip.h"
#include "data/json_path.h"
#include "data/json_pointer.h"
#include "data/quantity.h"
#include "data/selectors.h"

namespace slipway {
namespace {

std::string canonical(std::string_view text) {
  auto q = parseQuantity(text);
  return q ? q->canonical() : q.error().message;
}

TEST(Quantity, WritesTheCanonicalForm) {
  EXPECT_EQ(canonical("1000m"), "1");
  EXPECT_EQ(canonical("0.5"), "500m");
  EXPECT_EQ(canonical("1.5Gi"), "1536Mi");
  EXPECT_EQ(canonical("1024Mi"), "1Gi");
  EXPECT_EQ(canonical("512"), "512");
  EXPECT_EQ(canonical("1000Mi"), "1000Mi");
  EXPECT_EQ(canonical("1000"), "1k");
  EXPECT_EQ(canonical("1e3"), "1e3");
  EXPECT_EQ(canonical("-250m"), "-250m");
  EXPECT_EQ(canonical("0"), "0");
  EXPECT_EQ(canonical("+2"), "2");
  EXPECT_EQ(canonical("100n"), "100n");
  EXPECT_EQ(canonical("0.1n"), "1n");  // rounded up
}

TEST(Quantity, ComparesByValue) {
  EXPECT_EQ(*parseQuantity("1Gi"), *parseQuantity("1024Mi"));
  EXPECT_LT(*parseQuantity("999m"), *parseQuantity("1"));
  EXPECT_EQ(parseQuantity("1.5Gi")->value(), 1610612736);
  EXPECT_EQ(parseQuantity("100m")->milliValue(), 100);
  EXPECT_EQ(parseQuantity("100m")->value(), 1);
  EXPECT_TRUE(sameQuantity(Json(2), Json("2000m")));
  EXPECT_EQ(parseQuantity("9e30")->value(), INT64_MAX);
}

TEST(Quantity, RefusesTheRestInKubernetesWords) {
  for (const char* bad : {"", "abc", "1.2.3", "1x", "1Gib", ".", "--1", "1e", "1e99999"})
    EXPECT_FALSE(parseQuantity(bad)) << bad;
  EXPECT_EQ(canonical("x"), "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
  EXPECT_EQ(canonical("1KK"), "unable to parse quantity's suffix");
}

bool matches(std::string_view selector, const Json& labels) {
  auto s = LabelSelector::parse(selector);
  EXPECT_TRUE(s) << (s ? "" : s.error().message);
  return s && s->matches(labels);
}

TEST(LabelSelector, UnderstandsEveryOperator) {
  const Json labels = {{"app", "web"}, {"tier", "front"}, {"n", "5"}, {"empty", ""}};
  EXPECT_TRUE(matches("", labels));
  EXPECT_TRUE(matches("app=web,tier==front", labels));
  EXPECT_FALSE(matches("app!=web", labels));
  EXPECT_TRUE(matches("missing!=x", labels));
  EXPECT_TRUE(matches("app in (web, api) , !gone", labels));
  EXPECT_TRUE(matches("app notin (api)", labels));
  EXPECT_TRUE(matches("gone notin (api)", labels));
  EXPECT_TRUE(matches("n>4,n<6", labels));
  EXPECT_TRUE(matches("empty=", labels));
  EXPECT_TRUE(matches("empty in ()", labels));
  EXPECT_FALSE(matches("app", nullptr));
  for (const char* bad : {"a in", "a in (", "=x", "a=b=c", "a in b", "!", "a,,b", "a>x", "a b"})
    EXPECT_FALSE(LabelSelector::parse(bad)) << bad;
}

TEST(LabelSelector, MatchesSelectorObjects) {
  const Json selector = Json::parse(
      R"({"matchLabels":{"a":"1"},"matchExpressions":[{"key":"b","operator":"In","values":["x","y"]},{"key":"c","operator":"DoesNotExist"}]})");
  EXPECT_TRUE(labelSelectorMatches(selector, {{"a", "1"}, {"b", "y"}}));
  EXPECT_FALSE(labelSelectorMatches(selector, {{"a", "1"}, {"b", "z"}}));
  EXPECT_FALSE(labelSelectorMatches(selector, {{"a", "1"}, {"b", "x"}, {"c", ""}}));
  EXPECT_TRUE(labelSelectorMatches(Json::object(), nullptr));
}

TEST(FieldSelector, ComparesDottedPathsAndEmptyValues) {
  const Json pod = Json::parse(R"({"metadata":{"name":"p"},"spec":{"nodeName":""},"status":{"phase":"Running"}})");
  EXPECT_TRUE(FieldSelector::parse("metadata.name=p,status.phase!=Failed")->matches(pod));
  EXPECT_TRUE(FieldSelector::parse("spec.nodeName=")->matches(pod));
  EXPECT_FALSE(FieldSelector::parse("status.phase==Pending")->matches(pod));
  EXPECT_EQ(FieldSelector::parse("a!=b")->terms()[0].field, "a");
  EXPECT_EQ(FieldSelector::parse("nope").error().message, "invalid selector: 'nope'; can't understand 'nope'");
}

TEST(Base64, RoundTripsAndRefusesDamage) {
  for (const char* text : {"", "f", "fo", "foo", "foob", "fooba", "foobar"})
    EXPECT_EQ(*base64Decode(base64Encode(text)), text);
  EXPECT_EQ(base64Encode("foob"), "Zm9vYg==");
  EXPECT_EQ(*base64Decode("Zm9v\nYg==\n"), "foob");
  EXPECT_EQ(base64Decode("Zm9!").error().message, "illegal base64 data at input byte 3");
  for (const char* bad : {"Z", "Zg", "Zg=", "=", "Zg==Zg==", "Zm9v="}) EXPECT_FALSE(base64Decode(bad)) << bad;
}

TEST(Gzip, RoundTripsWithinALimit) {
  const std::string text(100000, 'a');
  EXPECT_EQ(*gunzip(gzip(text), text.size()), text);
  EXPECT_EQ(gunzip(gzip(text), text.size() - 1).error().code, Code::TooLarge);
  EXPECT_FALSE(gunzip("not gzip", 100));
  EXPECT_FALSE(gunzip(gzip(text).substr(0, 40), text.size()));
}

std::string pathValues(std::string_view path, const Json& root) {
  auto compiled = JsonPath::compile(path);
  if (!compiled) return compiled.error().message;
  std::string out;
  for (const Json* value : compiled->find(root)) out += (out.empty() ? "" : " ") + dumpJson(*value);
  return out;
}

TEST(JsonPath, ReadsWhatPrinterColumnsUse) {
  const Json root = Json::parse(R"({"metadata":{"labels":{"serving.knative.dev/configuration":"c"}},
    "status":{"conditions":[{"type":"A","status":"False"},{"type":"Ready","status":"True","n":3}],"traffic":[{"latestRevision":true,"percent":90},{"tag":"prev","percent":10}]}})");
  EXPECT_EQ(pathValues(".status.conditions[?(@.type=='Ready')].status", root), "\"True\"");
  EXPECT_EQ(pathValues("{.status.conditions[?(@.type==\"Ready\")].status}", root), "\"True\"");
  EXPECT_EQ(pathValues(".status.traffic[?(@.latestRevision==true)].percent", root), "90");
  EXPECT_EQ(pathValues(".status.conditions[?(@.n>2)].type", root), "\"Ready\"");
  EXPECT_EQ(pathValues(".status.conditions[?(@.n)].type", root), "\"Ready\"");
  EXPECT_EQ(pathValues(".metadata.labels['serving\\.knative\\.dev/configuration']", root), "\"c\"");
  EXPECT_EQ(pathValues(".metadata.labels.serving\\.knative\\.dev/configuration", root), "\"c\"");
  EXPECT_EQ(pathValues("$.status.conditions[*].type", root), "\"A\" \"Ready\"");
  EXPECT_EQ(pathValues(".status.conditions[-1].type", root), "\"Ready\"");
  EXPECT_EQ(pathValues(".status.conditions[0:1].type", root), "\"A\"");
  EXPECT_EQ(pathValues("..percent", root), "90 10");
  EXPECT_EQ(pathValues(".nope.more[3]", root), "");
  for (const char* bad : {".a[", ".a[?(@.b=='c']", ".", ".a['b]", ".a[x]", ".a[?(@.b==c)]"})
    EXPECT_FALSE(JsonPath::compile(bad)) << bad;
}

TEST(JsonPointer, EscapesAndFinds) {
  const Json root = Json::parse(R"({"a/b":{"~":[10,20]}})");
  EXPECT_EQ(*pointerFind(root, *pointerSteps("/a~1b/~0/1")), 20);
  EXPECT_EQ(pointerFind(root, *pointerSteps("/a~1b/~0/01")), nullptr);
  EXPECT_EQ(pointerFind(root, *pointerSteps("/x")), nullptr);
  EXPECT_EQ(pointerEscape("a/b~"), "a~1b~0");
  EXPECT_FALSE(pointerSteps("x"));
}

}  // namespace
}  // namespace slipway
