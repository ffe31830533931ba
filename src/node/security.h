// What a container's and its pod's securityContext mean on this machine: users, groups and rights of the program. Pure.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "data/json.h"

namespace slipway::node {

// Rights as bits of CAP_… numbers. A container that asks for nothing gets what container runtimes give.
using Capabilities = std::uint64_t;
inline constexpr Capabilities kAllCapabilities = ~Capabilities{0};
std::optional<int> capabilityNumber(std::string name);  // "NET_ADMIN" or "CAP_NET_ADMIN", any case

struct Security {
  std::optional<std::int64_t> user, group;  // nullopt: the platform's own
  std::vector<std::int64_t> groups;         // supplementary, fsGroup included
  Capabilities capabilities = kAllCapabilities;
  bool noNewPrivileges = false;
  bool readOnlyRoot = false;
  bool operator==(const Security&) const = default;
};

// Who the platform runs as: only root may start programs as somebody else.
struct PlatformUser {
  std::int64_t user = 0, group = 0;
  std::vector<std::int64_t> groups;
  static PlatformUser current();
};

// `ours`: the program is this binary, `image`: it comes from an image with a user of its own (podman). Error Invalid: the
// line that the container shows as CreateContainerConfigError.
struct ProgramOrigin {
  bool ours = false;
  bool image = false;
  std::string imageUser;  // as the image names it; "": root
};
Result<Security> securityOf(const Json& pod, const Json& container, const PlatformUser& platform, ProgramOrigin origin);

// The group that the pod's volumes belong to.
std::optional<std::int64_t> fsGroupOf(const Json& pod);

}  // namespace slipway::node
