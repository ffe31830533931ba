// Findings: the list of causes that one validation collects, in the words of Kubernetes' field errors. One thread.
//
//   findings.invalid("spec.replicas", -2, "must be greater than or equal to 0");
#pragma once
#include <string>
#include <vector>

#include "data/json.h"
#include "objects/schema/catalog.h"

namespace slipway::schema {

// A value as Go prints it in such messages: texts quoted, the rest as compact JSON.
std::string quotedValue(const Json& value);

class Findings {
 public:
  void add(const char* reason, std::string field, std::string message);
  void required(std::string field, const std::string& detail = "");
  void invalid(std::string field, const Json& value, const std::string& detail);
  void notSupported(std::string field, const Json& value, const std::vector<std::string_view>& supported);
  void duplicate(std::string field, const Json& value);
  void forbidden(std::string field, const std::string& detail);
  void notFound(std::string field, const Json& value);
  void tooLong(std::string field, std::size_t limitBytes);
  // invalid() unless `why`, the answer of a function of names.h, is empty.
  void check(std::string field, const Json& value, const std::string& why);

  std::vector<FieldError> list;
};

}  // namespace slipway::schema
