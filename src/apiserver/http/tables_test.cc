#include "apiserver/http/tables.h"

#include <gtest/gtest.h>

namespace slipway::apiserver {
namespace {

const char* kPod =
    R"({"apiVersion":"v1","kind":"Pod","metadata":{"creationTimestamp":"2026-01-01T00:00:00Z","labels":{"a":"\"}{"},"managedFields":[{"fieldsV1":{"f:spec":{}},"manager":"m"}],"name":"web","namespace":"n"},"spec":{"containers":[{"image":"i","name":"c"}],"nodeName":"vm"},"status":{"phase":"Running"}})";
const char* kConfigMap =
    R"({"apiVersion":"v1","data":{"a":"1","b":"2"},"kind":"ConfigMap","metadata":{"creationTimestamp":"2026-01-01T00:00:00Z","name":"settings"}})";
const char* kService =
    R"({"apiVersion":"serving.kserve.io/v1beta1","kind":"InferenceService","metadata":{"creationTimestamp":"2026-01-01T00:00:00Z","managedFields":[],"name":"iris","namespace":"n"},"status":{"conditions":[{"status":"True","type":"Ready"}],"url":"http://x"}})";

TEST(Tables, TheTextOfAListSaysWhatItsTableSays) {
  const struct {
    const char *group, *kind, *text;
  } cases[] = {{"", "Pod", kPod}, {"", "ConfigMap", kConfigMap}, {"serving.kserve.io", "InferenceService", kService}};
  const auto catalog = Catalog::builtin();
  for (const auto& c : cases) {
    const Resource* resource = catalog->findKind(c.group[0] == '\0' ? "v1" : "serving.kserve.io/v1beta1", c.kind);
    ASSERT_NE(resource, nullptr) << c.kind;
    for (const char* include : {"", "Object", "None"}) {
      const TableRequest request{resource, "v1", include, WallTime(std::chrono::seconds(1'800'000'000))};
      const Json meta{{"resourceVersion", "7"}};
      const Json object = Json::parse(c.text);
      EXPECT_EQ(Json::parse(tableText(request, {c.text, c.text}, meta)), tableOf(request, {object, object}, meta))
          << c.kind << include;
      EXPECT_EQ(Json::parse(tableText(request, {}, meta)), tableOf(request, {}, meta));
    }
  }
}

}  // namespace
}  // namespace slipway::apiserver
