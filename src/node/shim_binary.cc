#include "node/shim_binary.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "base/log.h"
#include "node/shim/launch_file.h"

extern "C" const char slipwayShimBegin[];
extern "C" const char slipwayShimEnd[];
extern char** environ;

namespace slipway::node {
namespace {
namespace fs = std::filesystem;

std::string hashOf(std::string_view bytes) {
  std::uint64_t hash = 1469598103934665603ull;  // FNV-1a
  for (const unsigned char c : bytes) hash = (hash ^ c) * 1099511628211ull;
  return fmt::format("{:016x}", hash);
}

// The folder may be mounted noexec, which only a try tells.
bool runs(const std::string& path) {
  std::vector<std::string> words{path, "check"};
  std::vector<char*> argv{words[0].data(), words[1].data(), nullptr};
  pid_t pid = 0;
  if (posix_spawn(&pid, path.c_str(), nullptr, nullptr, argv.data(), environ) != 0) return false;
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

std::vector<std::string> installShim(const std::string& dir) {
  const std::vector<std::string> itself{"/proc/self/exe", "node-exec"};
  const std::string_view bytes(slipwayShimBegin, static_cast<std::size_t>(slipwayShimEnd - slipwayShimBegin));
  std::error_code ec;
  const fs::path folder = fs::absolute(dir, ec) / "bin";
  fs::create_directories(folder, ec);
  const std::string name = "slipway-shim-" + hashOf(bytes);
  const std::string path = (folder / name).string();
  const auto size = fs::file_size(path, ec);
  if (ec || size != bytes.size()) {
    const Status written = writeFileAtomic(path, std::string(bytes), 0755);
    if (!written) {
      logWarn("{}; this binary is its own shim, which costs 12 MB for each container", written.error().message);
      return itself;
    }
  }
  if (!runs(path)) {
    logWarn(
        "{} cannot be run (is the folder mounted noexec?); this binary is its own shim, which costs 12 MB for each "
        "container",
        path);
    return itself;
  }
  // Those of other versions may still run; their files are not needed for that.
  for (const auto& entry : fs::directory_iterator(folder, ec)) {
    const std::string other = entry.path().filename().string();
    if (other.starts_with("slipway-shim-") && other != name) fs::remove(entry.path(), ec);
  }
  return {path};
}

}  // namespace slipway::node
