// How a list is asked for and which state it shows: pages with continue tokens, resourceVersion and resourceVersionMatch, as
// kube-apiserver reads them. Pure; Registry::page() does the reading.
#pragma once
#include <optional>
#include <string>

#include "apiserver/registry.h"

namespace slipway::apiserver {

// Which state a page shows, and after which object it begins.
struct ListStart {
  std::optional<std::uint64_t> exactly;  // the state at this revision; else the present one
  std::uint64_t atLeast = 0;             // the present one must have reached it
  bool resumes = false;                  // after ns/name
  std::string ns, name;
};

// Error Invalid (ListOptions, 422) for combinations that kube-apiserver refuses, BadRequest for what cannot be read.
Result<ListStart> listStart(const ListQuery& query);
// As listStart refuses, for watches. `sendInitialEvents`: the parameter was given at all.
Status checkWatchOptions(const std::string& match, bool sendInitialEvents);
// The number of a resourceVersion; "" is 0.
Result<std::uint64_t> parseRevision(const std::string& text);

// The token that goes on after `last` in the state at `revision`; nullopt: in the present one.
std::string continueToken(std::optional<std::uint64_t> revision, const std::string& ns, const std::string& name);

}  // namespace slipway::apiserver
