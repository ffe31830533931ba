#include "apiserver/http/protobuf.h"

#include "apiserver/api_status.h"
#include "apiserver/http/protobuf_tables.h"
#include "base/clock.h"
#include "data/base64.h"
#include "data/protobuf_wire.h"

namespace slipway::apiserver {
namespace {

constexpr int kMaxDepth = 32;
constexpr std::string_view kMagic{"k8s\0", 4};

using Wire = protobuf::Field;
using protobuf::Reader;

Failure malformed(const std::string& where) {
  return badRequest("the protobuf body of the request is malformed at " + where);
}

class Decoder {
 public:
  Result<Json> message(const ProtoMessage& table, std::string_view bytes, const std::string& path, int depth) {
    Json object = Json::object();
    SLIP_CHECK(into(object, table, bytes, path, depth));
    return object;
  }

 private:
  Status into(Json& object, const ProtoMessage& table, std::string_view bytes, const std::string& path, int depth) {
    if (depth > kMaxDepth) return malformed(path + ": nested too deep");
    Reader reader(bytes);
    while (!reader.done()) {
      const auto wire = reader.next();
      if (!wire) return malformed(path);
      auto it = table.fields.find(wire->number);
      if (it == table.fields.end()) {
        if (wire->empty() || emptyMessage(*wire)) continue;
        return fail(Code::UnsupportedMedia,
                    fmt::format("{}: field {} of {} is not known in protobuf; send the request as application/json", path,
                                wire->number, table.name.substr(table.name.rfind('/') + 1)));
      }
      SLIP_CHECK(field(object, it->second, *wire, path, depth));
    }
    return {};
  }

  // A message whose every field is empty, as the client writes for structs without a value.
  static bool emptyMessage(const Wire& wire) {
    if (wire.type != 2) return false;
    Reader reader(wire.bytes);
    while (!reader.done()) {
      const auto inner = reader.next();
      if (!inner || !inner->empty()) return false;
    }
    return true;
  }

  Status field(Json& object, const ProtoField& f, const Wire& wire, const std::string& path, int depth) {
    const std::string here = path + "." + f.name;
    if (f.name.empty())
      return wire.type == 2 ? into(object, *f.message, wire.bytes, path, depth + 1) : Status(malformed(here));
    if (f.map) return mapEntry(object[f.name], f, wire, here, depth);
    SLIP_TRY(Json value, scalar(f, wire, here, depth));
    if (f.repeated) {
      object[f.name].push_back(std::move(value));
      return {};
    }
    if (!f.pointer && isZero(f, value)) return {};
    if (value.is_null()) return {};
    object[f.name] = std::move(value);
    return {};
  }

  static bool isZero(const ProtoField& f, const Json& value) {
    if (value.is_null()) return true;
    if (value.is_string()) return value.get_ref<const std::string&>().empty();
    if (f.kind == ProtoField::Kind::IntOrString) return false;  // an int of 0 there is a value
    if (value.is_number()) return value == 0;
    return value.is_boolean() && !value.get<bool>();
  }

  Status mapEntry(Json& map, const ProtoField& f, const Wire& wire, const std::string& path, int depth) {
    if (wire.type != 2) return malformed(path);
    std::string key;
    Json value = f.kind == ProtoField::Kind::Message ? Json::object() : Json("");
    Reader reader(wire.bytes);
    while (!reader.done()) {
      const auto part = reader.next();
      if (!part || part->type != 2) return malformed(path);
      if (part->number == 1) key = std::string(part->bytes);
      if (part->number == 2) {
        SLIP_TRY(value, scalar(f, *part, path, depth));
      }
    }
    if (!map.is_object()) map = Json::object();
    map[key] = std::move(value);
    return {};
  }

  Result<Json> scalar(const ProtoField& f, const Wire& wire, const std::string& path, int depth) {
    using Kind = ProtoField::Kind;
    if (f.kind == Kind::Int || f.kind == Kind::Bool) {
      if (wire.type != 0) return malformed(path);
      return f.kind == Kind::Bool ? Json(wire.value != 0) : Json(static_cast<std::int64_t>(wire.value));
    }
    if (wire.type != 2) return malformed(path);
    switch (f.kind) {
      case Kind::String: return Json(std::string(wire.bytes));
      case Kind::Bytes: return Json(base64Encode(wire.bytes));
      case Kind::Message: return message(*f.message, wire.bytes, path, depth + 1);
      case Kind::Texts: return texts(wire.bytes, path);
      default: return special(f, wire.bytes, path);
    }
  }

  static Result<Json> texts(std::string_view bytes, const std::string& path) {
    Json all = Json::array();
    Reader reader(bytes);
    while (!reader.done()) {
      const auto item = reader.next();
      if (!item || item->number != 1 || item->type != 2) return malformed(path);
      all.push_back(std::string(item->bytes));
    }
    return all;
  }

  // Messages that are scalars in JSON.
  Result<Json> special(const ProtoField& f, std::string_view bytes, const std::string& path) {
    using Kind = ProtoField::Kind;
    std::map<std::uint32_t, Wire> parts;
    Reader reader(bytes);
    while (!reader.done()) {
      const auto part = reader.next();
      if (!part) return malformed(path);
      parts[part->number] = *part;
    }
    switch (f.kind) {
      case Kind::Quantity: return Json(std::string(parts[1].bytes));
      case Kind::IntOrString:
        if (parts[1].value == 1) return Json(std::string(parts[3].bytes));
        return Json(static_cast<std::int64_t>(parts[2].value));
      case Kind::RawJson: {
        if (parts[1].bytes.empty()) return Json(nullptr);
        Result<Json> raw = parseJson(parts[1].bytes);
        return raw ? raw : Result<Json>(malformed(path));
      }
      default: break;
    }
    if (parts.count(1) == 0) return Json(nullptr);
    const auto seconds = static_cast<std::int64_t>(parts[1].value);
    if (seconds < -62135596800 || seconds > 253402300799) return Json(nullptr);
    const auto nanos = static_cast<std::int64_t>(std::min<std::uint64_t>(parts[2].value, 999999999));
    const WallTime t{
        std::chrono::duration_cast<WallTime::duration>(std::chrono::seconds(seconds) + std::chrono::nanoseconds(nanos))};
    return Json(f.kind == Kind::MicroTime ? formatRfc3339Micro(t) : formatRfc3339(t));
  }
};

}  // namespace

Result<Json> decodeProtobuf(std::string_view bytes) {
  if (bytes.substr(0, kMagic.size()) != kMagic)
    return badRequest("the protobuf body of the request does not begin with the magic number k8s");
  std::string apiVersion, kind;
  std::string_view raw;
  Reader reader(bytes.substr(kMagic.size()));
  while (!reader.done()) {
    const auto wire = reader.next();
    if (!wire) return malformed("its envelope");
    if (wire->number == 2) raw = wire->bytes;
    if (wire->number != 1) continue;
    Reader type(wire->bytes);
    while (!type.done()) {
      const auto part = type.next();
      if (!part) return malformed("its envelope");
      if (part->number == 1) apiVersion = std::string(part->bytes);
      if (part->number == 2) kind = std::string(part->bytes);
    }
  }
  const ProtoMessage* table = protoMessageOf(apiVersion, kind);
  if (!table) {
    return fail(Code::UnsupportedMedia,
                fmt::format("{} {} is not known in protobuf; send the request as application/json", apiVersion, kind));
  }
  SLIP_TRY(Json object, Decoder().message(*table, raw, kind, 0));
  object["apiVersion"] = apiVersion;
  object["kind"] = kind;
  return object;
}

}  // namespace slipway::apiserver
