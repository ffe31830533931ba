// Text that users and programs write and the node reads: log lines, quantities, image lines, $(VAR), base64.
#include <cstdint>
#include <cstdlib>

#include "node/environment.h"
#include "node/image_programs.h"
#include "node/quantity.h"
#include "node/shim/cri_log.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway::node;
  const std::string text(reinterpret_cast<const char*>(data), size);
  CriLine line;
  if (parseCriLine(text, &line) && line.time.size() + line.stream.size() + line.text.size() + 4 != text.size()) std::abort();
  (void)milliOf(text);
  (void)wholeOf(text);
  if (size < 4096) (void)globMatches(text.substr(0, 32), text);
  if (!globMatches("*", text)) std::abort();
  if (decodeBase64(text).size() > size) std::abort();
  (void)expandVariables(text, {{"A", "value"}});
  std::vector<std::string> warnings;
  const ImagePrograms images = ImagePrograms::fromConfigMap({{"data", {{"images", text}}}}, &warnings);
  (void)images.find("kserve/sklearnserver:latest");
  return 0;
}
