#include "objects/schema/findings.h"

namespace slipway::schema {

std::string quotedValue(const Json& value) { return dumpJson(value); }

void Findings::add(const char* reason, std::string field, std::string message) {
  list.push_back({reason, std::move(field), std::move(message)});
}

void Findings::required(std::string field, const std::string& detail) {
  add("FieldValueRequired", std::move(field), detail.empty() ? "Required value" : "Required value: " + detail);
}

void Findings::invalid(std::string field, const Json& value, const std::string& detail) {
  add("FieldValueInvalid", std::move(field), "Invalid value: " + quotedValue(value) + (detail.empty() ? "" : ": " + detail));
}

void Findings::notSupported(std::string field, const Json& value, const std::vector<std::string_view>& supported) {
  std::string names;
  for (const auto s : supported) names += (names.empty() ? "" : ", ") + quotedValue(std::string(s));
  add("FieldValueNotSupported", std::move(field),
      "Unsupported value: " + quotedValue(value) + (names.empty() ? "" : ": supported values: " + names));
}

void Findings::duplicate(std::string field, const Json& value) {
  add("FieldValueDuplicate", std::move(field), "Duplicate value: " + quotedValue(value));
}

void Findings::forbidden(std::string field, const std::string& detail) {
  add("FieldValueForbidden", std::move(field), "Forbidden: " + detail);
}

void Findings::notFound(std::string field, const Json& value) {
  add("FieldValueNotFound", std::move(field), "Not found: " + quotedValue(value));
}

void Findings::tooLong(std::string field, std::size_t limitBytes) {
  add("FieldValueTooLong", std::move(field), fmt::format("Too long: may not be more than {} bytes", limitBytes));
}

void Findings::check(std::string field, const Json& value, const std::string& why) {
  if (!why.empty()) invalid(std::move(field), value, why);
}

}  // namespace slipway::schema
