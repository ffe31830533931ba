#include "serving/content_coding.h"

#include "data/gzip.h"

namespace slipway::serving {
namespace {

constexpr std::size_t kWorthPacking = 4096;

std::string_view trimmed(std::string_view s) {
  while (!s.empty() && s.front() == ' ') s.remove_prefix(1);
  while (!s.empty() && s.back() == ' ') s.remove_suffix(1);
  return s;
}

// "deflate, gzip;q=0.5" takes gzip, "gzip;q=0" does not.
bool takesGzip(std::string_view list) {
  while (!list.empty()) {
    const auto comma = std::min(list.find(','), list.size());
    const auto item = list.substr(0, comma);
    list.remove_prefix(std::min(comma + 1, list.size()));
    const auto semicolon = std::min(item.find(';'), item.size());
    if (!net::iequals(trimmed(item.substr(0, semicolon)), "gzip")) continue;
    const auto weight = trimmed(item.substr(std::min(semicolon + 1, item.size())));
    return weight.find_first_not_of("q=0. ") != std::string_view::npos || weight.empty();
  }
  return false;
}

}  // namespace

Result<Decoded> decodeContent(const net::Headers& headers, std::string_view body, std::size_t limit) {
  const auto coding = headers.getOr("content-encoding", "identity");
  if (net::iequals(coding, "identity") || coding.empty()) return Decoded{body, {}};
  if (!net::iequals(coding, "gzip") && !net::iequals(coding, "x-gzip"))
    return fail(Code::UnsupportedMedia,
                fmt::format("Content-Encoding '{}' is not supported: send gzip or an unpacked body", coding));
  auto raw = gunzip(body, limit);
  if (!raw) return failIn("request body", std::move(raw).error());
  return Decoded{{}, std::move(*raw)};
}

void encodeContent(const net::Headers& request, net::Response& response) {
  if (response.body.streaming() || response.body.bytes().size() < kWorthPacking) return;
  response.headers.set("Vary", "Accept-Encoding");
  if (!takesGzip(request.getOr("accept-encoding", ""))) return;
  response.body = net::Body(gzip(response.body.bytes()));
  response.headers.set("Content-Encoding", "gzip");
}

}  // namespace slipway::serving
