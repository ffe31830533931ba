// ImagePrograms: which program of this machine stands for a container image. Built-in defaults for the serving runtimes and
// the storage initializer; ConfigMap `slipway-images` in namespace `kserve` adds to them and wins. Each of its data values
// holds lines `PATTERN = PROGRAM [ARG…]`; `*` in a pattern matches anything, a program `slipway` is this binary itself.
//
//   auto argv = ImagePrograms::fromConfigMap(cm).find("kserve/sklearnserver:v0.15");   // {"slipway", "model-server"}
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "data/json.h"

namespace slipway::node {

inline constexpr const char* kImagesNamespace = "kserve";
inline constexpr const char* kImagesName = "slipway-images";

class ImagePrograms {
 public:
  static ImagePrograms defaults();
  // Defaults and the ConfigMap's lines; a null Json gives the defaults. Lines that are wrong are named in *warnings.
  static ImagePrograms fromConfigMap(const Json& configMap, std::vector<std::string>* warnings = nullptr);
  std::optional<std::vector<std::string>> find(const std::string& image) const;

 private:
  struct Entry {
    std::string pattern;
    std::vector<std::string> argv;
  };
  std::vector<Entry> entries_;  // first match counts
};

struct ContainerProgram {
  std::vector<std::string> argv;
  bool known = false;   // a program that takes mount paths from its arguments and environment
  bool podman = false;  // argv is only what follows the image
};
// What to run for this container. `self`: this binary; `env` expands $(VAR) in command and args; hasPodman: installed here.
// Error NotFound: `image "x" has no local program: add it to ConfigMap kserve/slipway-images or install podman`.
Result<ContainerProgram> programFor(const Json& container, const ImagePrograms& images, const std::string& self,
                                    bool hasPodman);

// `*` matches any run of characters.
bool globMatches(std::string_view pattern, std::string_view text);
// Splits at blanks; single and double quotes keep blanks.
std::vector<std::string> splitWords(const std::string& text);

}  // namespace slipway::node
