#include "apiserver/api_status.h"
#include "apiserver/http/protobuf.h"
#include "apiserver/http/protobuf_tables.h"
#include "base/clock.h"
#include "data/base64.h"
#include "data/protobuf_wire.h"

namespace slipway::apiserver {
namespace {

constexpr std::string_view kMagic{"k8s\0", 4};
using Kind = ProtoField::Kind;

void number(std::string& out, std::uint32_t field, std::uint64_t value) { protobuf::appendNumber(out, field, value); }
void bytes(std::string& out, std::uint32_t field, std::string_view value) { protobuf::appendBytes(out, field, value); }

tl::unexpected<Error> cannot(const ProtoMessage& table, const std::string& field, const char* why) {
  const std::string name = table.name.substr(table.name.rfind('/') + 1);
  return notAcceptable(fmt::format("field {} of {} {} in protobuf; ask for application/json", field, name, why));
}

std::string timeBytes(const Json& value) {
  WallTime t;
  std::string out;
  if (!parseRfc3339(value.get<std::string>(), &t)) return out;
  const auto nanos = std::chrono::duration_cast<std::chrono::nanoseconds>(t.time_since_epoch()).count();
  const auto seconds = nanos / 1'000'000'000 - (nanos % 1'000'000'000 < 0 ? 1 : 0);
  number(out, 1, static_cast<std::uint64_t>(seconds));
  number(out, 2, static_cast<std::uint64_t>(nanos - seconds * 1'000'000'000));
  return out;
}

std::string intOrString(const Json& value) {
  std::string out;
  if (value.is_string()) {
    number(out, 1, 1);
    bytes(out, 3, value.get_ref<const std::string&>());
  } else {
    number(out, 1, 0);
    number(out, 2, static_cast<std::uint64_t>(value.get<std::int64_t>()));
  }
  return out;
}

Status message(std::string& out, const ProtoMessage& table, const Json& object, std::set<std::string>* outer);

// The bytes of one value that has a length; nullopt: not of the field's type.
Result<std::optional<std::string>> sized(const ProtoField& f, const Json& value) {
  const auto text = [&]() -> std::optional<std::string> {
    return value.is_string() ? std::optional(value.get<std::string>()) : std::nullopt;
  };
  std::string out;
  switch (f.kind) {
    case Kind::String: return text();
    case Kind::Bytes: {
      if (!value.is_string()) return std::nullopt;
      auto decoded = base64Decode(value.get_ref<const std::string&>());
      return decoded ? std::optional(std::move(*decoded)) : std::nullopt;
    }
    case Kind::Time:
    case Kind::MicroTime: return value.is_string() ? std::optional(timeBytes(value)) : std::nullopt;
    case Kind::Quantity:
      if (!value.is_string() && !value.is_number()) return std::nullopt;
      bytes(out, 1, value.is_string() ? value.get<std::string>() : value.dump());
      return std::optional(std::move(out));
    case Kind::IntOrString:
      if (!value.is_string() && !value.is_number_integer()) return std::nullopt;
      return std::optional(intOrString(value));
    case Kind::RawJson: bytes(out, 1, dumpJson(value)); return std::optional(std::move(out));
    case Kind::Texts:
      if (!value.is_array()) return std::nullopt;
      for (const Json& item : value) {
        if (!item.is_string()) return std::nullopt;
        bytes(out, 1, item.get_ref<const std::string&>());
      }
      return std::optional(std::move(out));
    case Kind::Message:
      if (!value.is_object()) return std::nullopt;
      SLIP_CHECK(message(out, *f.message, value, nullptr));
      return std::optional(std::move(out));
    default: return std::nullopt;
  }
}

Status one(std::string& out, const ProtoMessage& table, std::uint32_t n, const ProtoField& f, const Json& value) {
  if (f.kind == Kind::Int || f.kind == Kind::Bool) {
    const bool fits = f.kind == Kind::Bool ? value.is_boolean() : value.is_number_integer();
    if (!fits) return cannot(table, f.name, "is of another type");
    number(out, n, f.kind == Kind::Bool ? value.get<bool>() : static_cast<std::uint64_t>(value.get<std::int64_t>()));
    return {};
  }
  SLIP_TRY(const auto encoded, sized(f, value));
  if (!encoded) return cannot(table, f.name, "is of another type");
  bytes(out, n, *encoded);
  return {};
}

Status field(std::string& out, const ProtoMessage& table, std::uint32_t n, const ProtoField& f, const Json& value) {
  if (f.repeated) {
    if (!value.is_array()) return cannot(table, f.name, "is of another type");
    for (const Json& item : value) SLIP_CHECK(one(out, table, n, f, item));
    return {};
  }
  if (!f.map) return one(out, table, n, f, value);
  if (!value.is_object()) return cannot(table, f.name, "is of another type");
  for (const auto& [key, item] : value.items()) {
    std::string entry;
    bytes(entry, 1, key);
    SLIP_CHECK(one(entry, table, 2, f, item));
    bytes(out, n, entry);
  }
  return {};
}

// `outer`: of an inline message, where the names that it used are told.
Status message(std::string& out, const ProtoMessage& table, const Json& object, std::set<std::string>* outer) {
  std::set<std::string> used = {"apiVersion", "kind"};
  for (const auto& [n, f] : table.fields) {
    if (f.name.empty()) {
      std::string inner;
      SLIP_CHECK(message(inner, *f.message, object, &used));
      bytes(out, n, inner);
      continue;
    }
    used.insert(f.name);
    const auto it = object.find(f.name);
    if (it != object.end() && !it->is_null()) SLIP_CHECK(field(out, table, n, f, *it));
  }
  if (outer) {
    outer->merge(used);
    return {};
  }
  for (const auto& [key, value] : object.items()) {
    if (!used.count(key) && !value.is_null()) return cannot(table, key, "is not known");
  }
  return {};
}

}  // namespace

bool protobufKnows(std::string_view apiVersion, std::string_view kind) {
  return protoMessageOf(apiVersion, kind) != nullptr;
}

Result<std::string> encodeProtobuf(const Json& object) {
  const std::string apiVersion = textAt(object, "apiVersion");
  const std::string kind = textAt(object, "kind");
  // A Status answers for any group.
  const ProtoMessage* table = kind == "Status" ? protoMessage("meta/v1/Status") : protoMessageOf(apiVersion, kind);
  if (!table) return notAcceptable(fmt::format("{} {} has no form in protobuf; ask for application/json", apiVersion, kind));
  std::string type, raw, unknown;
  bytes(type, 1, apiVersion);
  bytes(type, 2, kind);
  SLIP_CHECK(message(raw, *table, object, nullptr));
  bytes(unknown, 1, type);
  bytes(unknown, 2, raw);
  bytes(unknown, 3, "");
  bytes(unknown, 4, "");
  return std::string(kMagic) + unknown;
}

Result<std::string> encodeWatchEvent(std::string_view type, const Json& object) {
  SLIP_TRY(const std::string encoded, encodeProtobuf(object));
  std::string raw, event, frame;
  bytes(raw, 1, encoded);
  bytes(event, 1, type);
  bytes(event, 2, raw);
  for (int shift = 24; shift >= 0; shift -= 8) frame += static_cast<char>(event.size() >> shift & 0xff);
  return frame + event;
}

}  // namespace slipway::apiserver
