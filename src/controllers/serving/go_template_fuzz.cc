// Any text is a template: it must expand or be refused, never crash, hang or grow without bound.
#include <cstdint>

#include "controllers/serving/go_template.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const slipway::Json dot = slipway::Json::parse(R"({"Name": "n", "Labels": {"a": "b"}, "Annotations": {}})");
  auto out = slipway::isvc::expandTemplate({reinterpret_cast<const char*>(data), size}, dot);
  if (out && out->size() > 2 * slipway::isvc::kMaxExpanded + size) __builtin_trap();
  return 0;
}
