// The rules for names, labels and other identifiers. Each function returns "" for a good value, else what is wrong with it
// in kube-apiserver's words. Pure, thread-safe.
//
//   if (auto why = names::subdomain(name); !why.empty()) …
#pragma once
#include <string>
#include <string_view>

namespace slipway::names {

std::string subdomain(std::string_view value);    // RFC 1123 subdomain, at most 253
std::string label(std::string_view value);        // RFC 1123 label, at most 63
std::string label1035(std::string_view value);    // starts with a letter: names of Services
std::string pathSegment(std::string_view value);  // RBAC names: anything that can stand between slashes
std::string qualified(std::string_view value);    // keys of labels and annotations, finalizers: [domain/]name
std::string labelValue(std::string_view value);
std::string portName(std::string_view value);     // IANA service name, at most 15
std::string environment(std::string_view value);  // names of environment variables: printable, no '='
std::string configKey(std::string_view value);    // keys of ConfigMaps and Secrets
std::string portNumber(std::int64_t value);

}  // namespace slipway::names
