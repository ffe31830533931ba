#include "objects/schema/schema_check.h"

#include <re2/re2.h>

#include "data/base64.h"
#include "data/quantity.h"

namespace slipway::schema {
namespace {

std::string join(const std::string& path, std::string_view name) {
  return path.empty() ? std::string(name) : path + "." + std::string(name);
}

const char* jsonTypeName(const Json& value) {
  if (value.is_string()) return "string";
  if (value.is_boolean()) return "boolean";
  if (value.is_number_integer()) return "integer";
  if (value.is_number()) return "number";
  if (value.is_array()) return "array";
  return value.is_object() ? "object" : "null";
}

const char* schemaTypeName(Type type) {
  static constexpr const char* kNames[] = {"any",    "object",  "array",  "string", "integer",
                                           "number", "boolean", "string", "string"};
  return kNames[static_cast<std::size_t>(type)];
}

bool fits(const NodeTable& table, const Node& node, const Json& value) {
  switch (node.type) {
    case Type::Any: return true;
    case Type::Object: return value.is_object();
    case Type::Array: return value.is_array();
    case Type::String: return value.is_string();
    case Type::Boolean: return value.is_boolean();
    case Type::Number: return value.is_number();
    case Type::IntOrString: return value.is_string() || value.is_number_integer();
    case Type::Quantity: return value.is_string() || value.is_number();
    case Type::Integer: break;
  }
  if (value.is_number_float()) {  // 3.0 is an integer in JSON schema
    const double d = value.get<double>();
    return d == static_cast<double>(static_cast<std::int64_t>(d)) && std::abs(d) < 9e15;
  }
  if (!value.is_number_integer()) return false;
  if (value.is_number_unsigned() && value.get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX)) return false;
  const std::int64_t n = value.get<std::int64_t>();
  return table.text(node.format) != "int32" || (n >= INT32_MIN && n <= INT32_MAX);
}

// Type errors, with the place as Go's decoder names it: innermost struct, then the path without indices.
class TypeCheck {
 public:
  TypeCheck(const NodeTable& table, bool custom) : table_(table), custom_(custom) {}

  struct Place {
    std::string path;      // with indices
    std::string fields;    // without
    std::string inStruct;  // Go name of the innermost struct
  };

  void visit(const Node& node, const Json& value, const Place& place) {
    if (value.is_null()) return;  // absent; pruning has removed it where it means nothing
    if (!fits(table_, node, value)) return wrongType(node, value, place);
    if (node.type == Type::Object) {
      Place child = place;
      if (node.name != 0) child.inStruct = shortName(table_.text(node.name));
      for (const auto& [key, member] : value.items()) {
        const Node* schema = table_.member(node, key);
        if (schema == nullptr) continue;
        visit(*schema, member, {join(place.path, key), join(place.fields, key), child.inStruct});
      }
    } else if (node.type == Type::Array) {
      const Node* items = table_.items(node);
      for (std::size_t i = 0; items != nullptr && i < value.size(); ++i) {
        visit(*items, value[i], {fmt::format("{}[{}]", place.path, i), place.fields, place.inStruct});
      }
    } else if (node.type == Type::String && table_.text(node.format) == "byte") {
      if (auto bytes = base64Decode(value.get_ref<const std::string&>()); !bytes) add(place, bytes.error().message);
    }
  }

  std::vector<FieldError> errors;

 private:
  static std::string shortName(std::string_view definition) {
    return std::string(definition.substr(definition.rfind('.') + 1));
  }

  std::string goType(const Node& node) const {
    switch (node.type) {
      case Type::Integer: return node.format == 0 ? "int64" : std::string(table_.text(node.format));
      case Type::Boolean: return "bool";
      case Type::Number: return "float64";
      case Type::Array: return "[]" + (table_.items(node) != nullptr ? goType(*table_.items(node)) : "interface {}");
      case Type::IntOrString: return "intstr.IntOrString";
      case Type::Quantity: return "resource.Quantity";
      case Type::Object: break;
      default: return "string";
    }
    if (node.name == 0)
      return "map[string]" + (node.additional != kNone ? goType(table_.node(node.additional)) : "interface {}");
    const std::string_view name = table_.text(node.name);
    const auto last = name.rfind('.');
    return std::string(name.substr(name.rfind('.', last - 1) + 1));
  }

  void add(const Place& place, std::string message) {
    errors.push_back({"FieldValueTypeInvalid", place.path, std::move(message)});
  }

  void wrongType(const Node& node, const Json& value, const Place& place) {
    const std::string got = jsonTypeName(value);
    if (custom_) {
      const std::string quoted = "\"" + got + "\"";
      return add(place, fmt::format("Invalid value: {}: {} in body must be of type {}: {}", quoted, place.path,
                                    schemaTypeName(node.type), quoted));
    }
    const std::string go = value.is_boolean()  ? "bool"
                           : value.is_number() ? (node.type == Type::Integer ? "number " + dumpJson(value) : "number")
                                               : got;
    add(place, fmt::format("json: cannot unmarshal {} into Go struct field {}.{} of type {}", go, place.inStruct,
                           place.fields, goType(node)));
  }

