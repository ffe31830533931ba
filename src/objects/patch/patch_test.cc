#include "objects/patch/patch.h"

#include <gtest/gtest.h>

#include "objects/patch/managed_fields.h"

namespace slipway {
namespace {

const Catalog& catalog() { return *Catalog::builtin(); }
const Resource& deployments() { return *catalog().find("apps", "v1", "deployments"); }
const Resource& configMaps() { return *catalog().find("", "v1", "configmaps"); }

Json json(const char* text) { return Json::parse(text); }

Json strategic(const Json& object, const Json& patch) {
  auto out = strategicMergePatch(catalog(), deployments(), object, patch);
  EXPECT_TRUE(out) << (out ? "" : out.error().message);
  return out ? *out : Json();
}

Json podSpec(const char* containers) { return {{"spec", {{"template", {{"spec", {{"containers", json(containers)}}}}}}}}; }

TEST(JsonPatch, DoesEveryOperation) {
  const Json object = json(R"({"a":{"b":1,"c":[1,2,3]},"x~y/z":0})");
  const Json patch = json(
      R"([{"op":"test","path":"/a/b","value":1},{"op":"add","path":"/a/c/1","value":9},{"op":"add","path":"/a/c/-","value":4},
    {"op":"remove","path":"/a/c/0"},{"op":"replace","path":"/x~0y~1z","value":7},{"op":"copy","from":"/a/b","path":"/d"},{"op":"move","from":"/a/b","path":"/e"}])");
  auto out = jsonPatch(object, patch);
  ASSERT_TRUE(out) << out.error().message;
  EXPECT_EQ(*out, json(R"({"a":{"c":[9,2,3,4]},"d":1,"e":1,"x~y/z":7})"));
}

TEST(JsonPatch, RefusesMissingPathsAsInvalid) {
  auto out = jsonPatch(json(R"({"data":{}})"), json(R"([{"op":"replace","path":"/data/x/y","value":"v6"}])"));
  ASSERT_FALSE(out);
  EXPECT_EQ(out.error().code, Code::Invalid);
  EXPECT_EQ(out.error().message,
            "the server rejected our request due to an error in our request: replace operation does not apply: "
            "doc is missing path: \"/data/x/y\"");
  EXPECT_FALSE(jsonPatch(json("{}"), json(R"([{"op":"test","path":"/a","value":1}])")));
  EXPECT_FALSE(jsonPatch(json(R"({"a":[1]})"), json(R"([{"op":"add","path":"/a/3","value":1}])")));
}

TEST(StrategicMerge, MergesListsByKeyAndKeepsTheRest) {
  const Json out =
      strategic(podSpec(R"([{"name":"a","image":"x:1","env":[{"name":"K","value":"1"}]},{"name":"b","image":"y"}])"),
                podSpec(R"([{"name":"a","image":"x:2","env":[{"name":"L","value":"2"}]}])"));
  EXPECT_EQ(
      out,
      podSpec(
          R"([{"name":"a","image":"x:2","env":[{"name":"K","value":"1"},{"name":"L","value":"2"}]},{"name":"b","image":"y"}])"));
}

TEST(StrategicMerge, FollowsDirectives) {
  const Json live = podSpec(R"([{"name":"a","image":"x"},{"name":"b","image":"y"},{"name":"c","image":"z"}])");
  EXPECT_EQ(strategic(live, podSpec(R"([{"name":"b","$patch":"delete"}])")),
            podSpec(R"([{"name":"a","image":"x"},{"name":"c","image":"z"}])"));
  EXPECT_EQ(strategic(live, podSpec(R"([{"$patch":"replace"},{"name":"d","image":"w"}])")),
            podSpec(R"([{"name":"d","image":"w"}])"));
  Json order = podSpec(R"([{"name":"d","image":"w"}])");
  order["spec"]["template"]["spec"]["$setElementOrder/containers"] = json(R"([{"name":"d"},{"name":"c"},{"name":"a"}])");
  const Json sorted = strategic(live, order);
  std::string names;
  for (const Json& c : sorted["spec"]["template"]["spec"]["containers"]) names += c["name"].get<std::string>();
  EXPECT_EQ(names, "dbca");
  const Json strategy = strategic(json(R"({"spec":{"strategy":{"type":"RollingUpdate","rollingUpdate":{"maxSurge":1}}}})"),
                                  json(R"({"spec":{"strategy":{"$retainKeys":["type"],"type":"Recreate"}}})"));
  EXPECT_EQ(strategy, json(R"({"spec":{"strategy":{"type":"Recreate"}}})"));
  const Json finalizers = strategic(json(R"({"metadata":{"finalizers":["a/a","b/b"]}})"),
                                    json(R"({"metadata":{"$deleteFromPrimitiveList/finalizers":["a/a"]}})"));
  EXPECT_EQ(finalizers, json(R"({"metadata":{"finalizers":["b/b"]}})"));
  EXPECT_EQ(strategic(json(R"({"spec":{"replicas":2,"paused":true}})"), json(R"({"spec":{"paused":null}})")),
            json(R"({"spec":{"replicas":2}})"));
}

TEST(StrategicMerge, RefusesItemsWithoutTheirKey) {
  EXPECT_FALSE(strategicMergePatch(catalog(), deployments(), podSpec("[]"), podSpec(R"([{"image":"x"}])")));
}

FieldManager manager(const char* name, bool force = false) { return {name, "", "v1", force, "2026-01-01T00:00:00Z"}; }

Json configMap(const char* data) {
  return {{"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"metadata", {{"name", "cm"}}}, {"data", json(data)}};
}

Json mustApply(const Resource& r, const Json& live, const Json& body, const FieldManager& m) {
  auto out = applyServerSide(catalog(), r, live, body, m);
  EXPECT_TRUE(out) << (out ? "" : out.error().message);
  if (out && !out->conflicts.empty()) ADD_FAILURE() << conflictError(out->conflicts).message;
  return out ? out->object : Json();
}

TEST(ServerSideApply, ConflictsOnOtherValuesAndSharesEqualOnes) {
  const Json live = mustApply(configMaps(), nullptr, configMap(R"({"k":"v1"})"), manager("kubectl"));
  auto out = applyServerSide(catalog(), configMaps(), live, configMap(R"({"k":"v2"})"), manager("other"));
  ASSERT_TRUE(out);
  ASSERT_EQ(out->conflicts.size(), 1U);
  const Error error = conflictError(out->conflicts);
  EXPECT_EQ(error.message, "Apply failed with 1 conflict: conflict with \"kubectl\": .data.k");
  EXPECT_EQ(Json::parse(error.detail)["details"]["causes"][0]["field"], ".data.k");
  const Json shared = mustApply(configMaps(), live, configMap(R"({"k":"v1","l":"2"})"), manager("other"));
  EXPECT_EQ(shared["metadata"]["managedFields"].size(), 2U);
  const Json forced = mustApply(configMaps(), live, configMap(R"({"k":"v2"})"), manager("other", true));
  EXPECT_EQ(forced["data"]["k"], "v2");
  EXPECT_EQ(forced["metadata"]["managedFields"].size(), 1U);
  EXPECT_EQ(forced["metadata"]["managedFields"][0]["manager"], "other");
}

TEST(ServerSideApply, RemovesWhatIsNoLongerSentUnlessSomeoneElseOwnsIt) {
  const Json live = mustApply(configMaps(), nullptr, configMap(R"({"a":"1","b":"2"})"), manager("kubectl"));
  const Json both = mustApply(configMaps(), live, configMap(R"({"b":"2"})"), manager("other"));
  const Json after = mustApply(configMaps(), both, configMap(R"({"c":"3"})"), manager("kubectl"));
  EXPECT_EQ(after["data"], json(R"({"b":"2","c":"3"})"));
}

TEST(ServerSideApply, KeepsTheObjectWhenNothingChanges) {
  const Json live = mustApply(configMaps(), nullptr, configMap(R"({"a":"1"})"), manager("kubectl"));
  FieldManager later = manager("kubectl");
  later.time = "2027-01-01T00:00:00Z";
  EXPECT_EQ(mustApply(configMaps(), live, configMap(R"({"a":"1"})"), later), live);
}

TEST(ServerSideApply, MergesContainersByNameAndKeepsDefaults) {
  Json body = podSpec(R"([{"name":"c","image":"x:1","ports":[{"containerPort":80}]}])");
  body["apiVersion"] = "apps/v1";
  body["kind"] = "Deployment";
  body["metadata"] = {{"name", "web"}};
  Json live = mustApply(deployments(), nullptr, body, manager("kubectl"));
  const Json& fields = live["metadata"]["managedFields"][0]["fieldsV1"];
  EXPECT_EQ(
      fields,
      json(R"J({"f:spec":{"f:template":{"f:spec":{"f:containers":{"k:{\"name\":\"c\"}":{".":{},"f:image":{},"f:name":{},
    "f:ports":{"k:{\"containerPort\":80,\"protocol\":\"TCP\"}":{".":{},"f:containerPort":{}}}}}}}}})J"));
  catalog().applyDefaults(deployments(), live);
  body["spec"]["template"]["spec"]["containers"][0]["image"] = "x:2";
  live = mustApply(deployments(), live, body, manager("kubectl"));
  const Json& c = live["spec"]["template"]["spec"]["containers"];
  ASSERT_EQ(c.size(), 1U);
  EXPECT_EQ(c[0]["image"], "x:2");
  EXPECT_EQ(c[0]["terminationMessagePolicy"], "File");
  body["spec"]["template"]["spec"]["containers"][0]["name"] = "d";
  live = mustApply(deployments(), live, body, manager("kubectl"));
  ASSERT_EQ(live["spec"]["template"]["spec"]["containers"].size(), 1U);
  EXPECT_EQ(live["spec"]["template"]["spec"]["containers"][0]["name"], "d");
}

