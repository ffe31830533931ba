// Compares the schemas with what the real kube-apiserver and KServe stored. The recordings and the guide's manifests lie in
// the folder that SLIPWAY_SHARED names; without it these tests are skipped.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include "data/yaml.h"
#include "objects/schema/catalog.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;

std::string readFile(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<fs::path> yamlFiles(const fs::path& folder) {
  std::vector<fs::path> out;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.path().extension() == ".yaml") out.push_back(entry.path());
  }
  std::sort(out.begin(), out.end());
  return out;
}

class SchemaRecordings : public testing::Test {
 protected:
  void SetUp() override {
    const char* folder = std::getenv("SLIPWAY_SHARED");
    if (folder == nullptr || !fs::exists(fs::path(folder) / "golden")) {
      GTEST_SKIP() << "SLIPWAY_SHARED does not name the folder with the recordings";
    }
    shared_ = folder;
  }
  fs::path shared_;
  const Catalog& catalog_ = *Catalog::builtin();
};

// Recorded names, times and addresses are masked as <rs>, <time>: what complains about those is no fault.
bool masked(const FieldError& e) {
  return e.message.find('<') != std::string::npos && e.message.find('>') != std::string::npos;
}

TEST_F(SchemaRecordings, EveryManifestOfTheGuideIsAccepted) {
  int seen = 0;
  for (const fs::path& path : yamlFiles(shared_ / "manifests")) {
    auto docs = parseYamlDocuments(readFile(path));
    ASSERT_TRUE(docs) << path << ": " << docs.error().message;
    for (Json& doc : *docs) {
      const Resource* r = catalog_.findKind(textAt(doc, "apiVersion"), textAt(doc, "kind"));
      ASSERT_NE(r, nullptr) << path;
      EXPECT_EQ(catalog_.prune(*r, doc), std::vector<std::string>{}) << path;
      catalog_.applyDefaults(*r, doc);
      for (const auto& e : catalog_.validate(*r, doc)) ADD_FAILURE() << path << ": " << e.field << ": " << e.message;
      ++seen;
    }
  }
  EXPECT_GT(seen, 25);
}

TEST_F(SchemaRecordings, WhatWasStoredIsCompleteAndValidHereToo) {
  int seen = 0;
  for (const fs::path& path : yamlFiles(shared_ / "golden")) {
    const bool stored =
        path.filename().string().starts_with("stored") || path.parent_path().filename().string().starts_with("children");
    if (!stored) continue;
    auto doc = parseYaml(readFile(path));
    if (!doc) continue;
    const Resource* r = catalog_.findKind(textAt(*doc, "apiVersion"), textAt(*doc, "kind"));
    if (r == nullptr) continue;
    ++seen;
    EXPECT_EQ(catalog_.prune(*r, *doc), std::vector<std::string>{}) << path;
    const Json before = *doc;
    catalog_.applyDefaults(*r, *doc);
    if (!before.contains("status")) doc->erase("status");  // not recorded
    EXPECT_EQ(Json::diff(before, *doc).dump(), "[]") << path;
    for (const auto& e : catalog_.validate(*r, *doc)) {
      if (!masked(e)) ADD_FAILURE() << path << ": " << e.field << ": " << e.message;
    }
  }
  EXPECT_GT(seen, 300);
}

// "HTTP POST … Kind/name: 422" and the causes that follow it.
TEST_F(SchemaRecordings, RefusalsHaveTheSameCauses) {
  int seen = 0;
  for (const auto& entry : fs::directory_iterator(shared_ / "golden")) {
    const std::string result = readFile(entry.path() / "result.txt");
    const auto begin = result.find('{');
    if (!result.starts_with("HTTP POST") || result.substr(0, result.find('\n')).find(": 422") == std::string::npos) continue;
    const Json status = Json::parse(result.substr(begin, result.find("\n}\n", begin) + 2 - begin));
    auto doc = parseYaml(readFile(entry.path() / "input.yaml"));
    ASSERT_TRUE(doc) << entry.path();
    const Resource* r = catalog_.findKind(textAt(*doc, "apiVersion"), textAt(*doc, "kind"));
    ASSERT_NE(r, nullptr);
    Json causes = Json::array();
    for (const auto& e : catalog_.validate(*r, *doc))
      causes.push_back({{"reason", e.reason}, {"message", e.message}, {"field", e.field}});
    EXPECT_EQ(causes, status["details"]["causes"]) << entry.path();
    ++seen;
  }
  EXPECT_GT(seen, 2);
}

}  // namespace
}  // namespace slipway
