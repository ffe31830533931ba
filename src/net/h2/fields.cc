#include "net/h2/fields.h"

namespace slipway::net::h2 {
namespace {

bool forbidden(std::string_view name, std::string_view value) {
  switch (name.size()) {
    case 2: return iequals(name, "te") && !iequals(value, "trailers");
    case 4: return iequals(name, "host");
    case 7: return iequals(name, "upgrade");
    case 10: return iequals(name, "connection") || iequals(name, "keep-alive");
    case 14: return iequals(name, "http2-settings");
    case 16: return iequals(name, "proxy-connection");
    case 17: return iequals(name, "transfer-encoding");
    default: return name.empty() || name.front() == ':';
  }
}

std::string_view trimmed(std::string_view s) {
  while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
  while (!s.empty() && (s.back() == ' ' || s.back() == '\t')) s.remove_suffix(1);
  return s;
}

}  // namespace

void FieldList::add(std::string_view name, std::string_view value) {
  value = trimmed(value);
  const auto at = text_.size();
  text_.append(name).append(value);
  for (std::size_t i = at; i < at + name.size(); ++i) {
    if (text_[i] >= 'A' && text_[i] <= 'Z') text_[i] = static_cast<char>(text_[i] | 0x20);
  }
  for (std::size_t i = at + name.size(); i < text_.size(); ++i) {
    const auto c = static_cast<unsigned char>(text_[i]);
    if ((c < 0x20 && c != '\t') || c == 0x7f) text_[i] = ' ';
  }
  places_.push_back({at, name.size(), value.size()});
}

void FieldList::addAll(const Headers& headers, bool keepLength) {
  for (const auto& [name, value] : headers) {
    if (forbidden(name, value) || (!keepLength && iequals(name, "content-length"))) continue;
    if (!nghttp2_check_header_name(reinterpret_cast<const std::uint8_t*>(name.data()), name.size())) {
      // Upper case is not allowed there, though the name is a good one otherwise.
      std::string lower(name);
      for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
      if (!nghttp2_check_header_name(reinterpret_cast<const std::uint8_t*>(lower.data()), lower.size())) continue;
    }
    add(name, value);
  }
}

const nghttp2_nv* FieldList::data() {
  fields_.clear();
  auto* base = reinterpret_cast<std::uint8_t*>(text_.data());
  for (const Place& p : places_)
    fields_.push_back({base + p.at, base + p.at + p.nameSize, p.nameSize, p.valueSize, NGHTTP2_NV_FLAG_NONE});
  return fields_.data();
}

}  // namespace slipway::net::h2
