#include <gtest/gtest.h>

#include "apiserver/testing/test_api.h"

namespace slipway::apiserver {
namespace {

using namespace kinds;
using Type = kube::WatchEvent::Type;

Json configMap(const std::string& name, const std::string& value = "1") {
  return Json{{"kind", "ConfigMap"},
              {"apiVersion", "v1"},
              {"metadata", {{"name", name}, {"namespace", "default"}}},
              {"data", {{"k", value}}}};
}

Json deployment(const std::string& name, int replicas) {
  return Json{{"metadata", {{"name", name}, {"namespace", "default"}}},
              {"spec",
               {{"replicas", replicas},
                {"selector", {{"matchLabels", {{"app", name}}}}},
                {"template",
                 {{"metadata", {{"labels", {{"app", name}}}}},
                  {"spec", {{"containers", Json::array({{{"name", "c"}, {"image", "i"}}})}}}}}}}};
}

Json pod(const std::string& name, const std::string& node) {
  return Json{{"metadata", {{"name", name}, {"namespace", "default"}, {"labels", {{"app", name}}}}},
              {"spec", {{"nodeName", node}, {"containers", Json::array({{{"name", "c"}, {"image", "i"}}})}}}};
}

class RegistryTest : public ::testing::Test {
 protected:
  Result<Json> create(Kind kind, Json object) { return api.await(api.client().create(kind, std::move(object))); }
  Result<Json> update(Kind kind, Json object, std::string subresource = "") {
    kube::WriteOptions o;
    o.subresource = std::move(subresource);
    return api.await(api.client().update(kind, std::move(object), o));
  }
  Result<Json> merge(Kind kind, const std::string& name, Json patch, std::string subresource = "") {
    kube::WriteOptions o;
    o.subresource = std::move(subresource);
    return api.await(api.client().patch(kind, {"default", name}, kube::PatchType::Merge, std::move(patch), o));
  }
  Status remove(Kind kind, const std::string& name, kube::DeleteOptions o = {}) {
    return api.await(api.client().remove(kind, {kind.namespaced ? "default" : "", name}, std::move(o)));
  }
  Json find(Kind kind, const std::string& name) { return api.find(kind, {"default", name}); }

