// Kubernetes' protobuf request bodies ("k8s\0" + runtime.Unknown) as JSON, for the kinds that kubectl 1.32 and newer send
// so.
//
// Driven by tables of field numbers (protobuf_tables.cc). Rules of the wire: proto2; the client writes every non-pointer
// field, so
// "" and 0 and false there mean absent. A field that the tables do not know is refused by name unless it is empty: nothing
// that was meant is dropped silently. Never trusts lengths; nesting is bounded. Pure.
#pragma once
#include <string_view>

#include "base/result.h"
#include "data/json.h"

namespace slipway::apiserver {

// Errors: BadRequest (malformed), UnsupportedMedia (a kind without a table: the client should send JSON).
Result<Json> decodeProtobuf(std::string_view bytes);

}  // namespace slipway::apiserver
