// Any bytes as an archive: never a crash, and nothing is written outside the target folder.
#include <cstdlib>

#include "storage/archive.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace fs = std::filesystem;
  using namespace slipway::storage;
  std::string name = fs::temp_directory_path() / "slipway-archive-fuzz-XXXXXX";
  const fs::path outer = mkdtemp(name.data());
  fs::create_directories(outer / "a/b");
  ArchiveLimits limits;
  limits.bytes = 1 << 20;
  limits.entries = 100;
  (void)unpackBytes({reinterpret_cast<const char*>(data), size}, "fuzz", outer / "a/b", limits);
  std::size_t outside = 0;
  for (const auto& entry : fs::recursive_directory_iterator(outer))
    if (!entry.path().string().starts_with((outer / "a/b").string())) ++outside;
  std::error_code ignored;
  fs::remove_all(outer, ignored);
  if (outside != 1) std::abort();  // only a/ itself
  return 0;
}
