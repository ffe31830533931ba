// Unpacks .tar, .tar.gz, .tgz and .zip into a folder without trusting them: nothing leaves the folder, and size, ratio and
// count are bounded. Blocking.
//
//   if (isArchive(name)) Status s = unpackArchive("/mnt/models/m.tgz", "/mnt/models", limits);
#pragma once
#include <filesystem>
#include <string>
#include <string_view>

#include "storage/settings.h"

namespace slipway::storage {

bool isArchive(const std::string& fileName);

// Refused (Invalid): absolute names and names with "..", links that lead out, devices, sockets and pipes, encrypted entries,
// an archive without files. TooLarge: past the limits, or the disk is full. What was written before the fault stays.
Status unpackArchive(const std::filesystem::path& archive, const std::filesystem::path& folder, const ArchiveLimits& limits);
// The same from memory; `name` stands in messages.
Status unpackBytes(std::string_view bytes, const std::string& name, const std::filesystem::path& folder,
                   const ArchiveLimits& limits);

}  // namespace slipway::storage
