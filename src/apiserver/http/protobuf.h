// Kubernetes' protobuf ("k8s\0" + runtime.Unknown) to JSON and back, for the kinds of Kubernetes' own groups.
//
// Driven by tables of field numbers (protobuf_tables.h). Rules of the wire: proto2; the client writes every non-pointer
// field, so "" and 0 and false there mean absent. A field that the tables do not know is refused by name unless it is empty:
// nothing that was meant is dropped silently, in neither direction. Never trusts lengths; nesting is bounded. Pure.
#pragma once
#include <string_view>

#include "base/result.h"
#include "data/json.h"

namespace slipway::apiserver {

// Errors: BadRequest (malformed), UnsupportedMedia (a kind without a table: the client should send JSON).
Result<Json> decodeProtobuf(std::string_view bytes);

// Whether objects of this kind can be written as protobuf at all.
bool protobufKnows(std::string_view apiVersion, std::string_view kind);
// An object or list with apiVersion and kind. Error NotAcceptable's Status (406) when it holds what the tables cannot say.
Result<std::string> encodeProtobuf(const Json& object);
// One event of a watch, framed by its length as clients read `application/vnd.kubernetes.protobuf;stream=watch`.
Result<std::string> encodeWatchEvent(std::string_view type, const Json& object);

}  // namespace slipway::apiserver
