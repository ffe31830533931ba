// JsonPath: the subset that printer columns and kubectl use: .a.b, ['a.b'], [0], [-1], [*], [1:3], ..name, and filters such
// as
// [?(@.type=='Ready')]. A compiled path is immutable, thread-safe.
//
//   auto path = JsonPath::compile(".status.conditions[?(@.type=='Ready')].status");
//   for (const Json* value : path->find(object)) …
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "data/json.h"

namespace slipway {

class JsonPath {
 public:
  // A leading $ or enclosing {} are optional. Error BadRequest with the position.
  static Result<JsonPath> compile(std::string_view text);
  // All matches in order; missing fields match nothing. Pointers into `root`. At most 10000.
  std::vector<const Json*> find(const Json& root) const;

  struct Step;

 private:
  std::vector<std::shared_ptr<const Step>> steps_;
};

}  // namespace slipway
