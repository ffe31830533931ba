#include "node/pod_fields.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "objects/schema/catalog.h"
#include "objects/schema/node_table.h"

namespace slipway::node {
namespace {
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Every field that a pod's spec can hold, as "Type.field"; below a refused field nothing is reachable.
class Reachable {
 public:
  Reachable() : catalog_(Catalog::builtin()), table_(catalog_->nodes()) {
    const Resource* pod = catalog_->findKind("v1", "Pod");
    visit(table_.node(table_.property(table_.node(pod->schema), "spec")->node));
  }
  std::set<std::string> fields;

 private:
  void visit(const schema::Node& node) {
    if (const schema::Node* items = table_.items(node)) return visit(*items);
    if (node.propertiesCount == 0) return;
    const std::string_view name = table_.text(node.name);
    const std::string type(name.substr(name.rfind('.') + 1));
    if (!seen_.insert(type).second) return;
    for (const schema::Property& p : table_.properties(node)) {
      const std::string field(table_.text(p.name));
      fields.insert(type + "." + field);
      const FieldRule* rule = podFieldRule(type, field);
      if (rule == nullptr || rule->column != FieldColumn::Refused) visit(table_.node(p.node));
    }
  }
  std::shared_ptr<const Catalog> catalog_;
  const schema::NodeTable& table_;
  std::set<std::string> seen_;
};

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> out;
  std::string word;
  for (const char c : std::string(text) + " ") {
    if (c != ' ') {
      word += c;
    } else if (!word.empty()) {
      out.push_back(std::move(word));
      word.clear();
    }
  }
  return out;
}

TEST(PodFields, EveryFieldOfTheSchemaIsInOneColumn) {
  const Reachable reachable;
  EXPECT_GT(reachable.fields.size(), 150U);
  std::vector<std::string> missing;
  for (const std::string& f : reachable.fields) {
    const std::size_t dot = f.find('.');
    if (podFieldRule(f.substr(0, dot), f.substr(dot + 1)) == nullptr) missing.push_back(f);
  }
  EXPECT_THAT(missing, IsEmpty());
}

TEST(PodFields, TheTableNamesNoFieldTwiceAndNoneThatCannotBeReached) {
  const Reachable reachable;
  std::set<std::string> seen;
  std::vector<std::string> wrong;
  for (const FieldRule& rule : podFieldRules()) {
    for (const std::string& field : split(rule.fields)) {
      const std::string f = std::string(rule.type) + "." + field;
      if (!seen.insert(f).second || !reachable.fields.contains(f)) wrong.push_back(f);
    }
    EXPECT_EQ(rule.why.empty(), rule.column == FieldColumn::Works) << rule.type << " " << rule.fields;
    EXPECT_EQ(rule.values.empty(), rule.column != FieldColumn::SomeValues) << rule.type << " " << rule.fields;
  }
  EXPECT_THAT(wrong, IsEmpty());
}

TEST(PodFields, ARefusalNamesFieldValueAndFix) {
  const Json spec = {
      {"hostUsers", false},
      {"containers",
       Json::array({{{"name", "c"},
                     {"securityContext", {{"privileged", true}, {"runAsUser", 5}}},
                     {"volumeMounts",
                      Json::array({{{"name", "v"}, {"mountPath", "/v"}, {"mountPropagation", "Bidirectional"}}})}}})},
      {"volumes", Json::array({{{"name", "v"}, {"nfs", {{"server", "s"}, {"path", "/p"}}}}})}};
  EXPECT_THAT(podRefusals(spec),
              ElementsAre("spec.containers[0].securityContext.privileged: true is not possible on this node: containers are "
                          "processes of this machine and get no more rights than others; remove it",
                          "spec.containers[0].volumeMounts[0].mountPropagation: Bidirectional is not possible on this node: "
                          "mounts made later do not show in containers; remove it",
                          "spec.hostUsers: false is not possible on this node: pods share this machine's users; remove it",
                          "spec.volumes[0].nfs: is not possible on this node: use persistentVolumeClaim, emptyDir or "
                          "hostPath"));
}

TEST(PodFields, WhatARestrictedPodAsksForIsAccepted) {
  const Json spec = {
      {"securityContext",
       {{"runAsNonRoot", true}, {"seccompProfile", {{"type", "RuntimeDefault"}}}, {"sysctls", Json::array()}}},
      {"hostUsers", true},
      {"initContainers", Json::array({{{"name", "s"}, {"restartPolicy", "Always"}}})},
      {"containers",
       Json::array(
           {{{"name", "c"},
             {"volumeDevices", nullptr},
             {"securityContext",
              {{"privileged", false}, {"allowPrivilegeEscalation", false}, {"capabilities", {{"drop", {"ALL"}}}}}}}})},
      {"volumes", Json::array({{{"name", "v"}, {"emptyDir", {{"medium", ""}}}}})}};
  EXPECT_THAT(podRefusals(spec), IsEmpty());
}

}  // namespace
}  // namespace slipway::node
