// The small static shim program that this binary carries inside (src/cmd/main/shim.cc).
#pragma once
#include <string>
#include <vector>

namespace slipway::node {

// Writes it to DIR/bin/slipway-shim-<hash>, unless it is there, and returns the command that starts a shim. Where programs
// cannot be run from DIR (mounted noexec), or the folder cannot be written, this binary itself is the shim, at a higher
// price.
std::vector<std::string> installShim(const std::string& dir);

}  // namespace slipway::node
