// JSON bodies from untrusted clients, and JSONPath over them.
#include <cstdint>
#include <cstdlib>

#include "data/json.h"
#include "data/json_path.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto newline = text.find('\n');
  if (const auto value = slipway::parseJson(text.substr(newline == std::string_view::npos ? 0 : newline + 1))) {
    const auto again = slipway::parseJson(slipway::dumpJson(*value));
    if (!again) std::abort();
    if (const auto path = slipway::JsonPath::compile(text.substr(0, newline))) path->find(*value);
  }
  return 0;
}
