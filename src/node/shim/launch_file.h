// The files through which the platform and a container's shim speak: they outlive both, so that a platform which crashed
// finds out what runs and how it ended.
//
//   FOLDER/spec.json   what to run (mode 0600: it holds resolved secrets)      platform -> shim
//   FOLDER/shim.json   who the shim is: pid, start time, boot id; and the program's pid
//   FOLDER/exit.json   how it ended
#pragma once
#include <optional>
#include <string>

#include "base/result.h"
#include "node/runtime.h"

namespace slipway::node {

struct ShimRecord {
  int pid = 0;
  std::uint64_t startTicks = 0;  // field 22 of /proc/PID/stat: with the boot id it names a process for ever
  std::string bootId;
  int childPid = 0;  // 0: not started yet
  WallTime startedAt;
  std::string cgroup;  // "", or the container's cgroup path below the controllers' mounts
};

Status writeSpec(const Launch& launch);
Result<Launch> readSpec(const std::string& path);
Status writeShimRecord(const std::string& folder, const ShimRecord& record);
std::optional<ShimRecord> readShimRecord(const std::string& folder);
Status writeExitRecord(const std::string& folder, const ContainerExit& exit);

std::string bootId();                 // "" where /proc does not tell
std::uint64_t startTicksOf(int pid);  // 0: no such process
bool isAlive(const ShimRecord& record);

// Writes `text` to path through a temporary file and rename, so that a reader sees all of it or nothing.
Status writeFileAtomic(const std::string& path, const std::string& text, int mode);
// Overwrites the file at path without replacing it, so that where it is mounted the new text shows. Nothing happens when it
// already says so. Mode 0644.
Status writeFileInPlace(const std::string& path, const std::string& text);
// Whole file, at most `limit` bytes of it; nullopt when it cannot be read.
std::optional<std::string> readWholeFile(const std::string& path, std::size_t limit = 16 << 20);

}  // namespace slipway::node
