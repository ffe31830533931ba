#include "node/shim/mount_namespace.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "node/shim/launch_file.h"

namespace slipway::node {
namespace {
namespace fs = std::filesystem;

constexpr std::size_t kMaxEntries = 2000;  // of a folder that must be rebuilt to hold a mount point

tl::unexpected<Error> errnoFail(Code code, const std::string& what) {
  return fail(code, fmt::format("{}: {}", what, std::strerror(errno)));
}

Status unshareMounts() {
  if (::unshare(CLONE_NEWNS) == 0) return {};
  const unsigned uid = ::geteuid();
  const unsigned gid = ::getegid();
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return errnoFail(Code::Unavailable, "no mount namespace");
  auto put = [](const char* path, const std::string& text) {
    const int fd = ::open(path, O_WRONLY | O_CLOEXEC);
    const bool ok = fd >= 0 && ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    if (fd >= 0) ::close(fd);
    return ok;
  };
  put("/proc/self/setgroups", "deny");
  // The same ids inside as outside: the program must not believe that it is root.
  if (!put("/proc/self/uid_map", fmt::format("{} {} 1", uid, uid)) ||
      !put("/proc/self/gid_map", fmt::format("{} {} 1", gid, gid)))
    return errnoFail(Code::Unavailable, "no user namespace");
  return {};
}

bool isDirectory(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

bool exists(const std::string& path) {
  struct stat info{};
  return ::lstat(path.c_str(), &info) == 0;
}

void makeFile(const std::string& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (fd >= 0) ::close(fd);
}

// Shows the host's entry `from` at `to`, which lies in a memory-backed folder of ours. Entries that cannot be bound are left
// out.
void mirror(const std::string& from, const std::string& to) {
  struct stat info{};
  if (::lstat(from.c_str(), &info) != 0) return;
  if (S_ISLNK(info.st_mode)) {
    std::error_code ec;
    fs::copy_symlink(from, to, ec);
    return;
  }
  if (S_ISDIR(info.st_mode)) {
    ::mkdir(to.c_str(), info.st_mode & 07777);
  } else {
    makeFile(to);
  }
  ::mount(from.c_str(), to.c_str(), nullptr, MS_BIND | MS_REC, nullptr);
}

std::vector<std::string> entriesOf(const std::string& folder) {
  std::vector<std::string> names;
  DIR* dir = ::opendir(folder.c_str());
  if (dir == nullptr) return names;
  while (const dirent* entry = ::readdir(dir)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  ::closedir(dir);
  return names;
}

// Replaces the folder at `host` in the new root by a memory-backed one with the same entries.
Status rebuildFolder(const std::string& host, const std::string& newRoot) {
  // What the new root shows there, which may be a volume rather than this machine's folder, goes aside first.
  const std::string aside = newRoot + "/.slipway-aside";
  ::mkdir(aside.c_str(), 0755);
  if (::mount((newRoot + host).c_str(), aside.c_str(), nullptr, MS_BIND | MS_REC, nullptr) != 0)
    return errnoFail(Code::Unavailable, "cannot bind " + host);
  const std::vector<std::string> names = entriesOf(aside);
  if (names.size() > kMaxEntries)
    return fail(Code::Invalid, fmt::format("mountPath below {}: the folder has {} entries; create the mount point there",
                                           host, names.size()));
  const std::string inside = newRoot + host;
  if (::mount("tmpfs", inside.c_str(), "tmpfs", MS_NOSUID, "mode=0755") != 0)
    return errnoFail(Code::Unavailable, "tmpfs on " + inside);
  for (const std::string& name : names) mirror(aside + "/" + name, inside + "/" + name);
  ::umount2(aside.c_str(), MNT_DETACH);
  ::rmdir(aside.c_str());
  return {};
}

// /dev as containers have it: the usual devices and accelerators, not the whole machine's.
Status makeDev(const std::string& newRoot, const std::string& terminationLog) {
  const std::string dev = newRoot + "/dev";
  ::mkdir(dev.c_str(), 0755);
  if (::mount("tmpfs", dev.c_str(), "tmpfs", MS_NOSUID, "mode=0755") != 0)
    return errnoFail(Code::Unavailable, "tmpfs on /dev");
  for (const std::string& name : entriesOf("/dev")) {
    static const std::set<std::string> wanted = {"null", "zero", "full",   "random", "urandom",    "tty",    "ptmx",
                                                 "pts",  "shm",  "mqueue", "fd",     "stdin",      "stdout", "stderr",
                                                 "core", "fuse", "dri",    "kfd",    "infiniband", "log"};
    if (wanted.contains(name) || name.starts_with("nvidia")) mirror("/dev/" + name, dev + "/" + name);
  }
  if (!terminationLog.empty()) mirror(terminationLog, dev + "/termination-log");
  return {};
}

Status makeRoot(const std::string& newRoot, const std::string& terminationLog) {
  if (::mount("tmpfs", newRoot.c_str(), "tmpfs", MS_NOSUID, "mode=0755") != 0)
    return errnoFail(Code::Unavailable, "tmpfs on " + newRoot);
  // Unbindable: binding the folder that holds it must not bring it along into itself.
  ::mount(nullptr, newRoot.c_str(), nullptr, MS_UNBINDABLE, nullptr);
  for (const std::string& name : entriesOf("/")) {
    if (name != "dev") mirror("/" + name, newRoot + "/" + name);
  }
  return makeDev(newRoot, terminationLog);
}

// The path with symbolic links of its existing part followed inside the new root (links there mean the new root's paths).
std::string resolveInside(const std::string& newRoot, const std::string& target) {
  std::string done;
  std::deque<std::string> rest;
  auto push = [&rest](const std::string& path) {
    std::vector<std::string> parts;
    for (const fs::path& part : fs::path(path))
      if (part != "/" && part != "." && !part.empty()) parts.push_back(part.string());
    rest.insert(rest.begin(), parts.begin(), parts.end());
  };
  push(target);
  for (int links = 0; !rest.empty();) {
    const std::string part = rest.front();
    rest.pop_front();
    if (part == "..") {
      done = done.substr(0, done.rfind('/') == std::string::npos ? 0 : done.rfind('/'));
      continue;
    }
    const std::string next = done + "/" + part;
    std::error_code ec;
    const fs::path link = fs::read_symlink(newRoot + next, ec);
    if (ec || ++links > 40) {
      done = next;
      continue;
    }
    if (link.is_absolute()) done.clear();
    push(link.string());
  }
  return done.empty() ? "/" : done;
}

// Makes `target` exist in the new root as a folder or file. `ours` holds the folders that are memory-backed or lie inside a
// volume: making an entry there leaves no trace on the host.
Status makeMountPoint(const std::string& newRoot, const std::string& target, bool directory, std::set<std::string>& ours) {
  if (exists(newRoot + target)) return {};
  std::string existing = target;
  while (!existing.empty() && !exists(newRoot + existing)) existing = existing.substr(0, existing.rfind('/'));
  if (!existing.empty() && !ours.contains(existing)) {
    SLIP_CHECK(rebuildFolder(existing, newRoot));
    ours.insert(existing);
  }
  std::string path = existing;
  for (const fs::path& part : fs::path(target.substr(existing.size()))) {
    if (part == "/" || part.empty()) continue;
    path += "/" + part.string();
    if (path == target && !directory) {
      makeFile(newRoot + path);
    } else if (::mkdir((newRoot + path).c_str(), 0755) != 0 && errno != EEXIST) {
      return errnoFail(Code::Invalid, "cannot make mount point " + target);
    }
    ours.insert(path);
  }
  return {};
}

// Everything but what programs of a read-only container may write all the same: devices, shared memory, /proc.
Status makeReadOnly(const std::string& newRoot) {
  mount_attr lock{};
  lock.attr_set = MOUNT_ATTR_RDONLY;
  if (::syscall(SYS_mount_setattr, AT_FDCWD, newRoot.c_str(), AT_RECURSIVE, &lock, sizeof lock) != 0)
    return errnoFail(Code::Invalid, "readOnlyRootFilesystem (needs Linux 5.12)");
  mount_attr unlock{};
  unlock.attr_clr = MOUNT_ATTR_RDONLY;
  for (const char* path : {"/dev", "/dev/shm", "/dev/mqueue", "/dev/termination-log", "/proc"})
    ::syscall(SYS_mount_setattr, AT_FDCWD, (newRoot + path).c_str(), 0, &unlock, sizeof unlock);
  return {};
}

bool isInside(const std::string& path, const std::string& folder) {
  return path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/';
}

Status bindVolume(const std::string& newRoot, const Mount& m, const std::string& target) {
  const std::string at = newRoot + target;
  if (::mount(m.source.c_str(), at.c_str(), nullptr, MS_BIND | MS_REC, nullptr) != 0)
    return errnoFail(Code::Invalid, fmt::format("cannot mount {} at {}", m.source, m.target));
  if (!m.readOnly) return {};
  // In a user namespace the flags that the mount came with must stay.
  unsigned long flags = MS_BIND | MS_REMOUNT | MS_RDONLY;
  struct statvfs info{};
  if (::statvfs(at.c_str(), &info) == 0) {
    if (info.f_flag & ST_NOSUID) flags |= MS_NOSUID;
    if (info.f_flag & ST_NODEV) flags |= MS_NODEV;
    if (info.f_flag & ST_NOEXEC) flags |= MS_NOEXEC;
  }
  if (::mount(nullptr, at.c_str(), nullptr, flags, nullptr) != 0)
    return errnoFail(Code::Invalid, fmt::format("cannot make {} read-only", m.target));
  return {};
}

bool isBorder(char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '_' && c != '-' && c != '.'; }

std::string replacePath(const std::string& text, const std::string& from, const std::string& to) {
  std::string out;
  std::size_t done = 0;
  for (std::size_t hit = text.find(from); hit != std::string::npos; hit = text.find(from, hit + from.size())) {
    const std::size_t end = hit + from.size();
    const bool starts = hit == 0 || (isBorder(text[hit - 1]) && text[hit - 1] != '/');
    if (!starts || (end < text.size() && !isBorder(text[end]))) continue;
    out += text.substr(done, hit - done) + to;
    done = end;
  }
  return out + text.substr(done);
}

}  // namespace

Status enterMountNamespace(const Launch& launch) {
  SLIP_CHECK(unshareMounts());
  // In a chroot "/" is no mount and cannot be marked; the new root below is private by itself.
  ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
  const std::string newRoot = launch.folder + "/root";
  ::mkdir(newRoot.c_str(), 0755);
  const std::string terminationLog = launch.folder + "/termination-log";
  makeFile(terminationLog);
  SLIP_CHECK(makeRoot(newRoot, terminationLog));
  std::vector<Mount> mounts = launch.mounts;
  std::sort(mounts.begin(), mounts.end(), [](const Mount& a, const Mount& b) {
    return std::pair(a.target.size(), a.target) < std::pair(b.target.size(), b.target);
  });
  std::set<std::string> ours{"/dev"};
  if (!launch.workingDir.empty()) {
    // As container runtimes do: a working folder that the image lacks is made.
    const std::string folder = resolveInside(newRoot, launch.workingDir);
    const bool inVolume = std::any_of(mounts.begin(), mounts.end(),
                                      [&](const Mount& m) { return folder == m.target || isInside(folder, m.target); });
    if (!inVolume) SLIP_CHECK(makeMountPoint(newRoot, folder, true, ours));
  }
  if (launch.security.readOnlyRoot) {
    for (const Mount& m : mounts) {
      const bool nested =
          std::any_of(mounts.begin(), mounts.end(), [&](const Mount& o) { return isInside(m.target, o.target); });
      if (!nested) SLIP_CHECK(makeMountPoint(newRoot, resolveInside(newRoot, m.target), isDirectory(m.source), ours));
    }
    SLIP_CHECK(makeReadOnly(newRoot));
  }
  for (const Mount& m : mounts) {
    const std::string target = resolveInside(newRoot, m.target);
    SLIP_CHECK(makeMountPoint(newRoot, target, isDirectory(m.source), ours));
    SLIP_CHECK(bindVolume(newRoot, m, target));
    // A mount point inside a writable volume is made in the volume, as container runtimes do.
    if (m.readOnly) {
      ours.erase(target);
    } else {
      ours.insert(target);
    }
  }
  if (::chdir(newRoot.c_str()) != 0 || ::chroot(".") != 0) return errnoFail(Code::Unavailable, "chroot " + newRoot);
  return {};
}

void substituteMounts(Launch* launch) {
  std::vector<Mount> mounts = launch->mounts;
  std::sort(mounts.begin(), mounts.end(), [](const Mount& a, const Mount& b) { return a.target.size() > b.target.size(); });
  // Two passes through placeholders, so that a replacement is not itself replaced.
  for (std::size_t i = 0; i < mounts.size(); ++i) {
    const std::string token = fmt::format("\x01{}\x02", i);
    for (std::string& a : launch->argv) a = replacePath(a, mounts[i].target, token);
    for (std::string& e : launch->env) e = replacePath(e, mounts[i].target, token);
    launch->workingDir = replacePath(launch->workingDir, mounts[i].target, token);
  }
  for (std::size_t i = 0; i < mounts.size(); ++i) {
    const std::string token = fmt::format("\x01{}\x02", i);
    auto restore = [&](std::string& text) {
      for (std::size_t hit = text.find(token); hit != std::string::npos; hit = text.find(token))
        text.replace(hit, token.size(), mounts[i].source);
    };
    for (std::string& a : launch->argv) restore(a);
    for (std::string& e : launch->env) restore(e);
    restore(launch->workingDir);
  }
}

}  // namespace slipway::node
