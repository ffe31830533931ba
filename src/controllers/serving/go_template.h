// The part of Go's text/template that KServe's runtimes and domain templates use: fields, map entries, `index`, `print`,
// `printf`, pipelines and trim markers. No loops, no conditions: a text that has them is refused by name. Pure; input is
// untrusted (any runtime author's), output is bounded by kMaxExpanded.
//
//   Result<std::string> text = expandTemplate("--model_name={{.Name}}", metadataDot(isvc));
#pragma once
#include <string>
#include <string_view>

#include "base/result.h"
#include "data/json.h"

namespace slipway::isvc {

inline constexpr std::size_t kMaxExpanded = 1 << 20;

// `dot` is a record: naming a field it lacks is an error, as for a Go struct. Objects inside it are maps: a missing entry
// renders as nothing. Error Invalid: `{{ .Nope }}: no field Nope (known: Annotations, Labels, Name, Namespace)`.
Result<std::string> expandTemplate(std::string_view text, const Json& dot);

// The value with every text in it expanded (keys are left alone).
Result<Json> expandAll(const Json& value, const Json& dot);

// What a runtime's placeholders see: Name, Namespace, Labels, Annotations, UID of an object.
Json metadataDot(const Json& object);

}  // namespace slipway::isvc