TEST(TrackUpdate, OwnsWhatItChangesAndTakesItFromOthers) {
  Json created = trackUpdate(
      catalog(), configMaps(), nullptr,
      [] {
        Json cm = configMap(R"({"k":"v1"})");
        cm["metadata"]["labels"] = {{"a", "b"}};
        return cm;
      }(),
      manager("kubectl-replace"));
  EXPECT_EQ(created["metadata"]["managedFields"][0]["fieldsV1"],
            json(R"({"f:data":{".":{},"f:k":{}},"f:metadata":{"f:labels":{".":{},"f:a":{}}}})"));
  Json next = created;
  next["data"]["k"] = "v2";
  const Json updated = trackUpdate(catalog(), configMaps(), created, next, manager("editor"));
  ASSERT_EQ(updated["metadata"]["managedFields"].size(), 2U);
  EXPECT_EQ(updated["metadata"]["managedFields"][0]["manager"], "editor");
  EXPECT_EQ(updated["metadata"]["managedFields"][0]["fieldsV1"], json(R"({"f:data":{"f:k":{}}})"));
  auto conflict = applyServerSide(catalog(), configMaps(), updated, configMap(R"({"k":"v3"})"), manager("applier"));
  ASSERT_TRUE(conflict);
  EXPECT_EQ(conflictError(conflict->conflicts).message,
            "Apply failed with 1 conflict: conflict with \"editor\" using v1: .data.k");
}

