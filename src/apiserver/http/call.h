// Call: one authenticated and authorised request on its way through the routes.
#pragma once
#include <optional>

#include "apiserver/admission.h"
#include "apiserver/http/content.h"
#include "apiserver/http/request_info.h"
#include "net/http.h"

namespace slipway::apiserver {

struct Call {
  net::Request request;
  RequestInfo info;
  UserInfo user;
  Accepted accepted;
  std::string body;             // read whole for methods that carry one
  std::shared_ptr<void> place;  // a watch's among those that may be open
};

}  // namespace slipway::apiserver
