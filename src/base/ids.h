// Random identifiers. Randomness is injected where something decides; names and ids may use the default source, the
// kernel's.
#pragma once
#include <cstdint>
#include <string>

namespace slipway {

// Fills from the kernel (getrandom). Thread-safe.
std::uint64_t randomU64();
std::string randomHex(std::size_t bytes);  // 2*bytes lower-case hex digits
std::string newUuid();                     // RFC 4122 version 4
// Kubernetes' name suffix: n characters of "bcdfghjklmnpqrstvwxz2456789" (no vowels, so no words).
std::string randomSuffix(std::size_t n);

}  // namespace slipway
