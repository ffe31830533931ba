#include "node/shim/launch_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "data/json.h"

namespace slipway::node {
namespace {

std::int64_t nanos(WallTime t) { return std::chrono::duration_cast<std::chrono::nanoseconds>(t.time_since_epoch()).count(); }
WallTime fromNanos(std::int64_t n) {
  return WallTime(std::chrono::duration_cast<WallTime::duration>(std::chrono::nanoseconds(n)));
}

std::vector<std::string> texts(const Json& list) {
  std::vector<std::string> out;
  if (list.is_array())
    for (const Json& item : list)
      if (item.is_string()) out.push_back(item.get<std::string>());
  return out;
}

Json securityJson(const Security& s) {
  return {{"user", s.user.value_or(-1)},    {"group", s.group.value_or(-1)},        {"groups", s.groups},
          {"capabilities", s.capabilities}, {"noNewPrivileges", s.noNewPrivileges}, {"readOnlyRoot", s.readOnlyRoot}};
}

// A spec of an older version has none: then nothing is taken away.
Security securityFrom(const Json& json) {
  Security s;
  if (const std::int64_t user = intAt(json, "user", -1); user >= 0) s.user = user;
  if (const std::int64_t group = intAt(json, "group", -1); group >= 0) s.group = group;
  for (const Json& g : at(json, "groups"))
    if (g.is_number_integer()) s.groups.push_back(g.get<std::int64_t>());
  const Json& capabilities = at(json, "capabilities");
  if (capabilities.is_number_unsigned()) s.capabilities = capabilities.get<std::uint64_t>();
  s.noNewPrivileges = boolAt(json, "noNewPrivileges");
  s.readOnlyRoot = boolAt(json, "readOnlyRoot");
  return s;
}

}  // namespace

Status writeFileAtomic(const std::string& path, const std::string& text, int mode) {
  const std::string temporary = path + ".new";
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
  if (fd < 0) return fail(Code::Internal, fmt::format("cannot write {}: {}", temporary, std::strerror(errno)));
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t n = ::write(fd, text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      const int error = errno;
      ::close(fd);
      ::unlink(temporary.c_str());
      return fail(Code::Internal, fmt::format("cannot write {}: {}", temporary, std::strerror(error)));
    }
    done += static_cast<std::size_t>(n);
  }
  ::fchmod(fd, static_cast<mode_t>(mode));  // exactly as asked, whatever the umask
  ::close(fd);
  if (::rename(temporary.c_str(), path.c_str()) != 0)
    return fail(Code::Internal, fmt::format("cannot rename {}: {}", temporary, std::strerror(errno)));
  return {};
}

Status writeFileInPlace(const std::string& path, const std::string& text) {
  const auto before = readWholeFile(path);
  if (before && *before == text) return {};
  if (!before) return writeFileAtomic(path, text, 0644);
  const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  const bool ok = fd >= 0 && ::pwrite(fd, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()) &&
                  ::ftruncate(fd, static_cast<off_t>(text.size())) == 0;
  const int error = errno;
  if (fd >= 0) ::close(fd);
  if (!ok) return fail(Code::Internal, fmt::format("cannot write {}: {}", path, std::strerror(error)));
  return {};
}

std::optional<std::string> readWholeFile(const std::string& path, std::size_t limit) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  std::string out;
  char buffer[16384];
  while (out.size() < limit) {
    const ssize_t n = ::read(fd, buffer, std::min(sizeof buffer, limit - out.size()));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    out.append(buffer, static_cast<std::size_t>(n));
  }
  ::close(fd);
  return out;
}

Status writeSpec(const Launch& l) {
  Json mounts = Json::array();
  for (const Mount& m : l.mounts) mounts.push_back({{"source", m.source}, {"target", m.target}, {"readOnly", m.readOnly}});
  const Json spec = {{"id", l.id},
                     {"podUid", l.podUid},
                     {"podName", l.podName},
                     {"namespace", l.ns},
                     {"container", l.container},
                     {"instance", l.instance},
                     {"argv", l.argv},
                     {"env", l.env},
                     {"workingDir", l.workingDir},
                     {"openStdin", l.openStdin},
                     {"stdinOnce", l.stdinOnce},
                     {"tty", l.tty},
                     {"mounts", mounts},
                     {"memoryLimit", l.memoryLimit},
                     {"cpuMillis", l.cpuMillis},
                     {"folder", l.folder},
                     {"logPath", l.logPath},
                     {"logMaxBytes", l.logMaxBytes},
                     {"logMaxFiles", l.logMaxFiles},
                     {"substituteMounts", l.substituteMounts},
                     {"security", securityJson(l.security)},
                     {"privateFiles", l.privateFiles},
                     {"execPrefix", l.execPrefix},
                     {"hostname", l.hostname},
                     {"stopSignal", l.stopSignal}};
  return writeFileAtomic(l.folder + "/spec.json", dumpJson(spec), 0600);
}

