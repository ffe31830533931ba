// FullDisk: a file layer for SQLite in which the disk is full after so many writes, for tests: StoreOptions{.vfs =
// "full-disk"}.
//
//   FullDisk::install();   FullDisk::writesLeft = 3;   …   FullDisk::writesLeft = FullDisk::kRoom;   // space is back
#pragma once
#include <atomic>

namespace slipway::apiserver {

struct FullDisk {
  static constexpr long kRoom = -1;
  static std::atomic<long> writesLeft;
  static void install();
};

}  // namespace slipway::apiserver
