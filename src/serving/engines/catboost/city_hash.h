// CityHash64 in its first version (1.0), whose values catboost stores for category texts. Version 1.1, which other libraries
// have, gives other values.
#pragma once
#include <cstdint>
#include <string_view>

namespace slipway::catboost {

std::uint64_t cityHash64(std::string_view text);
// What stands for a category in a model: the low 32 bits.
inline std::uint32_t categoryHash(std::string_view text) { return static_cast<std::uint32_t>(cityHash64(text)); }

}  // namespace slipway::catboost
