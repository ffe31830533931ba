#include "controllers/serving/go_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace slipway::isvc {
namespace {

using ::testing::HasSubstr;

Json dot() {
  return Json::parse(
      R"({"Name": "iris", "Namespace": "models", "Labels": {"team": "x"}, "Annotations": {"my.org/a": "1"}})");
}

std::string expanded(const char* text) {
  Result<std::string> out = expandTemplate(text, dot());
  return out ? *out : "error: " + out.error().message;
}

TEST(GoTemplate, ReadsFieldsMapsAndQuotedKeys) {
  EXPECT_EQ(expanded("--n={{.Name}}.{{ .Namespace }}"), "--n=iris.models");
  EXPECT_EQ(expanded("{{.Labels.team}}"), "x");
  EXPECT_EQ(expanded("{{index .Annotations \"my.org/a\"}}"), "1");
  EXPECT_EQ(expanded("{{ .Annotations | printf \"%v\" }}"), "{\"my.org/a\":\"1\"}");
  EXPECT_EQ(expanded("{{ .Name | printf \"<%s>\" }}"), "<iris>");
  EXPECT_EQ(expanded("a {{- .Name -}} b"), "airisb");
  EXPECT_EQ(expanded("{{/* nothing */}}x"), "x");
}

TEST(GoTemplate, AMissingMapEntryIsNothingAndAMissingFieldIsAnError) {
  EXPECT_EQ(expanded("[{{.Labels.nope}}]"), "[]");
  EXPECT_THAT(expanded("{{.Nope}}"), HasSubstr("no field Nope (known: Annotations, Labels, Name, Namespace)"));
}

TEST(GoTemplate, RefusesWhatItDoesNotKnowByName) {
  EXPECT_THAT(expanded("{{if .Name}}x{{end}}"), HasSubstr("{{if .Name}}: 'if' is not supported"));
  EXPECT_THAT(expanded("{{.Name"), HasSubstr("closing }} is missing"));
  EXPECT_THAT(expanded("{{}}"), HasSubstr("a value is missing"));
  EXPECT_THAT(expanded("{{\"open}}"), HasSubstr("error"));
}

TEST(GoTemplate, ExpandsEveryTextOfAValue) {
  Result<Json> out =
      expandAll(Json::parse(R"({"args": ["--n={{.Name}}", 7], "env": [{"value": "{{.Labels.team}}"}]})"), dot());
  ASSERT_TRUE(out);
  EXPECT_EQ(*out, Json::parse(R"({"args": ["--n=iris", 7], "env": [{"value": "x"}]})"));
}

}  // namespace
}  // namespace slipway::isvc
