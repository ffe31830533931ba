// The container's view of files: a private mount namespace whose root is made of bind mounts of this machine's, with the
// pod's volumes where the manifest says. Nothing is created outside the run's folder: where a mount point does not exist
// here, its nearest existing folder is replaced, in this view only, by a memory-backed one that holds the same entries.
// Works as root and, through a user namespace, as a normal user. Called in the forked child just before exec.
//
//   Status s = enterMountNamespace(launch);     // not possible here: Unavailable; the volumes are wrong: Invalid
#pragma once
#include <string>
#include <vector>

#include "base/result.h"
#include "node/runtime.h"

namespace slipway::node {

// The run's file termination-log appears as /dev/termination-log.
Status enterMountNamespace(const Launch& launch);

// Where no namespace can be had: every mount path at a path border in argv and env becomes the volume's own path. Longest
// path first. Programs that open the path themselves, without being told it, do not see it.
void substituteMounts(Launch* launch);

}  // namespace slipway::node
