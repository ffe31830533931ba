#include "objects/schema/names.h"

#include <cstdint>

namespace slipway::names {
namespace {

constexpr std::string_view kRegex = ", regex used for validation is '";

bool lower(char c) { return c >= 'a' && c <= 'z'; }
bool digit(char c) { return c >= '0' && c <= '9'; }
bool letter(char c) { return lower(c) || (c >= 'A' && c <= 'Z'); }
bool alnum(char c) { return letter(c) || digit(c); }

bool isLabel(std::string_view v) {
  if (v.empty() || !(lower(v.front()) || digit(v.front())) || !(lower(v.back()) || digit(v.back()))) return false;
  return std::all_of(v.begin(), v.end(), [](char c) { return lower(c) || digit(c) || c == '-'; });
}

bool isSubdomain(std::string_view v) {
  while (true) {
    const auto dot = v.find('.');
    if (!isLabel(v.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    v.remove_prefix(dot + 1);
  }
}

// ([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]
bool isWord(std::string_view v) {
  if (v.empty() || !alnum(v.front()) || !alnum(v.back())) return false;
  return std::all_of(v.begin(), v.end(), [](char c) { return alnum(c) || c == '-' || c == '_' || c == '.'; });
}

std::string tooLong(std::size_t limit) { return fmt::format("must be no more than {} bytes", limit); }

}  // namespace

std::string subdomain(std::string_view value) {
  if (value.size() > 253) return tooLong(253);
  if (isSubdomain(value)) return "";
  return "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
         "end "
         "with an alphanumeric character (e.g. 'example.com'" +
         std::string(kRegex) + R"([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*'))";
}

std::string label(std::string_view value) {
  if (value.size() > 63) return tooLong(63);
  if (isLabel(value)) return "";
  return "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
         "an "
         "alphanumeric character (e.g. 'my-name',  or '123-abc'" +
         std::string(kRegex) + "[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
}

std::string label1035(std::string_view value) {
  if (value.size() > 63) return tooLong(63);
  if (isLabel(value) && lower(value.front())) return "";
  return "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
         "and end "
         "with an alphanumeric character (e.g. 'my-name',  or 'abc-123'" +
         std::string(kRegex) + "[a-z]([-a-z0-9]*[a-z0-9])?')";
}

std::string pathSegment(std::string_view value) {
  if (value == "." || value == "..") return fmt::format("may not be '{}'", value);
  if (value.find('/') != std::string_view::npos) return "may not contain '/'";
  return value.find('%') != std::string_view::npos ? "may not contain '%'" : "";
}

std::string qualified(std::string_view value) {
  const auto slash = value.find('/');
  std::string_view name = value;
  if (slash != std::string_view::npos) {
    const std::string_view prefix = value.substr(0, slash);
    name = value.substr(slash + 1);
    if (prefix.empty()) return "prefix part must be non-empty";
    if (const auto why = subdomain(prefix); !why.empty()) return "prefix part " + why;
  }
  if (name.empty()) return "name part must be non-empty";
  if (name.size() > 63) return "name part " + tooLong(63);
  if (isWord(name)) return "";
  const bool twice = name.find('/') != std::string_view::npos;
  return std::string(twice ? "a qualified name " : "name part ") +
         "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
         "(e.g. "
         "'MyName',  or 'my.name',  or '123-abc'" +
         std::string(kRegex) + "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')" +
         (twice ? " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')" : "");
}

std::string labelValue(std::string_view value) {
  if (value.size() > 63) return tooLong(63);
  if (value.empty() || isWord(value)) return "";
  return "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
         "end "
         "with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345'" +
         std::string(kRegex) + "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
}

std::string portName(std::string_view value) {
  if (value.size() > 15) return tooLong(15);
  if (!std::all_of(value.begin(), value.end(), [](char c) { return lower(c) || digit(c) || c == '-'; })) {
    return "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)";
  }
  if (std::none_of(value.begin(), value.end(), lower)) return "must contain at least one letter (a-z)";
  if (value.find("--") != std::string_view::npos) return "must not contain consecutive hyphens";
  return value.front() == '-' || value.back() == '-' ? "must not begin or end with a hyphen" : "";
}

std::string environment(std::string_view value) {
  const bool good = std::all_of(value.begin(), value.end(), [](char c) { return c >= 0x20 && c <= 0x7e && c != '='; });
  return good ? "" : "a valid environment variable name must consist only of printable ASCII characters other than '='";
}

std::string configKey(std::string_view value) {
  if (value.size() > 253) return tooLong(253);
  if (value == "." || value == "..") return fmt::format("must not be '{}'", value);
  if (!value.empty() &&
      std::all_of(value.begin(), value.end(), [](char c) { return alnum(c) || c == '-' || c == '_' || c == '.'; }))
    return "";
  return "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or "
         "'key-name'" +
         std::string(kRegex) + "[-._a-zA-Z0-9]+')";
}

std::string portNumber(std::int64_t value) {
  return value >= 1 && value <= 65535 ? "" : "must be between 1 and 65535, inclusive";
}

}  // namespace slipway::names
