#include "apiserver/http/protobuf_tables.h"

#include <sstream>
#include <stdexcept>

namespace slipway::apiserver {
namespace {

// One message a line: package/Name: number=jsonName:type …. Types: string, bytes, int, bool, time, microtime, quantity,
// intstr, json, texts (a list of strings in JSON, a message on the wire), or a message. Suffix * : a pointer in Go; [] :
// repeated; {} : map from string. Name "-" : inline. The text is in protobuf_core.cc and protobuf_groups.cc.

const std::map<std::string_view, ProtoField::Kind> kScalars = {
    {"string", ProtoField::Kind::String},     {"bytes", ProtoField::Kind::Bytes},
    {"int", ProtoField::Kind::Int},           {"bool", ProtoField::Kind::Bool},
    {"time", ProtoField::Kind::Time},         {"microtime", ProtoField::Kind::MicroTime},
    {"quantity", ProtoField::Kind::Quantity}, {"intstr", ProtoField::Kind::IntOrString},
    {"json", ProtoField::Kind::RawJson},      {"texts", ProtoField::Kind::Texts}};

bool cut(std::string& text, std::string_view suffix) {
  if (text.size() < suffix.size() || text.compare(text.size() - suffix.size(), suffix.size(), suffix) != 0) return false;
  text.resize(text.size() - suffix.size());
  return true;
}

// "3=metadata:ObjectMeta*" -> number and field.
std::pair<std::uint32_t, ProtoField> parseField(const std::string& word) {
  const auto eq = word.find('=');
  const auto colon = word.find(':', eq);
  ProtoField field;
  field.name = word.substr(eq + 1, colon - eq - 1);
  if (field.name == "-") field.name.clear();
  std::string type = word.substr(colon + 1);
  field.pointer = cut(type, "*");
  field.repeated = cut(type, "[]");
  field.map = cut(type, "{}");
  auto scalar = kScalars.find(type);
  field.kind = scalar == kScalars.end() ? ProtoField::Kind::Message : scalar->second;
  if (field.kind == ProtoField::Kind::Message) field.messageName = type;
  return {static_cast<std::uint32_t>(std::stoul(word.substr(0, eq))), field};
}

using Tables = std::map<std::string, ProtoMessage, std::less<>>;

Tables parseTables() {
  Tables tables;
  std::istringstream lines{std::string(kProtobufCore) + kProtobufGroups};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string name;
    if (!(words >> name)) continue;
    name.pop_back();  // ':'
    ProtoMessage& message = tables[name];
    message.name = name;
    for (std::string word; words >> word;) message.fields.insert(parseField(word));
  }
  for (auto& [name, message] : tables) {
    for (auto& [number, field] : message.fields) {
      if (field.kind != ProtoField::Kind::Message) continue;
      auto it = tables.find(field.messageName);
      if (it == tables.end()) throw std::logic_error("protobuf table: no message " + field.messageName);
      field.message = &it->second;
    }
  }
  return tables;
}

const Tables& tables() {
  static const Tables kParsed = parseTables();
  return kParsed;
}

}  // namespace

const ProtoMessage* protoMessage(std::string_view name) {
  auto it = tables().find(name);
  return it == tables().end() ? nullptr : &it->second;
}

const ProtoMessage* protoMessageOf(std::string_view apiVersion, std::string_view kind) {
  const auto slash = apiVersion.find('/');
  const std::string_view group = slash == std::string_view::npos ? "core" : apiVersion.substr(0, slash);
  // Only kinds of Kubernetes' own groups: a Service of serving.knative.dev is not core's.
  const auto dot = group.find('.');
  if (dot != std::string_view::npos && !group.ends_with(".k8s.io")) return nullptr;
  const std::string package = std::string(group.substr(0, dot)) + "/" + std::string(apiVersion.substr(slash + 1));
  if (const ProtoMessage* own = protoMessage(package + "/" + std::string(kind))) return own;
  // Options belong to every group.
  return kind.ends_with("Options") ? protoMessage("meta/v1/" + std::string(kind)) : nullptr;
}

}  // namespace slipway::apiserver
