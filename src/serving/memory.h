// Gives memory back to the kernel. An idle model server is counted in hundreds on one node, so what only start-up or one
// large request touched should not stay resident.
//
//   releaseStartupPages();   // once, when ready
#pragma once

namespace slipway::serving {

// Drops the resident pages of program and library files that hold nothing but what the files hold: relocation, symbol lookup
// and static initialisers read far more of them than serving does. They come back from the page cache when touched.
// Thread-safe.
void releaseStartupPages();
// Returns free heap to the kernel; after a large request.
void releaseFreeHeap();

}  // namespace slipway::serving
