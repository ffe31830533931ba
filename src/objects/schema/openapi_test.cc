#include "objects/schema/openapi.h"

#include <gtest/gtest.h>

#include "objects/schema/catalog.h"

namespace slipway {
namespace {

Json document(const std::string& path) {
  auto doc = openApiDocument(path);
  EXPECT_TRUE(doc.has_value()) << path;
  auto text = doc->text();
  EXPECT_TRUE(text);
  return text ? Json::parse(*text) : Json();
}

std::string pathOf(const Resource& r) { return r.group.empty() ? "api/" + r.version : "apis/" + r.group + "/" + r.version; }

bool hasParameter(const Json& operation, const std::string& name) {
  for (const Json& p : at(operation, "parameters")) {
    if (textAt(p, "name") == name) return true;
  }
  return false;
}

TEST(OpenApi, IndexLeadsToEveryGroupWithItsHash) {
  const Json index = openApiIndex();
  for (const Resource& r : Catalog::builtin()->resources()) {
    const Json& entry = index["paths"][pathOf(r)];
    EXPECT_EQ(entry["serverRelativeURL"], "/openapi/v3/" + pathOf(r) + "?hash=" + openApiDocument(pathOf(r))->hash);
  }
  EXPECT_FALSE(openApiDocument("apis/nope/v1").has_value());
}

// What kubectl looks for: explain walks from the GET of a collection to the schema; apply wants fieldValidation on PATCH.
TEST(OpenApi, EveryResourceHasWhatKubectlLooksFor) {
  for (const Resource& r : Catalog::builtin()->resources()) {
    const Json doc = document(pathOf(r));
    const std::string path = "/" + pathOf(r) + (r.namespaced ? "/namespaces/{namespace}/" : "/") + r.plural;
    const Json gvk = {{"group", r.group}, {"version", r.version}, {"kind", r.kind}};
    EXPECT_EQ(doc["paths"][path]["get"]["x-kubernetes-group-version-kind"], gvk) << path;
    const Json& patch = doc["paths"][path + "/{name}"]["patch"];
    EXPECT_EQ(patch["x-kubernetes-group-version-kind"], gvk);
    EXPECT_TRUE(hasParameter(patch, "fieldValidation") && hasParameter(patch, "dryRun")) << path;
    bool found = false;
    for (const auto& [name, schema] : doc["components"]["schemas"].items()) {
      const Json& list = at(schema, "x-kubernetes-group-version-kind");
      found = found || (list.is_array() && std::find(list.begin(), list.end(), gvk) != list.end());
    }
    EXPECT_TRUE(found) << r.qualified();
  }
}

void checkReferences(const Json& value, const Json& schemas) {
  if (value.is_object() && value.contains("$ref") && value["$ref"].is_string()) {
    const std::string target = value["$ref"];
    EXPECT_TRUE(schemas.contains(target.substr(target.rfind('/') + 1))) << target;
  }
  if (value.is_structured()) {
    for (const Json& child : value) checkReferences(child, schemas);
  }
}

TEST(OpenApi, ReferencesResolve) {
  const Json index1 = openApiIndex();  // must outlive the loop over it
  for (const auto& [path, entry] : index1.at("paths").items()) {
    const Json doc = document(path);
    checkReferences(doc["paths"], doc["components"]["schemas"]);
    checkReferences(doc["components"], doc["components"]["schemas"]);
  }
}

TEST(OpenApi, V2IsAProtobufDocumentWithDefinitions) {
  auto text = openApiV2().text();
  ASSERT_TRUE(text);
  EXPECT_TRUE(
      text->starts_with("\x0a\x03"
                        "2.0"));  // swagger = 1
  EXPECT_NE(text->find("io.k8s.api.core.v1.PodSpec"), std::string::npos);
  EXPECT_NE(text->find("#/definitions/io.kserve.serving.v1beta1.PredictorSpec"), std::string::npos);
}

}  // namespace
}  // namespace slipway
