// Starts the container's program: fork, cgroup, mount namespace, working folder, exec. Used by the shim.
#pragma once
#include <string>

#include "base/result.h"
#include "node/runtime.h"
#include "node/shim/cgroup.h"

namespace slipway::node {

struct Program {
  int pid = 0;   // leader of its own session and process group
  int in = -1;   // write end of its input; -1: it has none
  int out = -1;  // read ends of its output; of a terminal both directions are one descriptor each, and err is -1
  int err = -1;
  std::string note;  // what this machine could not give
};

// cgroup may be null. Error: the message that the pod's status shows, e.g. `exec: "x": executable file not found in $PATH`.
Result<Program> startProgram(const Launch& launch, const Cgroup* cgroup);

// Replaces the process by argv with this environment; PATH of `env` is searched. Only returns on failure, with the message.
std::string execProgram(const std::vector<std::string>& argv, const std::vector<std::string>& env);

// A mount made in a namespace that shares its propagation with ours would show here too; takes it away again.
void unmountLeaked(const std::string& folder);

}  // namespace slipway::node
