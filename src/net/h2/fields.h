// Internal to net: HTTP header fields as HTTP/2 has them: names in lower case, no fields of one connection (RFC 9113
// §8.2.2), values without control characters.
#pragma once
#include <nghttp2/nghttp2.h>

#include <span>
#include <string>
#include <vector>

#include "net/http.h"

namespace slipway::net::h2 {

// A list of fields for nghttp2, which copies it when it is submitted.
class FieldList {
 public:
  void add(std::string_view name, std::string_view value);
  // All of `headers` but those that HTTP/2 forbids, Host, and Content-Length unless `keepLength`.
  void addAll(const Headers& headers, bool keepLength);
  const nghttp2_nv* data();
  std::size_t size() const { return places_.size(); }

 private:
  struct Place {
    std::size_t at, nameSize, valueSize;
  };
  std::string text_;
  std::vector<Place> places_;
  std::vector<nghttp2_nv> fields_;
};

}  // namespace slipway::net::h2