TEST(TrackUpdate, ForgetsFieldsThatAreGone) {
  const Json live = mustApply(configMaps(), nullptr, configMap(R"({"a":"1"})"), manager("kubectl"));
  Json next = live;
  next["data"] = Json::object();
  const Json emptied = trackUpdate(catalog(), configMaps(), live, next, manager("editor"));
  EXPECT_TRUE(at(emptied, "metadata", "managedFields").is_null()) << emptied;  // nobody owns anything any more
}

TEST(TrackUpdate, LeavesManagedFieldsAloneWhenOnlyTheyChange) {
  const Json live =
      trackUpdate(catalog(), configMaps(), nullptr, configMap(R"({"k":"v1"})"), manager("kubectl-client-side-apply"));
  Json next = live;
  next["metadata"]["managedFields"][0]["manager"] = "kubectl";
  next["metadata"]["managedFields"][0]["operation"] = "Apply";
  EXPECT_EQ(trackUpdate(catalog(), configMaps(), live, next, manager("kubectl")), next);
}

TEST(TrackUpdate, KeepsABoundedNumberOfEntries) {
  Json live = trackUpdate(catalog(), configMaps(), nullptr, configMap(R"({"first":"1"})"), manager("creator"));
  for (int i = 0; i < 30; ++i) {
    Json next = live;
    next["data"]["k" + std::to_string(i)] = "v";
    FieldManager m = manager("x");
    m.name = "m" + std::to_string(i);
    m.time = fmt::format("2026-01-01T00:00:{:02}Z", i);
    live = trackUpdate(catalog(), configMaps(), live, next, m);
  }
  EXPECT_LE(live["metadata"]["managedFields"].size(), 11U);
  EXPECT_EQ(live["metadata"]["managedFields"][0]["manager"], "ancient-changes");
}

}  // namespace
}  // namespace slipway
