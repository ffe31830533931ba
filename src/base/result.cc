#include "base/result.h"

namespace slipway {

int httpStatus(Code code) {
  switch (code) {
    case Code::BadRequest: return 400;
    case Code::Unauthorized: return 401;
    case Code::Forbidden: return 403;
    case Code::NotFound: return 404;
    case Code::MethodNotAllowed: return 405;
    case Code::AlreadyExists: return 409;
    case Code::Conflict: return 409;
    case Code::Gone: return 410;
    case Code::TooLarge: return 413;
    case Code::UnsupportedMedia: return 415;
    case Code::Invalid: return 422;
    case Code::TooMany: return 429;
    case Code::Cancelled: return 499;
    case Code::Internal: return 500;
    case Code::Unimplemented: return 501;
    case Code::BadGateway: return 502;
    case Code::Unavailable: return 503;
    case Code::Timeout: return 504;
  }
  return 500;
}

Code codeFromHttp(int status) {
  switch (status) {
    case 401: return Code::Unauthorized;
    case 403: return Code::Forbidden;
    case 404: return Code::NotFound;
    case 405: return Code::MethodNotAllowed;
    case 409: return Code::Conflict;
    case 410: return Code::Gone;
    case 413: return Code::TooLarge;
    case 415: return Code::UnsupportedMedia;
    case 422: return Code::Invalid;
    case 429: return Code::TooMany;
    case 499: return Code::Cancelled;
    case 501: return Code::Unimplemented;
    case 502: return Code::BadGateway;
    case 503: return Code::Unavailable;
    case 504: return Code::Timeout;
    default: return status >= 500 ? Code::Internal : Code::BadRequest;
  }
}

const char* codeName(Code code) {
  switch (code) {
    case Code::BadRequest: return "BadRequest";
    case Code::Unauthorized: return "Unauthorized";
    case Code::Forbidden: return "Forbidden";
    case Code::NotFound: return "NotFound";
    case Code::MethodNotAllowed: return "MethodNotAllowed";
    case Code::AlreadyExists: return "AlreadyExists";
    case Code::Conflict: return "Conflict";
    case Code::Gone: return "Gone";
    case Code::TooLarge: return "TooLarge";
    case Code::UnsupportedMedia: return "UnsupportedMedia";
    case Code::Invalid: return "Invalid";
    case Code::TooMany: return "TooMany";
    case Code::Cancelled: return "Cancelled";
    case Code::Internal: return "Internal";
    case Code::Unimplemented: return "Unimplemented";
    case Code::BadGateway: return "BadGateway";
    case Code::Unavailable: return "Unavailable";
    case Code::Timeout: return "Timeout";
  }
  return "Unknown";
}

}  // namespace slipway
