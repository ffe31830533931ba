// JSON pointers (RFC 6901): "/spec/containers/0/image". Pure, thread-safe.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "data/json.h"

namespace slipway {

// The steps of a pointer, ~1 and ~0 undone. "" has none. Error BadRequest when it does not start with a slash.
Result<std::vector<std::string>> pointerSteps(std::string_view pointer);
// One step as it stands in a pointer: / becomes ~1.
std::string pointerEscape(std::string_view step);
// The value at the steps; nullptr when any is missing.
const Json* pointerFind(const Json& root, const std::vector<std::string>& steps);
Json* pointerFind(Json& root, const std::vector<std::string>& steps);
// An array index: digits without a leading zero, below `size`.
std::optional<std::size_t> pointerIndex(std::string_view step, std::size_t size);

}  // namespace slipway
