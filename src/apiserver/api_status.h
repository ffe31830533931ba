// The Status objects of the Kubernetes API, in kube-apiserver's words, and the errors that carry them.
//
// An Error made here has its Status as JSON in `detail`; toStatus() makes one for any other Error. Pure functions.
//
//   if (!entry) return notFound(resource, name);
#pragma once
#include <string>
#include <vector>

#include "base/result.h"
#include "data/json.h"
#include "objects/schema/catalog.h"

namespace slipway::apiserver {

using Failure = tl::unexpected<Error>;

Failure notFound(const Resource& resource, const std::string& name);
Failure alreadyExists(const Resource& resource, const std::string& name);
// 409: `Operation cannot be fulfilled on RESOURCE "name": why`.
Failure conflict(const Resource& resource, const std::string& name, const std::string& why);
Failure modifiedConflict(const Resource& resource, const std::string& name);  // "the object has been modified; …"
Failure forbidden(const Resource& resource, const std::string& name, const std::string& why);
// 403 for what would be made in a namespace that is being deleted, with the cause NamespaceTerminating.
Failure namespaceTerminating(const Resource& resource, const std::string& name, const std::string& ns);
// 422 with every cause; an empty kind is "The request is invalid".
Failure invalid(const Resource& resource, const std::string& name, const std::vector<FieldError>& causes);
Failure invalidPatch(const std::string& patched, const std::string& why);
Failure rejectedPatch(const std::string& why);  // 422: a JSON patch that does not fit the object
Failure badRequest(const std::string& message);
Failure unauthorized();
Failure noSuchPath();  // 404: the server could not find the requested resource
Failure methodNotAllowed(const std::string& method);
Failure expired(std::uint64_t revision, std::uint64_t oldest);  // 410 "too old resource version: N (M)"
// 504: a revision that this server has not reached (yet).
Failure tooLargeRevision(std::uint64_t asked, std::uint64_t current);
// 410 of a list that cannot be shown as it was; `continueToken` goes on in the present state, if there is one.
Failure listExpired(const std::string& message, const std::string& continueToken = "");
// 500 with no reason, as kube-apiserver answers when etcd has no space left.
Failure noSpace(const std::string& message);
Failure notAcceptable(const std::string& message);  // 406
Failure unsupportedMediaType(const std::vector<std::string>& accepted);

// The Status object of an error, with `code` as HTTP sees it.
Json toStatus(const Error& error);
// 200 answer of a delete that removed the object.
Json deletedStatus(const Resource& resource, const std::string& name, const std::string& uid);

}  // namespace slipway::apiserver
