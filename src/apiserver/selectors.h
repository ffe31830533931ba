// Label and field selectors of lists, watches and delete-collection, parsed as Kubernetes does.
//
//   auto s = Selector::parse("pods", "app=web,tier in (a,b),!old", "status.phase!=Failed");   if (s->matches(*entry)) …
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "apiserver/entry.h"
#include "base/result.h"

namespace slipway::apiserver {

struct Requirement {
  enum class Op { In, NotIn, Exists, NotExists, Greater, Less } op = Op::In;
  std::string key;
  std::vector<std::string> values;
  bool matches(const std::string* value) const;  // null: the key is absent
};

// Error BadRequest, e.g. `unable to parse requirement: found '=', expected: identifier`.
Result<std::vector<Requirement>> parseLabelSelector(std::string_view text);
// field=value, ==, != separated by commas; values may escape ',', '=' and '\' with a backslash.
Result<std::vector<Requirement>> parseFieldSelector(std::string_view text);

class Selector {
 public:
  Selector() = default;  // matches everything
  // Error BadRequest also for a field that `resource` does not know: `field label not supported: spec.foo`.
  static Result<Selector> parse(const std::string& resource, std::string_view labels, std::string_view fields);
  bool matches(const Entry& entry) const;
  bool empty() const { return labels_.empty() && fields_.empty(); }
  std::string exactName() const;  // of metadata.name=X; empty if there is none

 private:
  std::vector<Requirement> labels_, fields_;
};

}  // namespace slipway::apiserver