Result<Launch> readSpec(const std::string& path) {
  const auto text = readWholeFile(path);
  if (!text) return fail(Code::NotFound, fmt::format("cannot read {}: {}", path, std::strerror(errno)));
  SLIP_TRY(const Json spec, parseJson(*text));
  Launch l;
  l.id = textAt(spec, "id");
  l.podUid = textAt(spec, "podUid");
  l.podName = textAt(spec, "podName");
  l.ns = textAt(spec, "namespace");
  l.container = textAt(spec, "container");
  l.instance = static_cast<int>(intAt(spec, "instance"));
  l.argv = texts(at(spec, "argv"));
  l.env = texts(at(spec, "env"));
  l.workingDir = textAt(spec, "workingDir");
  l.openStdin = boolAt(spec, "openStdin");
  l.stdinOnce = boolAt(spec, "stdinOnce");
  l.tty = boolAt(spec, "tty");
  for (const Json& m : at(spec, "mounts"))
    l.mounts.push_back({textAt(m, "source"), textAt(m, "target"), boolAt(m, "readOnly")});
  l.memoryLimit = intAt(spec, "memoryLimit");
  l.cpuMillis = intAt(spec, "cpuMillis");
  l.folder = textAt(spec, "folder");
  l.logPath = textAt(spec, "logPath");
  l.logMaxBytes = static_cast<std::uint64_t>(intAt(spec, "logMaxBytes", 10 << 20));
  l.logMaxFiles = static_cast<int>(intAt(spec, "logMaxFiles", 5));
  l.substituteMounts = boolAt(spec, "substituteMounts");
  l.security = securityFrom(at(spec, "security"));
  l.privateFiles = boolAt(spec, "privateFiles", true);
  l.execPrefix = texts(at(spec, "execPrefix"));
  l.hostname = textAt(spec, "hostname");
  l.stopSignal = static_cast<int>(intAt(spec, "stopSignal", 15));
  if (l.argv.empty() || l.folder.empty() || l.logPath.empty())
    return fail(Code::Invalid, path + ": argv, folder and logPath must be set");
  return l;
}

Status writeShimRecord(const std::string& folder, const ShimRecord& r) {
  const Json json = {{"pid", r.pid},           {"startTicks", r.startTicks},      {"bootId", r.bootId},
                     {"childPid", r.childPid}, {"startedAt", nanos(r.startedAt)}, {"cgroup", r.cgroup}};
  return writeFileAtomic(folder + "/shim.json", dumpJson(json), 0600);
}

std::optional<ShimRecord> readShimRecord(const std::string& folder) {
  const auto text = readWholeFile(folder + "/shim.json");
  if (!text) return std::nullopt;
  const auto json = parseJson(*text);
  if (!json) return std::nullopt;
  ShimRecord r;
  r.pid = static_cast<int>(intAt(*json, "pid"));
  r.startTicks = static_cast<std::uint64_t>(intAt(*json, "startTicks"));
  r.bootId = textAt(*json, "bootId");
  r.childPid = static_cast<int>(intAt(*json, "childPid"));
  r.startedAt = fromNanos(intAt(*json, "startedAt"));
  r.cgroup = textAt(*json, "cgroup");
  return r;
}

Status writeExitRecord(const std::string& folder, const ContainerExit& e) {
  const Json json = {{"exitCode", e.exitCode},
                     {"signal", e.signal},
                     {"reason", e.reason},
                     {"message", e.message},
                     {"startedAt", nanos(e.startedAt)},
                     {"finishedAt", nanos(e.finishedAt)},
                     {"containerId", e.containerId}};
  return writeFileAtomic(folder + "/exit.json", dumpJson(json), 0600);
}

std::optional<ContainerExit> readExitRecord(const std::string& folder) {
  const auto text = readWholeFile(folder + "/exit.json");
  if (!text) return std::nullopt;
  const auto json = parseJson(*text);
  if (!json) return std::nullopt;
  ContainerExit e;
  e.exitCode = static_cast<int>(intAt(*json, "exitCode"));
  e.signal = static_cast<int>(intAt(*json, "signal"));
  e.reason = textAt(*json, "reason");
  e.message = textAt(*json, "message");
  e.startedAt = fromNanos(intAt(*json, "startedAt"));
  e.finishedAt = fromNanos(intAt(*json, "finishedAt"));
  e.containerId = textAt(*json, "containerId");
  return e;
}

std::string bootId() {
  auto text = readWholeFile("/proc/sys/kernel/random/boot_id", 64).value_or("");
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

std::uint64_t startTicksOf(int pid) {
  const auto text = readWholeFile(fmt::format("/proc/{}/stat", pid), 4096);
  if (!text) return 0;
  // The command name may hold spaces and brackets: count fields after the last ')'.
  const std::size_t close = text->rfind(')');
  if (close == std::string::npos || close + 2 >= text->size()) return 0;
  const char* cursor = text->c_str() + close + 2;
  if (*cursor == 'Z' || *cursor == 'X') return 0;  // dead, only not collected yet
  for (int field = 3; field < 22; ++field) {
    cursor = std::strchr(cursor, ' ');
    if (cursor == nullptr) return 0;
    ++cursor;
  }
  return std::strtoull(cursor, nullptr, 10);
}

bool isAlive(const ShimRecord& r) {
  return r.pid > 0 && r.startTicks != 0 && r.bootId == bootId() && startTicksOf(r.pid) == r.startTicks;
}

}  // namespace slipway::node
