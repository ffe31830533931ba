// The messages that protobuf.cc decodes: field number -> JSON name and type, parsed once from the text that
// tools/protogen.py made.
#pragma once
#include <map>
#include <string>
#include <string_view>

namespace slipway::apiserver {

struct ProtoMessage;

struct ProtoField {
  enum class Kind {
    String,
    Bytes,
    Int,
    Bool,
    Time,
    MicroTime,
    Quantity,
    IntOrString,
    RawJson,
    Texts,
    Message
  } kind = Kind::String;
  std::string name;  // JSON name; "" means inline: the fields of the message are the parent's
  bool repeated = false, map = false;
  bool pointer = false;  // absence is told by not writing it: zero values are real
  std::string messageName;
  const ProtoMessage* message = nullptr;
};

struct ProtoMessage {
  std::string name;
  std::map<std::uint32_t, ProtoField> fields;
};

extern const char* const kProtobufCore;
extern const char* const kProtobufGroups;

// By package and name, "core/v1/Pod"; null: no table.
const ProtoMessage* protoMessage(std::string_view name);
// The message of a kind ("v1" Secret …): kinds of one name in two groups have different tables.
const ProtoMessage* protoMessageOf(std::string_view apiVersion, std::string_view kind);

}  // namespace slipway::apiserver
