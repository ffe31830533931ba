// Any text as a label selector and a field selector: a selector or an error, never a crash.
#include "apiserver/selectors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static const auto kEntry =
      apiserver::makeEntry("pods", Json{{"metadata", {{"name", "p"}, {"labels", {{"app", "web"}}}}}}, 1);
  for (const bool labels : {true, false}) {
    auto selector = apiserver::Selector::parse("pods", labels ? text : "", labels ? "" : text);
    if (selector) (void)selector->matches(*kEntry);
  }
  return 0;
}
