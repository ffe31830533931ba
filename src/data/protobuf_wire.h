// The wire format of protobuf, without schemas: fields one after another in, fields out. Kubernetes' objects and the gRPC
// messages of the model server are read and written with it. Pure; never trusts a length.
//
//   protobuf::Reader reader(bytes);
//   while (!reader.done()) { auto field = reader.next(); if (!field) return malformed(); … }
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace slipway::protobuf {

enum WireType : int { Varint = 0, Fixed64 = 1, Bytes = 2, Fixed32 = 5 };

// One field as it lies on the wire.
struct Field {
  std::uint32_t number = 0;
  int type = Varint;
  std::uint64_t value = 0;  // of a number: varint, fixed64, fixed32
  std::string_view bytes;   // of what has a length: strings, messages, packed lists
  bool empty() const { return type == Bytes ? bytes.empty() : value == 0; }
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}
  bool done() const { return rest_.empty(); }
  std::optional<Field> next();            // nullopt: malformed, or a group (proto2)
  std::optional<std::uint64_t> varint();  // a bare one: an element of a packed list

 private:
  std::optional<Field> fixed(std::size_t size, Field field);
  std::string_view rest_;
};

void appendVarint(std::string& out, std::uint64_t value);
// Always writes, also the values that proto3 leaves out.
void appendNumber(std::string& out, std::uint32_t field, std::uint64_t value);
void appendBytes(std::string& out, std::uint32_t field, std::string_view value);
void appendTag(std::string& out, std::uint32_t field, WireType type);

}  // namespace slipway::protobuf
