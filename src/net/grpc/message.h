// gRPC's form of HTTP/2 messages, as plain functions: frames of length-prefixed messages, status trailers, timeouts.
// Source: gRPC's PROTOCOL-HTTP2 document.
//
//   std::string body;  grpc::appendFrame(body, message, false);
//   Response r = grpc::failure({Code::NotFound, "Model with name x does not exist.", ""});
#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "net/http.h"

namespace slipway::net::grpc {

enum class StatusCode {
  Ok = 0,
  Cancelled = 1,
  Unknown = 2,
  InvalidArgument = 3,
  DeadlineExceeded = 4,
  NotFound = 5,
  AlreadyExists = 6,
  PermissionDenied = 7,
  ResourceExhausted = 8,
  FailedPrecondition = 9,
  Aborted = 10,
  Unimplemented = 12,
  Internal = 13,
  Unavailable = 14,
  Unauthenticated = 16,
};
StatusCode statusOf(Code code);

// Content type application/grpc, application/grpc+proto and so on; not grpc-web.
bool isGrpc(const Headers& headers);

// One message as it lies in a body: a flag, its length in four bytes, its bytes.
struct Frame {
  std::string_view message;
  bool compressed = false;
  std::size_t size = 0;  // of the whole frame
};
// The frame at the start of `bytes`; nullopt: more bytes are needed. Errors: TooLarge beyond maxMessage, BadRequest for an
// unknown flag.
Result<std::optional<Frame>> takeFrame(std::string_view bytes, std::size_t maxMessage);
void appendFrame(std::string& out, std::string_view message, bool compressed);

// "100m", "5S": at most eight digits and a unit (H M S m u n). nullopt: malformed.
std::optional<std::chrono::nanoseconds> parseTimeout(std::string_view text);

// grpc-status and, for a failure, grpc-message (percent-encoded, at most 4 KiB).
void setStatus(Headers& headers, StatusCode code, std::string_view message);
Headers okTrailers();
// An answer without messages: everything in one header block. HTTP status 200, as gRPC has it.
Response failure(const Error& error);
Response failure(StatusCode code, std::string_view message);

}  // namespace slipway::net::grpc
