// AWS Signature Version 4 for requests without a body. Pure functions.
//
//   Headers h = signV4({"GET", "examplebucket.s3.amazonaws.com", "/test.txt", "", {{"Range", "bytes=0-9"}}}, credentials,
//   time);
#pragma once
#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace slipway::storage {

using HeaderList = std::vector<std::pair<std::string, std::string>>;
using QueryList = std::vector<std::pair<std::string, std::string>>;

struct SigV4Request {
  std::string method;
  std::string host;    // as in the Host header, with the port unless it is the scheme's own
  std::string path;    // percent-encoded, begins with '/'
  std::string query;   // canonicalQuery()
  HeaderList headers;  // further headers to sign
};

struct SigV4Credentials {
  std::string accessKey, secretKey, sessionToken, region;
  std::string service = "s3";
};

// request.headers and what the signature adds: x-amz-date, x-amz-content-sha256, x-amz-security-token, Authorization.
HeaderList signV4(const SigV4Request& request, const SigV4Credentials& credentials,
                  std::chrono::system_clock::time_point time);

// Percent-encodes all but unreserved characters (and, for paths, '/').
std::string encodeUri(std::string_view text, bool keepSlash);
// "a=1&b=2", encoded and sorted by name, as both the URL and the signature need it.
std::string canonicalQuery(QueryList query);

std::string sha256Hex(std::string_view bytes);

}  // namespace slipway::storage
