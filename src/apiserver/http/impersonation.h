// Impersonation: a request on behalf of another user (Impersonate-User, -Group, -Uid, -Extra-KEY), when RBAC lets the caller
// impersonate each of them.
#pragma once
#include "apiserver/http/authorizer.h"
#include "net/http.h"

namespace slipway::apiserver {

// The user that the request acts as: `user` when it has no such header. Errors: Forbidden in kube-apiserver's words,
// BadRequest.
Result<UserInfo> impersonate(const net::Request& request, const UserInfo& user, const Authorizer& authorizer,
                             const Catalog& catalog);

}  // namespace slipway::apiserver
