#include "data/json_text.h"

#include <gtest/gtest.h>

#include <random>

#include "data/json.h"

namespace slipway {
namespace {

TEST(JsonText, FindsAMemberAsItStands) {
  const char* text = R"({"a":"x\"}","b":{"a":[1,{"c":"]"}],"d":null},"c":-1.5e3,"e":[],"f":true})";
  EXPECT_EQ(memberText(text, "a"), R"("x\"}")");
  EXPECT_EQ(memberText(text, "b"), R"({"a":[1,{"c":"]"}],"d":null})");
  EXPECT_EQ(memberText(text, "c"), "-1.5e3");
  EXPECT_EQ(memberText(text, "e"), "[]");
  EXPECT_EQ(memberText(text, "f"), "true");
  EXPECT_EQ(memberText(text, "d"), "") << "a member of a member";
  EXPECT_EQ(memberText(memberText(text, "b"), "d"), "null");
}

TEST(JsonText, LeavesAMemberOut) {
  EXPECT_EQ(withoutMember(R"({"a":1,"b":2,"c":3})", "a"), R"({"b":2,"c":3})");
  EXPECT_EQ(withoutMember(R"({"a":1,"b":2,"c":3})", "b"), R"({"a":1,"c":3})");
  EXPECT_EQ(withoutMember(R"({"a":1,"b":2,"c":3})", "c"), R"({"a":1,"b":2})");
  EXPECT_EQ(withoutMember(R"({"a":1})", "a"), "{}");
  EXPECT_EQ(withoutMember(R"({"a":1})", "b"), R"({"a":1})");
}

TEST(JsonText, ParsesAsTheCarefulParserDoes) {
  for (const char* text :
       {R"({"b":1,"a":[-1,0,18446744073709551615,9223372036854775808,1.5,1e3,-0.0,123456789012345678901234567890],"a":2})",
        R"("\u00e9\n\ud83d\ude00")", "null", "true", "[]", "{}", "-9223372036854775808"}) {
    const Json expected = Json::parse(text), got = parseOwnJson(text);
    EXPECT_EQ(got, expected) << text;
    EXPECT_EQ(got.dump(), expected.dump()) << text;
    EXPECT_EQ(got.type(), expected.type()) << text;
  }
  EXPECT_EQ(parseOwnJson("[7]")[0].type(), Json::parse("[7]")[0].type());
  EXPECT_TRUE(parseOwnJson("{").is_discarded());
  EXPECT_TRUE(parseOwnJson("").is_discarded());
  const std::string large = dumpJson(Json(std::vector<std::string>(3, std::string(1 << 20, 'x'))));
  EXPECT_EQ(parseOwnJson(large), Json::parse(large));
}

TEST(JsonText, StaysInBoundsOnWhatIsNoJson) {
  for (const char* text : {"", "{", "{\"", "{\"a", "{\"a\"", "{\"a\":", "{\"a\":{", "{\"a\":[", "{\"a\":\"\\", "[1]",
                           "{\"b\":1,", "{\"b\":1,}", "x"})
    EXPECT_EQ(memberText(text, "a"), "") << text;
}

Json randomValue(std::mt19937& random, int depth) {
  switch (random() % (depth > 3 ? 4U : 6U)) {
    case 0: return nullptr;
    case 1: return static_cast<int>(random() % 1000) - 500;
    case 2: return random() % 2 == 0;
    case 3: {
      std::string text;
      for (unsigned i = random() % 8; i > 0; --i) text += "a\"\\{}[],:\n\xc3\xa9"[random() % 12];
      return Json::parse(dumpJson(text));  // what is not UTF-8 is replaced
    }
    case 4: {
      Json list = Json::array();
      for (unsigned i = random() % 4; i > 0; --i) list.push_back(randomValue(random, depth + 1));
      return list;
    }
    default: {
      Json object = Json::object();
      for (unsigned i = random() % 4; i > 0; --i)
        object[std::string(1, static_cast<char>('a' + random() % 5))] = randomValue(random, depth + 1);
      return object;
    }
  }
}

TEST(JsonText, AgreesWithTheParserOnRandomObjects) {
  std::mt19937 random(7);
  for (int i = 0; i < 5000; ++i) {
    Json object = randomValue(random, 0);
    if (!object.is_object()) continue;
    const std::string text = random() % 2 == 0 ? dumpJson(object) : object.dump(2);
    for (const char* key : {"a", "b", "c", "z"}) {
      const auto found = memberText(text, key);
      ASSERT_EQ(!found.empty(), object.contains(key)) << text;
      if (!found.empty()) {
        ASSERT_EQ(Json::parse(found), object[key]) << text;
      }
      ASSERT_EQ(parseOwnJson(text), object) << text;
      Json less = object;
      less.erase(key);
      ASSERT_EQ(Json::parse(withoutMember(text, key)), less) << text << " without " << key;
    }
  }
}

TEST(JsonText, OnlyWhatIsWantedIsParsed) {
  const auto wants = [](std::string_view of, std::string_view key) {
    return of.empty() ? key != "kind" : of != "metadata" || key == "name";
  };
  const std::string text =
      R"({"data":{"a":{"name":1}},"kind":"K","metadata":{"managedFields":[1],"name":"x"},"n":[{"kind":2}]})";
  EXPECT_EQ(parseOwnJsonPart(text, wants),
            Json::parse(R"({"data":{"a":{"name":1}},"metadata":{"name":"x"},"n":[{"kind":2}]})"));
  EXPECT_EQ(parseOwnJsonPart("[1]", wants), Json::array({1}));
  EXPECT_TRUE(parseOwnJsonPart("{", wants).is_discarded());
}

}  // namespace
}  // namespace slipway
