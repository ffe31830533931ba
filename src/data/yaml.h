// YAML to JSON, typed as Kubernetes types it: yes, on and y are booleans, 0755 is octal, 1_000 is 1000, dates stay text,
// keys become text, << merges. Pure, thread-safe.
//
//   auto docs = parseYamlDocuments(text);   if (!docs) … "line 3, column 7: …"
//
// Untrusted input is bounded: text size, nesting, and the number of values after aliases are expanded ("billion laughs").
#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "data/json.h"

namespace slipway {

struct YamlLimits {
  std::size_t bytes = 16 << 20;
  int depth = 100;
  std::size_t values = 1'000'000;  // scalars, lists and maps, aliases counted as what they stand for
};

// The single document of a text; null when it is empty. Error BadRequest also when there is a second one.
Result<Json> parseYaml(std::string_view text, const YamlLimits& limits = {});
// All documents, empty ones left out.
Result<std::vector<Json>> parseYamlDocuments(std::string_view text, const YamlLimits& limits = {});
// Block style, keys in the order of `value`, ends with a newline. Reads back as the same JSON.
std::string dumpYaml(const Json& value);

}  // namespace slipway
