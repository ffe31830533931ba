// Which fields of a pod this node acts on. One table (pod_fields.cc) holds every field of the schema's PodSpec in one
// column: it works, only some of its values work, or it is refused. A field in no column fails the test, so that none is
// ignored in silence.
//
//   for (const std::string& line : podRefusals(pod["spec"])) …   // "spec.hostUsers: false is not possible here: …"
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "data/json.h"

namespace slipway::node {

enum class FieldColumn { Works, SomeValues, Refused };

struct FieldRule {
  std::string_view type;    // definition that holds the field: "PodSpec", "Container", …
  std::string_view fields;  // names, separated by blanks
  FieldColumn column;
  std::string_view values;  // SomeValues: those that work, separated by blanks, as JSON without quotes
  std::string_view why;     // for the refusal: why not, and what to do
};
const std::vector<FieldRule>& podFieldRules();
// nullptr: in no column.
const FieldRule* podFieldRule(std::string_view type, std::string_view field);

// One line for each field of a pod's spec that this node refuses, in the order of the document. `path`: where `spec` stands.
std::vector<std::string> podRefusals(const Json& spec, const std::string& path = "spec");

}  // namespace slipway::node
