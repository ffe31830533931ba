#include "node/security.h"

#include <unistd.h>

#include <algorithm>
#include <array>

namespace slipway::node {
namespace {

// By number, as in linux/capability.h.
constexpr std::array<std::string_view, 41> kNames = {"CHOWN",
                                                     "DAC_OVERRIDE",
                                                     "DAC_READ_SEARCH",
                                                     "FOWNER",
                                                     "FSETID",
                                                     "KILL",
                                                     "SETGID",
                                                     "SETUID",
                                                     "SETPCAP",
                                                     "LINUX_IMMUTABLE",
                                                     "NET_BIND_SERVICE",
                                                     "NET_BROADCAST",
                                                     "NET_ADMIN",
                                                     "NET_RAW",
                                                     "IPC_LOCK",
                                                     "IPC_OWNER",
                                                     "SYS_MODULE",
                                                     "SYS_RAWIO",
                                                     "SYS_CHROOT",
                                                     "SYS_PTRACE",
                                                     "SYS_PACCT",
                                                     "SYS_ADMIN",
                                                     "SYS_BOOT",
                                                     "SYS_NICE",
                                                     "SYS_RESOURCE",
                                                     "SYS_TIME",
                                                     "SYS_TTY_CONFIG",
                                                     "MKNOD",
                                                     "LEASE",
                                                     "AUDIT_WRITE",
                                                     "AUDIT_CONTROL",
                                                     "SETFCAP",
                                                     "MAC_OVERRIDE",
                                                     "MAC_ADMIN",
                                                     "SYSLOG",
                                                     "WAKE_ALARM",
                                                     "BLOCK_SUSPEND",
                                                     "AUDIT_READ",
                                                     "PERFMON",
                                                     "BPF",
                                                     "CHECKPOINT_RESTORE"};

constexpr Capabilities bit(int number) { return Capabilities{1} << number; }

// containerd's and Docker's.
constexpr Capabilities kDefault = bit(0) | bit(1) | bit(3) | bit(4) | bit(5) | bit(6) | bit(7) | bit(8) | bit(10) | bit(13) |
                                  bit(18) | bit(27) | bit(29) | bit(31);

Result<Capabilities> setOf(const Json& list, const std::string& field) {
  Capabilities set = 0;
  for (const Json& item : list) {
    const std::string name = item.is_string() ? item.get<std::string>() : "";
    std::string upper = name;
    for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    if (upper == "ALL") {
      set = kAllCapabilities;
      continue;
    }
    const auto number = capabilityNumber(name);
    if (!number) return fail(Code::Invalid, fmt::format("{}: \"{}\" is not a Linux capability", field, name));
    set |= bit(*number);
  }
  return set;
}

Result<Capabilities> capabilitiesOf(const Json& context, const std::string& where) {
  const Json& wanted = at(context, "capabilities");
  SLIP_TRY(const Capabilities add, setOf(at(wanted, "add"), where + ".capabilities.add"));
  SLIP_TRY(const Capabilities drop, setOf(at(wanted, "drop"), where + ".capabilities.drop"));
  // What is named beats ALL, as in container runtimes: drop ALL, add NET_BIND_SERVICE leaves that one.
  if (drop == kAllCapabilities) return add;
  return (kDefault | add) & ~drop;
}

std::optional<std::int64_t> numberAt(const Json& container, const Json& pod, const char* field) {
  for (const Json* context : {&container, &pod})
    if (at(*context, field).is_number_integer()) return at(*context, field).get<std::int64_t>();
  return std::nullopt;
}

bool flagAt(const Json& container, const Json& pod, const char* field) {
  return at(container, field).is_boolean() ? boolAt(container, field) : boolAt(pod, field);
}

Status checkPlatform(const Security& s, const PlatformUser& me, const std::string& where) {
  if (me.user == 0) return {};
  const auto refuse = [&](const char* field, std::int64_t value) {
    return fail(Code::Invalid,
                fmt::format("{}.{}: {} is not possible on this node: the platform runs as user {} (group {}) and cannot "
                            "become another; run slipway as root or remove it",
                            where, field, value, me.user, me.group));
  };
  if (s.user && *s.user != me.user) return refuse("runAsUser", *s.user);
  if (s.group && *s.group != me.group) return refuse("runAsGroup", *s.group);
  for (const std::int64_t g : s.groups)
    if (g != me.group && std::find(me.groups.begin(), me.groups.end(), g) == me.groups.end())
      return refuse("fsGroup or supplementalGroups", g);
  return {};
}

}  // namespace

std::optional<int> capabilityNumber(std::string name) {
  for (char& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  if (name.starts_with("CAP_")) name = name.substr(4);
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<int>(found - kNames.begin());
}

PlatformUser PlatformUser::current() {
  PlatformUser me{static_cast<std::int64_t>(::geteuid()), static_cast<std::int64_t>(::getegid()), {}};
  std::array<gid_t, 1024> groups{};
  const int n = ::getgroups(static_cast<int>(groups.size()), groups.data());
  for (int i = 0; i < n; ++i) me.groups.push_back(static_cast<std::int64_t>(groups[static_cast<std::size_t>(i)]));
  return me;
}

std::optional<std::int64_t> fsGroupOf(const Json& pod) {
  return numberAt(Json(), at(pod, "spec", "securityContext"), "fsGroup");
}

Result<Security> securityOf(const Json& pod, const Json& container, const PlatformUser& platform, ProgramOrigin origin) {
  const Json& whole = at(pod, "spec", "securityContext");
  const Json& own = at(container, "securityContext");
  const std::string name = textAt(container, "name");
  const std::string where = fmt::format("container {}: securityContext", name);
  Security s;
  s.user = numberAt(own, whole, "runAsUser");
  s.group = numberAt(own, whole, "runAsGroup");
  // A user without a group gets root's, as for a user that the image does not know.
  if (s.user && !s.group && platform.user == 0) s.group = 0;
  for (const Json& g : at(whole, "supplementalGroups"))
    if (g.is_number_integer()) s.groups.push_back(g.get<std::int64_t>());
  if (const auto fsGroup = fsGroupOf(pod)) s.groups.push_back(*fsGroup);
  s.readOnlyRoot = boolAt(own, "readOnlyRootFilesystem");
  s.noNewPrivileges = at(own, "allowPrivilegeEscalation").is_boolean() && !boolAt(own, "allowPrivilegeEscalation");
  SLIP_TRY(s.capabilities, capabilitiesOf(own, where));
  if (!origin.image) SLIP_CHECK(checkPlatform(s, platform, where));
  if (!flagAt(own, whole, "runAsNonRoot")) return s;
  const Json& meta = at(pod, "metadata");
  const std::string imageUser = origin.imageUser.substr(0, origin.imageUser.find(':'));
  const bool numeric = !imageUser.empty() && imageUser.find_first_not_of("0123456789") == std::string::npos;
  if (origin.image && !s.user && !imageUser.empty() && !numeric && imageUser != "root")
    return fail(Code::Invalid,
                fmt::format("container has runAsNonRoot and image has non-numeric user ({}), cannot verify user is "
                            "non-root (pod: \"{}_{}({})\", container: {})",
                            imageUser, textAt(meta, "name"), textAt(meta, "namespace"), textAt(meta, "uid"), name));
  const bool imageRoot = imageUser.empty() || imageUser == "root" || (numeric && std::atoll(imageUser.c_str()) == 0);
  const bool root = s.user ? *s.user == 0 : origin.image ? imageRoot : platform.user == 0;
  // Our own programs run no code of the user's.
  if (root && (s.user || !origin.ours)) {
    return fail(Code::Invalid,
                s.user ? fmt::format("container's runAsUser breaks non-root policy (pod: \"{}_{}({})\", container: {})",
                                     textAt(meta, "name"), textAt(meta, "namespace"), textAt(meta, "uid"), name)
                       : fmt::format("container has runAsNonRoot and image will run as root (pod: \"{}_{}({})\", container: "
                                     "{}); set runAsUser",
                                     textAt(meta, "name"), textAt(meta, "namespace"), textAt(meta, "uid"), name));
  }
  return s;
}

}  // namespace slipway::node
