// YAML from untrusted clients: never crashes, and what it accepts survives being written and read again.
#include <cstdint>
#include <cstdlib>

#include "data/yaml.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  slipway::YamlLimits limits;
  limits.values = 10000;
  const auto docs = slipway::parseYamlDocuments({reinterpret_cast<const char*>(data), size}, limits);
  if (!docs) return 0;
  for (const auto& doc : *docs) {
    const auto again = slipway::parseYaml(slipway::dumpYaml(doc));
    if (!again && again.error().message.find("nested deeper") == std::string::npos) std::abort();
  }
  return 0;
}
