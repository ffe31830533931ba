// A temporary folder that goes with its owner, and small file functions for tests.
#pragma once
#include <filesystem>
#include <string>

namespace slipway::storage::testing {

class Folder {
 public:
  Folder();
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  operator const std::filesystem::path&() const { return path; }  // NOLINT: implicit on purpose
  std::filesystem::path operator/(const std::string& name) const { return path / name; }
  std::filesystem::path path;
};

void writeFile(const std::filesystem::path& path, const std::string& text);
std::string readFile(const std::filesystem::path& path);     // "<missing>" when it cannot be read
std::string listFiles(const std::filesystem::path& folder);  // relative paths of files and links, sorted, by spaces

}  // namespace slipway::storage::testing
