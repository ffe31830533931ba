// Types of plain YAML scalars, by the rules of YAML 1.1 that Go's yaml package keeps. Pure.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "data/json.h"

namespace slipway {

// The value of an unquoted scalar; nullopt for .nan and .inf, which JSON cannot hold.
std::optional<Json> yamlScalar(std::string_view text);

}  // namespace slipway
