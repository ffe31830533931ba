#include "storage/testing/folder.h"

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>

namespace slipway::storage::testing {
namespace fs = std::filesystem;

Folder::Folder() {
  std::string name = fs::temp_directory_path() / "slipway-storage-XXXXXX";
  path = mkdtemp(name.data());
}
Folder::~Folder() {
  std::error_code ignored;
  fs::remove_all(path, ignored);
}

void writeFile(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

std::string readFile(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return "<missing>";
  return std::string((std::istreambuf_iterator<char>(in)), {});
}

std::string listFiles(const fs::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (!entry.is_directory() || entry.is_symlink()) names.insert(entry.path().lexically_relative(folder).string());
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : " ") + name;
  return out;
}

}  // namespace slipway::storage::testing
