// Runtime: what starts and stops one container. ProcessRuntime (node/process_runtime.h) runs programs of this machine;
// testing/fake_runtime.h answers in tests. Used from the control loop only.
//
//   Result<Started> s = co_await runtime.start(launch);
//   ContainerExit e = co_await runtime.wait(launch.id);   // ends when the container has
#pragma once
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/task.h"
#include "node/pod_state.h"
#include "node/security.h"

namespace slipway::node {

struct Mount {
  std::string source;  // absolute path on this machine; a folder or a file
  std::string target;  // absolute path inside the container
  bool readOnly = false;
};

// Everything that one run of one container needs. It travels to the shim as a file (shim/launch_file.h).
struct Launch {
  std::string id;  // container id without scheme: 64 hex digits
  std::string podUid, podName, ns, container;
  int instance = 0;  // 0 for the first start, then 1, 2, …
  std::vector<std::string> argv;
  std::vector<std::string> env;               // NAME=value
  std::string workingDir;                     // empty: /
  bool openStdin = false, stdinOnce = false;  // whether attach may feed it, and whether the first client's end is its end
  bool tty = false;                           // its streams are a terminal
  std::vector<Mount> mounts;
  std::int64_t memoryLimit = 0;  // bytes; 0: none
  std::int64_t cpuMillis = 0;    // thousandths of a core; 0: none
  std::string folder;            // this run's own folder: spec, shim and exit records, root mount point
  std::string logPath;
  std::uint64_t logMaxBytes = 10 << 20;  // per file, then it is rotated
  int logMaxFiles = 5;                   // files kept, the current one included
  bool substituteMounts = false;         // where no mount namespace can be had: replace mount paths in argv and env instead
  Security security;
  bool privateFiles = true;             // false: it sees this machine's files as they are, without `mounts`
  std::vector<std::string> execPrefix;  // what exec puts in front of its command; then it runs outside, as the node
  std::string hostname;  // what the program's machine calls itself; empty, or where that cannot be: this machine's
  int stopSignal = 15;   // what terminate() sends
};

struct Started {
  int pid = 0;  // the program itself
  WallTime startedAt;
  std::string note;  // what this machine could not give (no cgroup, …); empty: all there
};

// The reason of a ContainerExit when the platform was killed while it started the container: its program never ran.
inline constexpr const char* kNeverStarted = "NeverStarted";

struct ExecResult {
  int exitCode = 0;
  std::string output;  // stdout and stderr together, at most 10 KiB
};

class Runtime {
 public:
  virtual ~Runtime() = default;
  // Error NotFound or Invalid when the program cannot be run: `exec: "x": executable file not found in $PATH`.
  virtual Task<Result<Started>> start(Launch launch) = 0;
  // Takes over what an earlier process of the platform started in `folder`. NotFound: nothing runs there any more.
  virtual Result<Started> adopt(const std::string& id, const std::string& folder) = 0;
  // Resumes when the container has ended and all its processes are gone.
  virtual Task<ContainerExit> wait(std::string id) = 0;
  virtual void terminate(const std::string& id) = 0;  // its stop signal to its process group
  virtual void kill(const std::string& id) = 0;       // SIGKILL to everything in it
  // Runs a program inside the container. Timeout when it takes longer (it is killed), NotFound when the container ends
  // before it.
  virtual Task<Result<ExecResult>> exec(std::string id, std::vector<std::string> argv, Duration timeout) = 0;
};

// How the run in `folder` ended, from its records; nullopt when they do not say (never started, or still running).
std::optional<ContainerExit> readExitRecord(const std::string& folder);

}  // namespace slipway::node
