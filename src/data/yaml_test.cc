#include "data/yaml.h"

#include <gtest/gtest.h>

namespace slipway {
namespace {

Json yaml(std::string_view text) {
  auto out = parseYaml(text);
  EXPECT_TRUE(out) << (out ? "" : out.error().message);
  return out ? *out : Json("error");
}

std::string why(std::string_view text) {
  auto out = parseYamlDocuments(text);
  return out ? "no error" : out.error().message;
}

TEST(Yaml, TypesScalarsAsKubernetesDoes) {
  EXPECT_EQ(yaml("a: yes\nb: 'yes'\nc: on\nd: No\ne: ~\nf:\ng: null\n"),
            Json::parse(R"({"a":true,"b":"yes","c":true,"d":false,"e":null,"f":null,"g":null})"));
  EXPECT_EQ(yaml("[0755, 0o17, 0x1F, 0b11, 1_000, -5, +5, 08, 12e3, 1., .5, 1e400x, 12:30:45, 2001-12-14]"),
            Json::parse(R"([493, 15, 31, 3, 1000, -5, 5, 8.0, 12000.0, 1.0, 0.5, "1e400x", "12:30:45", "2001-12-14"])"));
  EXPECT_EQ(yaml("[9223372036854775807, 18446744073709551615, 1.5, 500m, 1Gi, v1.0, !!str 5]"),
            Json::parse(R"([9223372036854775807, 18446744073709551615, 1.5, "500m", "1Gi", "v1.0", "5"])"));
  EXPECT_EQ(yaml("1: a\ntrue: b\n"), Json::parse(R"({"1":"a","true":"b"})"));
}

TEST(Yaml, ReadsBlocksAnchorsAndMerges) {
  EXPECT_EQ(yaml("a: |\n  x\n  y\nb: >-\n  x\n  y\n"), Json::parse(R"({"a":"x\ny\n","b":"x y"})"));
  EXPECT_EQ(yaml("base: &b {x: 1, z: 2}\nuse:\n  <<: *b\n  z: 3\n"),
            Json::parse(R"({"base":{"x":1,"z":2},"use":{"x":1,"z":3}})"));
}

TEST(Yaml, SplitsDocumentsAndSkipsEmptyOnes) {
  auto docs = parseYamlDocuments("---\na: 1\n---\n# nothing\n---\nb: 2\n...\n");
  ASSERT_TRUE(docs);
  ASSERT_EQ(docs->size(), 2U);
  EXPECT_EQ((*docs)[1], Json::parse(R"({"b":2})"));
  EXPECT_FALSE(parseYaml("a: 1\n---\nb: 2\n"));
}

TEST(Yaml, SaysWhereItIsWrong) {
  EXPECT_EQ(why("a: 1\nb: [1, 2\n"), "line 3, column 1: end of sequence flow not found");
  EXPECT_EQ(why("a: 1\na: 2\n"), "line 2, column 4: key \"a\" already set in map");
  EXPECT_EQ(why("a: .inf\n"), "line 1, column 4: .inf cannot be written as JSON");
  EXPECT_NE(why("a: b: c"), "no error");
}

TEST(Yaml, BoundsHostileText) {
  std::string bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n";
  for (char c = 'b'; c <= 'j'; ++c)
    bomb += fmt::format("{0}: &{0} [*{1},*{1},*{1},*{1},*{1},*{1},*{1},*{1},*{1},*{1}]\n", c, static_cast<char>(c - 1));
  EXPECT_NE(why(bomb).find("after aliases are expanded"), std::string::npos);
  EXPECT_NE(why(std::string(100000, '[')), "no error");
  EXPECT_NE(why(std::string(400, '[') + std::string(400, ']')), "no error");
  std::string dashes;
  for (int i = 0; i < 100000; ++i) dashes += "- ";
  EXPECT_NE(why(dashes), "no error");
  YamlLimits small;
  small.bytes = 10;
  EXPECT_EQ(parseYaml("aaaaaaaaaaaaaaaaaaaaa", small).error().code, Code::TooLarge);
}

TEST(Yaml, WritesWhatItReadsBack) {
  const Json value = Json::parse(
      R"({"a":"yes","b":["1",2,"x: y",""],"c":{"d":"l1\nl2\n","e":"l1\n\nl3","f":[]},"g":[[1,2],[{"k":null}],{}],"h":" lead","i":"- x","j":"a#b","k":1.5,
    "l":"tab\there","m":"http://x/y","n":{"o":{"p":true}},"~":"null","q":"\n","r":"\u00fc \u4e2d","s":"a\n\n\n"})");
  EXPECT_EQ(yaml(dumpYaml(value)), value) << dumpYaml(value);
  EXPECT_EQ(dumpYaml(Json::parse(R"({"a":{"b":["x",{"c":1,"d":2}]}})")), "a:\n  b:\n  - x\n  - c: 1\n    d: 2\n");
}

}  // namespace
}  // namespace slipway
