#include "serving/grpc_reflection.h"

#include <algorithm>

#include "data/protobuf_wire.h"

extern "C" const char slipwayDescriptorsBegin[], slipwayDescriptorsEnd[];

namespace slipway::serving {
namespace {
using protobuf::Field;

// Calls each(number, bytes) for the fields that have bytes; false when the message is malformed.
template <class F>
bool eachPart(std::string_view message, F each) {
  protobuf::Reader reader(message);
  while (!reader.done()) {
    const auto field = reader.next();
    if (!field) return false;
    if (field->type == protobuf::Bytes) each(field->number, field->bytes);
  }
  return true;
}

std::string_view nameOf(std::string_view descriptor) {
  std::string_view name;
  eachPart(descriptor, [&](std::uint32_t number, std::string_view bytes) {
    if (number == 1) name = bytes;
  });
  return name;
}

constexpr int kNotFound = 5;  // of gRPC's codes

std::string errorReply(std::string_view message) {
  std::string out;
  protobuf::appendNumber(out, 1, kNotFound);
  protobuf::appendBytes(out, 2, message);
  return out;
}

}  // namespace

Reflection::Reflection() {
  const std::string_view set(slipwayDescriptorsBegin,
                             static_cast<std::size_t>(slipwayDescriptorsEnd - slipwayDescriptorsBegin));
  eachPart(set, [this](std::uint32_t number, std::string_view bytes) {
    if (number == 1) addFile(bytes);  // FileDescriptorSet.file
  });
  std::sort(services_.begin(), services_.end());
}

// Of FileDescriptorProto: 1 name, 2 package, 4 message_type, 5 enum_type, 6 service; of ServiceDescriptorProto: 2 method.
void Reflection::addFile(std::string_view file) {
  std::string package;
  eachPart(file, [&](std::uint32_t number, std::string_view bytes) {
    if (number == 1) files_.emplace(bytes, file);
    if (number == 2) package = std::string(bytes) + ".";
  });
  // Types within a message (3 nested_type, 4 enum_type of DescriptorProto) are symbols too.
  const auto addMessage = [&](auto&& self, const std::string& scope, std::string_view message) -> void {
    const std::string full = scope + std::string(nameOf(message));
    symbols_.emplace(full, file);
    eachPart(message, [&](std::uint32_t number, std::string_view bytes) {
      if (number == 3) self(self, full + ".", bytes);
      if (number == 4) symbols_.emplace(full + "." + std::string(nameOf(bytes)), file);
    });
  };
  eachPart(file, [&](std::uint32_t number, std::string_view bytes) {
    if (number == 4) addMessage(addMessage, package, bytes);
    if (number == 5) symbols_.emplace(package + std::string(nameOf(bytes)), file);
    if (number != 6) return;
    const std::string service = package + std::string(nameOf(bytes));
    services_.push_back(service);
    symbols_.emplace(service, file);
    eachPart(bytes, [&](std::uint32_t part, std::string_view method) {
      if (part == 2) symbols_.emplace(service + "." + std::string(nameOf(method)), file);
    });
  });
}

Result<std::string> Reflection::answer(std::string_view request) const {
  std::string reply;
  std::uint32_t field = 0;
  const auto withFile = [&](const auto& index, std::string_view name, const char* what) {
    const auto found = index.find(name);
    field = found == index.end() ? 7 : 4;
    reply.clear();
    if (found == index.end())
      reply = errorReply(fmt::format("{} '{}' is not known", what, name));
    else
      protobuf::appendBytes(reply, 1, found->second);
  };
  std::string_view host;
  const bool good = eachPart(request, [&](std::uint32_t number, std::string_view bytes) {
    switch (number) {
      case 1: host = bytes; break;
      case 3: withFile(files_, bytes, "file"); break;
      case 4: withFile(symbols_, bytes, "symbol"); break;
      case 5:
      case 6:
        field = 7;
        reply = errorReply("there are no extensions: the messages are proto3");
        break;
      case 7:
        field = 6;
        reply.clear();
        for (const auto& service : services_) {
          std::string one;
          protobuf::appendBytes(one, 1, service);
          protobuf::appendBytes(reply, 1, one);
        }
        break;
      default: break;
    }
  });
  if (!good) return fail(Code::BadRequest, "the message is not a ServerReflectionRequest");
  if (field == 0) return fail(Code::BadRequest, "the reflection request asks for nothing that is known");
  std::string out;
  if (!host.empty()) protobuf::appendBytes(out, 1, host);
  protobuf::appendBytes(out, 2, request);
  protobuf::appendBytes(out, field, reply);
  return out;
}

}  // namespace slipway::serving
