// Small parsers that see text straight from a URL or a manifest: selectors, quantities, base64, JSON pointers, scalars.
#include <cstdint>
#include <cstdlib>

#include "data/base64.h"
#include "data/json_pointer.h"
#include "data/quantity.h"
#include "data/selectors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const slipway::Json labels = {{"a", "b"}, {"n", "5"}};
  if (const auto s = slipway::LabelSelector::parse(text)) s->matches(labels);
  if (const auto s = slipway::FieldSelector::parse(text)) s->matches(labels);
  if (const auto q = slipway::parseQuantity(text)) {
    const auto again = slipway::parseQuantity(q->canonical());
    if (!again || !(*again == *q)) std::abort();  // the canonical form means the same
  }
  if (const auto bytes = slipway::base64Decode(text)) {
    if (*slipway::base64Decode(slipway::base64Encode(*bytes)) != *bytes) std::abort();
  }
  if (const auto steps = slipway::pointerSteps(text)) slipway::pointerFind(labels, *steps);
  return 0;
}
