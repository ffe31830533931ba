#include "node/shim/confine.h"

#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace slipway::node {
namespace {

std::string because(const std::string& what) { return fmt::format("securityContext: {}: {}", what, std::strerror(errno)); }

// What exec gives a root program is the bounding set and the inheritable one: both shrink.
std::string limitCapabilities(Capabilities keep) {
  if (keep == kAllCapabilities) return "";
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  for (int c = 0; c < 64; ++c) {
    if ((keep >> c & 1) != 0 || ::prctl(PR_CAPBSET_READ, c) != 1) continue;
    // A normal user's programs have no capabilities to lose.
    if (::prctl(PR_CAPBSET_DROP, c) != 0 && ::geteuid() == 0) return because(fmt::format("cannot drop capability {}", c));
  }
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2]{};
  if (::syscall(SYS_capget, &header, data) != 0) return because("cannot read capabilities");
  data[0].inheritable &= static_cast<std::uint32_t>(keep);
  data[1].inheritable &= static_cast<std::uint32_t>(keep >> 32);
  if (::syscall(SYS_capset, &header, data) != 0) return because("cannot set capabilities");
  return "";
}

// Opening /dev/stdout or one's own terminal by name asks for the rights of a file, which the pipe's maker, root, has.
void ownStreams(const Security& s) {
  if (!s.user || ::geteuid() != 0) return;
  for (int fd = 0; fd < 3; ++fd) {
    struct stat info{};
    const bool shared = ::fstat(fd, &info) != 0 || (S_ISCHR(info.st_mode) && info.st_rdev == makedev(1, 3));  // /dev/null
    if (!shared) (void)!::fchown(fd, static_cast<uid_t>(*s.user), static_cast<gid_t>(-1));
  }
}

std::string becomeUser(const Security& s) {
  if (!s.user && !s.group && s.groups.empty()) return "";
  if (::geteuid() != 0) return "";  // securityOf has made sure that nothing would change
  std::vector<gid_t> groups;
  for (const std::int64_t g : s.groups) groups.push_back(static_cast<gid_t>(g));
  if (::setgroups(groups.size(), groups.data()) != 0) return because("cannot set supplementalGroups");
  if (s.group && ::setresgid(static_cast<gid_t>(*s.group), static_cast<gid_t>(*s.group), static_cast<gid_t>(*s.group)) != 0)
    return because(fmt::format("cannot become group {}", *s.group));
  if (s.user && ::setresuid(static_cast<uid_t>(*s.user), static_cast<uid_t>(*s.user), static_cast<uid_t>(*s.user)) != 0)
    return because(fmt::format("cannot become user {}", *s.user));
  return "";
}

}  // namespace

std::string confine(const Security& s) {
  ownStreams(s);
  std::string why = limitCapabilities(s.capabilities);
  if (why.empty()) why = becomeUser(s);
  if (why.empty() && s.noNewPrivileges && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    why = because("cannot forbid privilege escalation");
  return why;
}

}  // namespace slipway::node
