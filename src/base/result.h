// Result<T>: a value, or an Error that says what went wrong in one line.
//
// Expected faults (a missing object, bad input, an unreachable bucket) travel as Error values; exceptions stay inside
// third-party code and are caught at the module's edge. `code` decides the HTTP or gRPC status (httpStatus below), `message`
// is shown to the user as it is: it names the field or file, the value and the fix.
//
//   Result<Model> m = load(path);
//   if (!m) return fail(m.error().code, "model '" + name + "': " + m.error().message);
#pragma once
#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace slipway {

enum class Code {
  BadRequest,        // 400: cannot be understood
  Unauthorized,      // 401
  Forbidden,         // 403
  NotFound,          // 404
  MethodNotAllowed,  // 405
  AlreadyExists,     // 409 on create
  Conflict,          // 409 on update
  Gone,              // 410
  TooLarge,          // 413
  UnsupportedMedia,  // 415
  Invalid,           // 422: understood, but breaks a rule
  TooMany,           // 429
  Cancelled,         // 499: the caller left
  Internal,          // 500
  Unimplemented,     // 501
  BadGateway,        // 502
  Unavailable,       // 503
  Timeout,           // 504
};

int httpStatus(Code code);        // the status of the table above
Code codeFromHttp(int status);    // nearest Code; unknown 4xx -> BadRequest, unknown 5xx -> Internal
const char* codeName(Code code);  // "NotFound", for logs

struct Error {
  Code code = Code::Internal;
  std::string message;
  std::string detail;  // optional machine-readable form, e.g. a Kubernetes Status object as JSON text; empty if none
};

template <class T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

inline tl::unexpected<Error> fail(Code code, std::string message, std::string detail = {}) {
  return tl::unexpected<Error>(Error{code, std::move(message), std::move(detail)});
}
inline tl::unexpected<Error> fail(Error error) { return tl::unexpected<Error>(std::move(error)); }

// The same error with `context: ` in front of its message.
inline tl::unexpected<Error> failIn(const std::string& context, Error error) {
  error.message = context + ": " + error.message;
  return tl::unexpected<Error>(std::move(error));
}

// SLIP_TRY(auto x, expr): x = value of expr, or return its error. SLIP_CO_TRY does the same in a coroutine; write the await
// on a line of its own first (`auto r = co_await f();  SLIP_CO_TRY(auto x, std::move(r));`).
#define SLIP_CONCAT2(a, b) a##b
#define SLIP_CONCAT(a, b) SLIP_CONCAT2(a, b)
#define SLIP_TRY_IMPL(ret, tmp, lhs, ...)                \
  auto tmp = (__VA_ARGS__);                              \
  if (!tmp) ret ::slipway::fail(std::move(tmp).error()); \
  lhs = std::move(*tmp)
#define SLIP_TRY(lhs, ...) SLIP_TRY_IMPL(return, SLIP_CONCAT(slipTry_, __COUNTER__), lhs, __VA_ARGS__)
#define SLIP_CO_TRY(lhs, ...) SLIP_TRY_IMPL(co_return, SLIP_CONCAT(slipTry_, __COUNTER__), lhs, __VA_ARGS__)
#define SLIP_CHECK_IMPL(ret, tmp, ...)                     \
  do {                                                     \
    auto tmp = (__VA_ARGS__);                              \
    if (!tmp) ret ::slipway::fail(std::move(tmp).error()); \
  } while (false)
#define SLIP_CHECK(...) SLIP_CHECK_IMPL(return, SLIP_CONCAT(slipCheck_, __COUNTER__), __VA_ARGS__)
#define SLIP_CO_CHECK(...) SLIP_CHECK_IMPL(co_return, SLIP_CONCAT(slipCheck_, __COUNTER__), __VA_ARGS__)

}  // namespace slipway
