// Gives the calling process the container's users, groups and rights, for good. Called just before exec, by the program's
// own process and by those that `exec` brings in.
#pragma once
#include <string>

#include "node/security.h"

namespace slipway::node {

// "" or why not, as the container's message.
std::string confine(const Security& security);

}  // namespace slipway::node
