// NodeTable: every schema as a graph of small fixed-size records, read from the blob's member "structure". One node is one
// JSON schema; $ref is already an index, so a definition that many kinds share exists once. About 400 KB for all kinds.
// Immutable after read(), thread-safe.
//
//   const Node& pod = table.node(resource.schema);
//   const Property* spec = table.property(pod, "spec");
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "data/json.h"

namespace slipway::schema {

inline constexpr std::uint32_t kNone = 0xFFFFFFFF;
inline constexpr std::uint32_t kPreserveUnknown = 1;
inline constexpr std::uint32_t kNullable = 2;
inline constexpr std::uint32_t kAtomicMap = 4;
inline constexpr std::uint32_t kKubernetesDefault = 1;  // a default that holds for Kubernetes' own kinds only
inline constexpr std::uint32_t kValueStruct = 2;  // there in kube-apiserver's memory even when the object has no such field

enum class Type : std::uint32_t { Any, Object, Array, String, Integer, Number, Boolean, IntOrString, Quantity };
enum class ListType : std::uint32_t { None, Atomic, Set, Map };  // None means atomic too

// Layout shared with tools/schemagen.py. Texts are indices of text(); 0 is "".
struct Node {
  Type type;
  std::uint32_t flags, format, propertiesBegin, propertiesCount, requiredBegin, requiredCount;
  std::uint32_t items, additional;  // nodes, or kNone
  std::uint32_t enumBegin, enumCount, pattern;
  ListType listType;
  std::uint32_t keysBegin, keysCount, mergeKey, mergeStrategy, minimum, maximum, minLength, maxLength, minItems;
  std::uint32_t name;  // definition it comes from, "" for one written in place
  std::uint32_t reserved;
  bool preservesUnknown() const { return (flags & kPreserveUnknown) != 0; }
};

struct Property {
  std::uint32_t name, node;
  std::uint32_t defaultText;  // JSON, or kNone
  std::uint32_t origin;       // kKubernetesDefault, kValueStruct
};

class NodeTable {
 public:
  // Error Internal when the bytes are not what the generator writes.
  static Result<NodeTable> read(std::string_view bytes);

  const Node& node(std::uint32_t index) const { return nodes_[index]; }
  std::uint32_t indexOf(const Node& node) const { return static_cast<std::uint32_t>(&node - nodes_.data()); }
  std::size_t size() const { return nodes_.size(); }
  std::string_view text(std::uint32_t index) const {
    return std::string_view(texts_).substr(offsets_[index], offsets_[index + 1] - offsets_[index]);
  }
  std::span<const Property> properties(const Node& node) const {
    return std::span(properties_).subspan(node.propertiesBegin, node.propertiesCount);
  }
  // nullptr when the schema has no such field. Binary search.
  const Property* property(const Node& node, std::string_view name) const;
  // The schema of a member of an object: of the field, of additionalProperties, or nullptr when neither is known.
  const Node* member(const Node& node, std::string_view name) const;
  const Node* items(const Node& node) const { return node.items == kNone ? nullptr : &nodes_[node.items]; }
  std::vector<std::string_view> required(const Node& node) const { return list(node.requiredBegin, node.requiredCount); }
  std::vector<std::string_view> enumOf(const Node& node) const { return list(node.enumBegin, node.enumCount); }
  std::vector<std::string_view> keys(const Node& node) const { return list(node.keysBegin, node.keysCount); }
  const Json& defaultOf(const Property& property) const { return defaults_.at(property.defaultText); }
  bool isDefinition(const Node& node, std::string_view name) const { return text(node.name) == name; }

 private:
  std::vector<std::string_view> list(std::uint32_t begin, std::uint32_t count) const;
  std::vector<Node> nodes_;
  std::vector<Property> properties_;
  std::vector<std::uint32_t> lists_, offsets_;
  std::string texts_;
  std::unordered_map<std::uint32_t, Json> defaults_;
};

}  // namespace slipway::schema
