#include "apiserver/selectors.h"

#include <gtest/gtest.h>

namespace slipway::apiserver {
namespace {

bool matches(const std::string& labels, const std::string& fields = "", const std::string& resource = "pods") {
  auto s = Selector::parse(resource, labels, fields);
  EXPECT_TRUE(s) << s.error().message;
  Json object{{"metadata", {{"name", "web"}, {"namespace", "d"}, {"labels", {{"app", "web"}, {"tier", "a"}, {"n", "5"}}}}},
              {"status", {{"phase", "Running"}}}};
  return s && s->matches(*makeEntry(resource, object, 1));
}

TEST(SelectorTest, EveryOperatorOfLabelSelectors) {
  EXPECT_TRUE(matches(""));
  EXPECT_TRUE(matches("app=web"));
  EXPECT_TRUE(matches("app==web,tier in (a,b)"));
  EXPECT_TRUE(matches("app, !gone"));
  EXPECT_TRUE(matches("tier notin (b, c)"));
  EXPECT_TRUE(matches("other!=x"));
  EXPECT_TRUE(matches("n>4,n<6"));
  EXPECT_FALSE(matches("app!=web"));
  EXPECT_FALSE(matches("!app"));
  EXPECT_FALSE(matches("gone"));
  EXPECT_FALSE(matches("tier in ()"));
}

TEST(SelectorTest, FieldSelectorsTestEmptyValuesToo) {
  EXPECT_TRUE(matches("", "metadata.name=web,status.phase!=Failed"));
  EXPECT_TRUE(matches("", "spec.nodeName="));
  EXPECT_FALSE(matches("", "metadata.namespace=other"));
}

TEST(SelectorTest, MistakesAreNamed) {
  EXPECT_EQ(Selector::parse("pods", "", "spec.foo=p1").error().message, "field label not supported: spec.foo");
  EXPECT_EQ(Selector::parse("pods", "a=b=c", "").error().message, "found '=', expected: ',' or 'end of string'");
  for (const char* bad : {"a in", "a in (", "(", "a=b,", "=x", "a ~ b", "!"})
    EXPECT_FALSE(Selector::parse("pods", bad, "")) << bad;
}

}  // namespace
}  // namespace slipway::apiserver
