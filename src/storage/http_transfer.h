// One HTTP(S) download at a time over libcurl, connection kept for the next. Blocking; one per thread.
//
//   HttpTransfer http(settings.transfer);
//   Result<HttpReply> r = http.get({.url = "https://host/file", .headers = {{"Range", "bytes=0-9"}}}, sink);
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "storage/settings.h"
#include "storage/sigv4.h"

namespace slipway::storage {

struct HttpGet {
  std::string url;
  HeaderList headers;  // sent to the first host only; a redirect to another host gets none of them
  bool head = false;
  bool followRedirects = true;  // at most 10, never from https to http
};

struct HttpReply {
  int status = 0;
  std::map<std::string, std::string> headers;  // lower-case names
  std::string body;                            // of errors (first 64 KiB), and of successes without a sink (at most 64 MiB)
  std::string url;                             // after redirects
};

// Takes a piece of a 2xx body; false stops the transfer with the sink's own error.
using ByteSink = std::function<bool(std::string_view)>;

class HttpTransfer {
 public:
  explicit HttpTransfer(const TransferSettings& settings);
  ~HttpTransfer();
  // Any HTTP answer is a value. Errors: Unavailable (cannot resolve, connect or verify; broken off), Timeout, Cancelled (the
  // sink said false). Each names the host and what to check.
  Result<HttpReply> get(HttpGet request, const ByteSink& sink = {});

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The host and port of an http(s) URL as in a Host header; empty when it is not one.
std::string hostOf(std::string_view url);

}  // namespace slipway::storage
