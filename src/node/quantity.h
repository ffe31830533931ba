// Quantities of resources as the node needs them, e.g. "500m", "1.5", "2Gi", "1e3".
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace slipway::node {

// In thousandths, rounded up as Kubernetes does; nullopt when it is not a quantity or does not fit.
std::optional<std::int64_t> milliOf(std::string_view quantity);
// In whole units, rounded up: bytes of a memory quantity.
std::optional<std::int64_t> wholeOf(std::string_view quantity);

}  // namespace slipway::node