  boost::asio::io_context io;
  TestApi api{io};
};

TEST_F(RegistryTest, CreateSetsWhatTheServerOwns) {
  Json object = configMap("a");
  object["metadata"]["uid"] = "mine";
  object["metadata"]["creationTimestamp"] = "2001-01-01T00:00:00Z";
  auto made = create(kConfigMap, object);
  ASSERT_TRUE(made) << made.error().message;
  const Json& meta = (*made)["metadata"];
  EXPECT_EQ(textAt(meta, "uid").size(), 36u);
  EXPECT_NE(textAt(meta, "creationTimestamp"), "2001-01-01T00:00:00Z");
  EXPECT_FALSE(textAt(meta, "resourceVersion").empty());
  EXPECT_EQ(textAt(*made, "kind"), "ConfigMap");
}

TEST_F(RegistryTest, ErrorsAreStatusObjectsInKubernetesWords) {
  ASSERT_TRUE(create(kConfigMap, configMap("a")));
  auto again = create(kConfigMap, configMap("a"));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().message, "configmaps \"a\" already exists");
  auto status = parseJson(again.error().detail);
  ASSERT_TRUE(status);
  EXPECT_EQ(textAt(*status, "reason"), "AlreadyExists");
  EXPECT_EQ(intAt(*status, "code"), 409);
  auto missing = api.await(api.client().get(kInferenceService, {"default", "x"}));
  EXPECT_EQ(missing.error().message, "inferenceservices.serving.kserve.io \"x\" not found");
  Json elsewhere = configMap("b");
  elsewhere["metadata"]["namespace"] = "nowhere";
  EXPECT_EQ(create(kConfigMap, elsewhere).error().message, "namespaces \"nowhere\" not found");
}

TEST_F(RegistryTest, GenerateNameGivesFreshNames) {
  Json object = configMap("");
  object["metadata"] = {{"generateName", "web-"}, {"namespace", "default"}};
  auto a = create(kConfigMap, object);
  auto b = create(kConfigMap, object);
  ASSERT_TRUE(a && b);
  EXPECT_EQ(kube::keyOf(*a).name.substr(0, 4), "web-");
  EXPECT_NE(kube::keyOf(*a).name, kube::keyOf(*b).name);
}

TEST_F(RegistryTest, AWriteThatChangesNothingKeepsTheResourceVersion) {
  auto made = create(kConfigMap, configMap("a"));
  const auto before = api.registry().store().revision();
  auto same = merge(kConfigMap, "a", {{"data", {{"k", "1"}}}});
  ASSERT_TRUE(same);
  EXPECT_EQ((*same)["metadata"]["resourceVersion"], (*made)["metadata"]["resourceVersion"]);
  EXPECT_EQ(api.registry().store().revision(), before);
}

TEST_F(RegistryTest, AStaleResourceVersionIsAConflict) {
  auto made = create(kConfigMap, configMap("a"));
  ASSERT_TRUE(merge(kConfigMap, "a", {{"data", {{"k", "2"}}}}));
  Json stale = *made;
  stale["data"]["k"] = "3";
  auto updated = update(kConfigMap, stale);
  ASSERT_FALSE(updated);
  EXPECT_EQ(updated.error().code, Code::Conflict);
  EXPECT_NE(updated.error().message.find("the object has been modified"), std::string::npos);
  stale["metadata"].erase("resourceVersion");
  EXPECT_TRUE(update(kConfigMap, stale));
}

TEST_F(RegistryTest, GenerationCountsSpecChangesOnly) {
  ASSERT_TRUE(create(kDeployment, deployment("web", 1)));
  EXPECT_EQ(find(kDeployment, "web")["metadata"]["generation"], 1);
  ASSERT_TRUE(merge(kDeployment, "web", {{"metadata", {{"labels", {{"a", "b"}}}}}}));
  EXPECT_EQ(find(kDeployment, "web")["metadata"]["generation"], 1);
  ASSERT_TRUE(merge(kDeployment, "web", {{"spec", {{"replicas", 2}}}}));
  EXPECT_EQ(find(kDeployment, "web")["metadata"]["generation"], 2);
}

TEST_F(RegistryTest, StatusAndSpecAreWrittenApart) {
  Json object = deployment("web", 1);
  object["status"] = {{"replicas", 9}};
  ASSERT_TRUE(create(kDeployment, object));
  EXPECT_FALSE(find(kDeployment, "web")["status"].contains("replicas"));
  Json both = find(kDeployment, "web");
  both["spec"]["replicas"] = 5;
  both["status"] = {{"replicas", 3}};
  ASSERT_TRUE(update(kDeployment, both, "status"));
  EXPECT_EQ(find(kDeployment, "web")["spec"]["replicas"], 1);
  EXPECT_EQ(find(kDeployment, "web")["status"]["replicas"], 3);
  both["metadata"].erase("resourceVersion");
  both["status"]["replicas"] = 7;
  ASSERT_TRUE(update(kDeployment, both));
  EXPECT_EQ(find(kDeployment, "web")["spec"]["replicas"], 5);
  EXPECT_EQ(find(kDeployment, "web")["status"]["replicas"], 3);
}

TEST_F(RegistryTest, ScaleReadsAndWritesReplicas) {
  ASSERT_TRUE(create(kDeployment, deployment("web", 2)));
  auto scaled = merge(kDeployment, "web", {{"spec", {{"replicas", 4}}}}, "scale");
  ASSERT_TRUE(scaled) << scaled.error().message;
  EXPECT_EQ(textAt(*scaled, "kind"), "Scale");
  EXPECT_EQ((*scaled)["spec"]["replicas"], 4);
  EXPECT_EQ((*scaled)["status"]["selector"], "app=web");
  EXPECT_EQ(find(kDeployment, "web")["spec"]["replicas"], 4);
  EXPECT_EQ(merge(kDeployment, "web", {{"spec", {{"replicas", -1}}}}, "scale").error().code, Code::Invalid);
}

TEST_F(RegistryTest, DryRunAnswersLikeTheRealThingAndStoresNothing) {
  kube::WriteOptions dry;
  dry.dryRun = true;
  auto made = api.await(api.client().create(kConfigMap, configMap("a"), dry));
  ASSERT_TRUE(made);
  EXPECT_EQ(kube::keyOf(*made).name, "a");
  EXPECT_TRUE(find(kConfigMap, "a").is_null());
}

TEST_F(RegistryTest, FinalizersHoldAnObjectUntilTheyAreGone) {
  Json object = configMap("a");
  object["metadata"]["finalizers"] = {"example.com/hold"};
  ASSERT_TRUE(create(kConfigMap, object));
  ASSERT_TRUE(remove(kConfigMap, "a"));
  ASSERT_FALSE(find(kConfigMap, "a").is_null());
  EXPECT_TRUE(find(kConfigMap, "a")["metadata"].contains("deletionTimestamp"));
  auto more = merge(kConfigMap, "a", {{"metadata", {{"finalizers", {"example.com/hold", "example.com/new"}}}}});
  EXPECT_EQ(more.error().code, Code::Invalid);
  ASSERT_TRUE(merge(kConfigMap, "a", {{"metadata", {{"finalizers", nullptr}}}}));
  EXPECT_TRUE(find(kConfigMap, "a").is_null());
}

TEST_F(RegistryTest, APodOnANodeIsDeletedWhenTheNodeSaysSo) {
  ASSERT_TRUE(create(kPod, pod("p", "n1")));
  ASSERT_TRUE(remove(kPod, "p"));
  Json waiting = find(kPod, "p");
  ASSERT_FALSE(waiting.is_null());
  EXPECT_EQ(waiting["metadata"]["deletionGracePeriodSeconds"], 30);
  const Json first = waiting["metadata"]["deletionTimestamp"];
  kube::DeleteOptions longer;
  longer.gracePeriodSeconds = 600;
  ASSERT_TRUE(remove(kPod, "p", longer));
  EXPECT_EQ(find(kPod, "p")["metadata"]["deletionTimestamp"], first);  // never postponed
  kube::DeleteOptions now;
  now.gracePeriodSeconds = 0;
  ASSERT_TRUE(remove(kPod, "p", now));
  EXPECT_TRUE(find(kPod, "p").is_null());
  ASSERT_TRUE(create(kPod, pod("unscheduled", "")));
  ASSERT_TRUE(remove(kPod, "unscheduled"));
  EXPECT_TRUE(find(kPod, "unscheduled").is_null());
}

TEST_F(RegistryTest, DeletePreconditionsProtectASuccessorOfTheSameName) {
  ASSERT_TRUE(create(kConfigMap, configMap("a")));
  kube::DeleteOptions o;
  o.uid = "another";
  EXPECT_EQ(remove(kConfigMap, "a", o).error().code, Code::Conflict);
}

TEST_F(RegistryTest, AWatchTellsInitialObjectsThenChangesThenDeletion) {
  ASSERT_TRUE(create(kConfigMap, configMap("a")));
  auto watch = api.await(api.client().watch(kConfigMap, {.ns = "default"}, ""));
  ASSERT_TRUE(watch);
  auto next = [&] { return api.await((*watch)->next()); };
  EXPECT_EQ(next()->type, Type::Added);
  ASSERT_TRUE(merge(kConfigMap, "a", {{"data", {{"k", "2"}}}}));
  ASSERT_TRUE(remove(kConfigMap, "a"));
  auto modified = next();
  EXPECT_EQ(modified->type, Type::Modified);
  auto deleted = next();
  EXPECT_EQ(deleted->type, Type::Deleted);
  EXPECT_GT(std::stoll(textAt(deleted->object["metadata"], "resourceVersion")),
            std::stoll(textAt(modified->object["metadata"], "resourceVersion")));
}

// Nothing may be lost or change its order, however many there are.
TEST_F(RegistryTest, HundredsOfWatchesEachSeeEveryChangeOnceInOrder) {
  constexpr int kWatches = 200, kWrites = 30;
  std::vector<std::unique_ptr<kube::Watch>> watches;
  for (int i = 0; i < kWatches; ++i) watches.push_back(*api.await(api.client().watch(kConfigMap, {.ns = "default"}, "1")));
  for (int i = 0; i < kWrites; ++i) ASSERT_TRUE(create(kConfigMap, configMap("c" + std::to_string(i))));
  for (auto& watch : watches) {
    for (int i = 0; i < kWrites; ++i) {
      const auto event = api.await(watch->next());
      ASSERT_TRUE(event);
      ASSERT_EQ(kube::keyOf(event->object).name, "c" + std::to_string(i));
    }
  }
}

TEST_F(RegistryTest, AWatchWithASelectorSeesObjectsComeAndGo) {
  auto watch = api.await(api.client().watch(kConfigMap, {.ns = "default", .labelSelector = "on=yes"}, "1"));
  ASSERT_TRUE(watch);
  ASSERT_TRUE(create(kConfigMap, configMap("a")));
  ASSERT_TRUE(merge(kConfigMap, "a", {{"metadata", {{"labels", {{"on", "yes"}}}}}}));
  auto added = api.await((*watch)->next());
  EXPECT_EQ(added->type, Type::Added);
  auto left = merge(kConfigMap, "a", {{"metadata", {{"labels", {{"on", "no"}}}}}});
  auto deleted = api.await((*watch)->next());
  EXPECT_EQ(deleted->type, Type::Deleted);
  EXPECT_EQ(deleted->object["metadata"]["resourceVersion"], (*left)["metadata"]["resourceVersion"]);
}

TEST_F(RegistryTest, AListIsAValidStartForAWatch) {
  auto list = api.await(api.client().list(kConfigMap, {.ns = "default"}));
  ASSERT_TRUE(list);
  ASSERT_TRUE(create(kConfigMap, configMap("new")));
  auto watch = api.await(api.client().watch(kConfigMap, {.ns = "default"}, list->resourceVersion));
  ASSERT_TRUE(watch);
  EXPECT_EQ(kube::keyOf(api.await((*watch)->next())->object).name, "new");
}

TEST_F(RegistryTest, CompactedHistoryIsGone) {
  ASSERT_TRUE(create(kConfigMap, configMap("a")));
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(merge(kConfigMap, "a", {{"data", {{"k", std::to_string(i)}}}}));
  ASSERT_TRUE(api.registry().store().compact(api.registry().store().revision() - 1));
  auto watch = api.await(api.client().watch(kConfigMap, {}, "1"));
  ASSERT_FALSE(watch);
  EXPECT_EQ(watch.error().code, Code::Gone);
  EXPECT_NE(watch.error().message.find("too old resource version: 1 ("), std::string::npos);
}

TEST_F(RegistryTest, PagesOfAListContinueWhereTheyEnded) {
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(create(kConfigMap, configMap("c" + std::to_string(i))));
  const Resource* r = api.registry().resource("", "v1", "configmaps");
  ListQuery query{.ns = "default", .limit = 2};
  std::vector<std::string> names;
  do {
    auto page = api.await(api.registry().page(*r, query));
    ASSERT_TRUE(page);
    for (const auto& e : page->entries) names.push_back(e->name);
    query.continueToken = page->continueToken;
  } while (!query.continueToken.empty());
  EXPECT_EQ(names, (std::vector<std::string>{"c0", "c1", "c2", "c3", "c4"}));
  query.continueToken = "rubbish";
  EXPECT_EQ(api.await(api.registry().page(*r, query)).error().code, Code::BadRequest);
}

TEST_F(RegistryTest, SecretsFoldStringDataAndServicesGetAnAddress) {
  ASSERT_TRUE(create(kSecret, Json{{"metadata", {{"name", "s"}, {"namespace", "default"}}}, {"stringData", {{"p", "q"}}}}));
  EXPECT_EQ(find(kSecret, "s")["data"]["p"], "cQ==");
  EXPECT_FALSE(find(kSecret, "s").contains("stringData"));
  auto service = [&](const std::string& name) {
    return create(kService, Json{{"metadata", {{"name", name}, {"namespace", "default"}}},
                                 {"spec", {{"type", "ClusterIP"}, {"ports", Json::array({{{"port", 80}}})}}}});
  };
  auto a = service("a");
  auto b = service("b");
  ASSERT_TRUE(a && b);
  EXPECT_EQ(textAt((*a)["spec"], "clusterIP").substr(0, 7), "127.96.");
  EXPECT_NE((*a)["spec"]["clusterIP"], (*b)["spec"]["clusterIP"]);
  Json changed = *a;
  changed["spec"].erase("clusterIP");  // as kubectl replace does from a manifest
  changed["spec"].erase("clusterIPs");
  changed["spec"]["ports"][0]["port"] = 81;
  auto kept = update(kService, changed);
  ASSERT_TRUE(kept) << kept.error().message;
  EXPECT_EQ((*kept)["spec"]["clusterIP"], (*a)["spec"]["clusterIP"]);
}

TEST_F(RegistryTest, ImmutableFieldsAreNamed) {
  ASSERT_TRUE(create(kDeployment, deployment("web", 1)));
  auto changed = merge(kDeployment, "web",
                       {{"spec",
                         {{"selector", {{"matchLabels", {{"app", "web2"}}}}},
                          {"template", {{"metadata", {{"labels", {{"app", "web2"}}}}}}}}}});
  ASSERT_FALSE(changed);
  EXPECT_EQ(changed.error().message,
            "Deployment.apps \"web\" is invalid: spec.selector: Invalid value: {\"matchLabels\":{\"app\":\"web2\"}}: field "
            "is immutable");
}

TEST_F(RegistryTest, DependentsGoWhenAllTheirOwnersAreGone) {
  auto a = create(kConfigMap, configMap("a"));
  auto b = create(kConfigMap, configMap("b"));
  auto owner = [](const Json& o) {
    return Json{{"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"name", o["metadata"]["name"]}, {"uid", o["metadata"]["uid"]}};
  };
  Json child = configMap("child");
  child["metadata"]["ownerReferences"] = Json::array({owner(*a), owner(*b)});
  ASSERT_TRUE(create(kConfigMap, child));
  ASSERT_TRUE(remove(kConfigMap, "a"));
  ASSERT_TRUE(api.runUntil([&] { return find(kConfigMap, "child")["metadata"]["ownerReferences"].size() == 1; }));
  ASSERT_TRUE(remove(kConfigMap, "b"));
  EXPECT_TRUE(api.waitGone(kConfigMap, {"default", "child"}));
}

TEST_F(RegistryTest, ForegroundDeletionWaitsForDependents) {
  auto owner = create(kDeployment, deployment("web", 1));
  Json child = configMap("child");
  child["metadata"]["ownerReferences"] = Json::array({{{"apiVersion", "apps/v1"},
                                                       {"kind", "Deployment"},
                                                       {"name", "web"},
                                                       {"uid", (*owner)["metadata"]["uid"]},
                                                       {"blockOwnerDeletion", true}}});
  child["metadata"]["finalizers"] = {"example.com/hold"};
  ASSERT_TRUE(create(kConfigMap, child));
  kube::DeleteOptions o;
  o.propagationPolicy = "Foreground";
  ASSERT_TRUE(remove(kDeployment, "web", o));
  ASSERT_TRUE(api.runUntil([&] { return find(kConfigMap, "child")["metadata"].contains("deletionTimestamp"); }));
  EXPECT_FALSE(find(kDeployment, "web").is_null());
  ASSERT_TRUE(merge(kConfigMap, "child", {{"metadata", {{"finalizers", nullptr}}}}));
  EXPECT_TRUE(api.waitGone(kDeployment, {"default", "web"}));
}

TEST_F(RegistryTest, OrphanedDependentsLoseTheReferenceAndStay) {
  auto owner = create(kDeployment, deployment("web", 1));
  Json child = configMap("child");
  child["metadata"]["ownerReferences"] = Json::array(
      {{{"apiVersion", "apps/v1"}, {"kind", "Deployment"}, {"name", "web"}, {"uid", (*owner)["metadata"]["uid"]}}});
  ASSERT_TRUE(create(kConfigMap, child));
  kube::DeleteOptions o;
  o.propagationPolicy = "Orphan";
  ASSERT_TRUE(remove(kDeployment, "web", o));
  ASSERT_TRUE(api.waitGone(kDeployment, {"default", "web"}));
  EXPECT_FALSE(find(kConfigMap, "child")["metadata"].contains("ownerReferences"));
}

TEST_F(RegistryTest, ANamespaceIsEmptiedBeforeItGoes) {
  ASSERT_TRUE(create(kNamespace, Json{{"metadata", {{"name", "team"}}}}));
  ASSERT_TRUE(api.runUntil([&] { return !api.find(kServiceAccount, {"team", "default"}).is_null(); }));
  Json inside = configMap("a");
  inside["metadata"]["namespace"] = "team";
  inside["metadata"]["finalizers"] = {"example.com/hold"};
  ASSERT_TRUE(create(kConfigMap, inside));
  ASSERT_TRUE(remove(kNamespace, "team"));
  EXPECT_EQ(api.find(kNamespace, {"", "team"})["status"]["phase"], "Terminating");
  Json late = configMap("late");
  late["metadata"]["namespace"] = "team";
  EXPECT_EQ(create(kConfigMap, late).error().code, Code::Forbidden);
  ASSERT_TRUE(api.runUntil([&] { return api.find(kServiceAccount, {"team", "default"}).is_null(); }));
  ASSERT_FALSE(api.find(kNamespace, {"", "team"}).is_null());
  ASSERT_TRUE(api.await(
      api.client().patch(kConfigMap, {"team", "a"}, kube::PatchType::Merge, {{"metadata", {{"finalizers", nullptr}}}})));
  EXPECT_TRUE(api.waitGone(kNamespace, {"", "team"}));
}

TEST(RegistryAdmissionTest, HooksDefaultAndRefuseInsideTheTransaction) {
  boost::asio::io_context io;
  Admission hook{.group = "serving.kserve.io", .kind = "InferenceService"};
  hook.mutate = [](const AdmissionRequest& r, Json& object) -> Status {
    object["metadata"]["annotations"]["mode"] =
        r.find("v1", "ConfigMap", "kserve", "inferenceservice-config")["data"]["mode"];
    return {};
  };
  hook.validate = [](const AdmissionRequest& r, const Json& object) -> Status {
    if (r.operation == Operation::Update && r.old && at(*r.old, "metadata", "labels") != at(object, "metadata", "labels")) {
      return fail(Code::Forbidden, "admission webhook \"x\" denied the request: fixed may not change");
    }
    return {};
  };
  TestApi api(io, {.admissions = {hook}});
  ASSERT_TRUE(api.await(api.client().create(
      kConfigMap,
      Json{{"metadata", {{"name", "inferenceservice-config"}, {"namespace", "kserve"}}}, {"data", {{"mode", "Raw"}}}})));
  auto made = api.await(api.client().create(
      kInferenceService, Json{{"metadata", {{"name", "iris"}, {"namespace", "default"}}},
                              {"spec", {{"predictor", {{"model", {{"modelFormat", {{"name", "sklearn"}}}}}}}}}}));
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ((*made)["metadata"]["annotations"]["mode"], "Raw");
  auto changed = api.await(api.client().patch(kInferenceService, {"default", "iris"}, kube::PatchType::Merge,
                                              {{"metadata", {{"labels", {{"a", "b"}}}}}}));
  ASSERT_FALSE(changed);
  EXPECT_EQ(changed.error().code, Code::Forbidden);
}

}  // namespace
}  // namespace slipway::apiserver