  const NodeTable& table_;
  bool custom_;
};

class ValueCheck {
 public:
  ValueCheck(const NodeTable& table, bool custom, Findings& findings)
      : table_(table), custom_(custom), findings_(findings) {}

  void visit(const Node& node, const Json& value, const std::string& path, bool inStatus) {
    if (value.is_null()) return;
    limits(node, value, path);
    if (node.type == Type::Object) {
      object(node, value, path, inStatus);
    } else if (node.type == Type::Array) {
      array(node, value, path, inStatus);
    }
  }

 private:
  void object(const Node& node, const Json& value, const std::string& path, bool inStatus) {
    if (custom_ || !inStatus) {
      for (const auto name : table_.required(node)) {
        if (at(value, name).is_null()) findings_.required(join(path, name));
      }
    }
    for (const auto& [key, member] : value.items()) {
      if (const Node* child = table_.member(node, key))
        visit(*child, member, join(path, key), inStatus || (path.empty() && key == "status"));
    }
  }

  void array(const Node& node, const Json& value, const std::string& path, bool inStatus) {
    if (node.minItems != kNone && value.size() < node.minItems) {
      findings_.invalid(path, value.size(), fmt::format("{} in body should have at least {} items", path, node.minItems));
    }
    const Node* items = table_.items(node);
    for (std::size_t i = 0; items != nullptr && i < value.size(); ++i)
      visit(*items, value[i], fmt::format("{}[{}]", path, i), inStatus);
    if (custom_) duplicates(node, value, path);
  }

  // List keys must differ; entries that leave a key out (our containers may have no name yet) are not compared.
  void duplicates(const Node& node, const Json& value, const std::string& path) {
    if (node.listType != ListType::Map && node.listType != ListType::Set) return;
    std::set<std::string> seen;
    for (std::size_t i = 0; i < value.size(); ++i) {
      Json key = value[i];
      if (node.listType == ListType::Map) {
        key = Json::object();
        for (const auto k : table_.keys(node)) {
          if (!at(value[i], k).is_null()) key[std::string(k)] = at(value[i], k);
        }
        if (key.empty()) continue;
      }
      if (!seen.insert(dumpJson(key)).second) findings_.duplicate(fmt::format("{}[{}]", path, i), key);
    }
  }

  void limits(const Node& node, const Json& value, const std::string& path) {
    if (node.enumCount > 0) {
      const auto allowed = table_.enumOf(node);
      const std::string text = value.is_string() ? value.get<std::string>() : dumpJson(value);
      if (std::find(allowed.begin(), allowed.end(), text) == allowed.end()) findings_.notSupported(path, value, allowed);
    }
    if (value.is_number() && (node.type == Type::Integer || node.type == Type::Number)) bounds(node, value, path);
    if (value.is_string() && node.type == Type::String) text(node, value, path);
    if (node.type == Type::Quantity) {
      if (auto q = quantityOf(value); !q) findings_.invalid(path, value, q.error().message);
    }
  }

  void bounds(const Node& node, const Json& value, const std::string& path) {
    const double number = value.get<double>();
    if (node.minimum != 0 && number < std::stod(std::string(table_.text(node.minimum)))) {
      findings_.invalid(path, value,
                        fmt::format("{} in body should be greater than or equal to {}", path, table_.text(node.minimum)));
    }
    if (node.maximum != 0 && number > std::stod(std::string(table_.text(node.maximum)))) {
      findings_.invalid(path, value,
                        fmt::format("{} in body should be less than or equal to {}", path, table_.text(node.maximum)));
    }
  }

  void text(const Node& node, const Json& value, const std::string& path) {
    const auto& s = value.get_ref<const std::string&>();
    if (node.minLength != kNone && s.size() < node.minLength) {
      findings_.invalid(path, value, fmt::format("{} in body should be at least {} chars long", path, node.minLength));
    }
    if (node.maxLength != kNone && s.size() > node.maxLength) findings_.tooLong(path, node.maxLength);
    if (node.pattern != 0 && !RE2::PartialMatch(s, RE2(std::string(table_.text(node.pattern))))) {
      findings_.invalid(path, value, fmt::format("{} in body should match '{}'", path, table_.text(node.pattern)));
    }
  }

  const NodeTable& table_;
  bool custom_;
  Findings& findings_;
};

}  // namespace

std::vector<FieldError> checkTypes(const NodeTable& table, const Node& root, const Json& value, bool custom) {
  TypeCheck check(table, custom);
  check.visit(root, value, {});
  return std::move(check.errors);
}

void checkValues(const NodeTable& table, const Node& root, const Json& value, bool custom, Findings& findings) {
  ValueCheck(table, custom, findings).visit(root, value, "", false);
}

}  // namespace slipway::schema
