// The shim: one small process per container, between the platform and the program. It outlives a crash of the platform,
// writes the container's log, holds its limits, and records how it ended. It is a small static program (node/shim_binary.h);
// where that cannot be run it is this same binary, started as `slipway node-exec …`.
//
//   node-exec check                    ends with 0: it can be run
//   node-exec run FOLDER               runs FOLDER/spec.json; answers on descriptor 3, see below
//   node-exec enter FOLDER PROGRAM…    runs PROGRAM inside the container that runs in FOLDER (exec probes, hooks)
//
// Descriptor 3 gets lines: `shim` once recorded on disk; then `started PID NOTE` or `failed MESSAGE`. If nobody reads any
// more at the first line, the shim ends without starting anything: the platform that wanted it is gone.
//
// Signals to the shim: SIGTERM goes on to the container's process group, SIGUSR1 kills everything in the container.
#pragma once

namespace slipway::node {

// argv: what follows `node-exec`. Returns the process's exit status. Single-threaded; call it before any thread exists.
int shimMain(int argc, char** argv);

}  // namespace slipway::node
