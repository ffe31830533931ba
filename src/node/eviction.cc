#include "node/eviction.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "node/quantity.h"
#include "node/shim/launch_file.h"

namespace slipway::node {
namespace {
namespace fs = std::filesystem;

constexpr int kMaxEntries = 1'000'000;

std::int64_t bytesOf(const Json& object, const char* field) { return wholeOf(textAt(object, field, "0")).value_or(0); }

std::string quantityText(std::int64_t bytes) {
  if (bytes % (1 << 20) == 0) return fmt::format("{}Mi", bytes >> 20);
  return fmt::format("{}Ki", bytes / 1024);
}

}  // namespace

std::int64_t availableMemoryOfMachine() {
  std::stringstream in(readWholeFile("/proc/meminfo", 65536).value_or(""));
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("MemAvailable:")) return 1024 * std::atoll(line.c_str() + 13);
  return -1;
}

std::optional<std::size_t> memoryVictim(const std::vector<PodUse>& pods) {
  if (pods.empty()) return std::nullopt;
  const auto rank = [](const PodUse& p) {
    const std::int64_t over = p.memory - p.request;
    return std::tuple(over <= 0, p.priority, -over);
  };
  const auto first =
      std::min_element(pods.begin(), pods.end(), [&](const PodUse& a, const PodUse& b) { return rank(a) < rank(b); });
  return static_cast<std::size_t>(first - pods.begin());
}

std::string memoryMessage(const PodUse& victim, std::int64_t available, const EvictionRule& rule) {
  std::string text = fmt::format("The node was low on resource: memory. Threshold quantity: {}, available: {}. ",
                                 quantityText(rule.leastMemory), quantityText(available));
  if (victim.container.empty()) return text;
  return text + fmt::format("Container {} was using {}, request is {}, has larger consumption of memory. ", victim.container,
                            quantityText(victim.containerMemory),
                            victim.containerRequest == 0 ? "0" : quantityText(victim.containerRequest));
}

bool hasStorageLimits(const Json& pod) {
  for (const Json& v : at(pod, "spec", "volumes"))
    if (at(v, "emptyDir", "sizeLimit").is_string()) return true;
  for (const Json& c : at(pod, "spec", "containers"))
    if (at(c, "resources", "limits", "ephemeral-storage").is_string()) return true;
  return false;
}

std::optional<std::string> storageBreach(const Json& pod, const StorageUse& use) {
  std::int64_t total = 0;
  for (const Json& v : at(pod, "spec", "volumes")) {
    const Json& empty = at(v, "emptyDir");
    const std::string name = textAt(v, "name");
    const auto found = use.volumes.find(name);
    if (!empty.is_object() || found == use.volumes.end()) continue;
    if (textAt(empty, "medium") != "Memory") total += found->second;
    const std::int64_t limit = bytesOf(empty, "sizeLimit");
    if (limit > 0 && found->second > limit)
      return fmt::format("Usage of EmptyDir volume \"{}\" exceeds the limit \"{}\". ", name, textAt(empty, "sizeLimit"));
  }
  std::int64_t allowed = 0;
  bool everyOneLimited = true;
  for (const Json& c : at(pod, "spec", "containers")) {
    const std::string name = textAt(c, "name");
    const Json& limits = at(c, "resources", "limits");
    const std::int64_t limit = bytesOf(limits, "ephemeral-storage");
    const auto found = use.containers.find(name);
    const std::int64_t used = found == use.containers.end() ? 0 : found->second;
    total += used;
    allowed += limit;
    everyOneLimited = everyOneLimited && limit > 0;
    if (limit > 0 && used > limit)
      return fmt::format("Container {} exceeded its local ephemeral storage limit \"{}\". ", name,
                         textAt(limits, "ephemeral-storage"));
  }
  // What the containers share counts against all their limits together.
  if (everyOneLimited && allowed > 0 && total > allowed)
    return fmt::format("Pod ephemeral local storage usage exceeds the total limit of containers {}. ",
                       quantityText(allowed));
  return std::nullopt;
}

std::int64_t bytesBelow(const std::string& folder) {
  std::error_code ec;
  std::int64_t total = 0;
  int entries = 0;
  for (fs::recursive_directory_iterator it(folder, fs::directory_options::skip_permission_denied, ec), end;
       !ec && it != end && entries < kMaxEntries; it.increment(ec), ++entries) {
    struct stat info{};
    if (::lstat(it->path().c_str(), &info) == 0) total += static_cast<std::int64_t>(info.st_blocks) * 512;
  }
  return total;
}

}  // namespace slipway::node
