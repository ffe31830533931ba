#include "apiserver/list_rules.h"

#include <charconv>

#include "apiserver/api_status.h"
#include "data/base64.h"

namespace slipway::apiserver {
namespace {

Failure invalidOptions(const std::string& reason, const std::string& field, const std::string& message) {
  Resource options;
  options.group = "meta.k8s.io";
  options.kind = "ListOptions";
  return invalid(options, "", {{reason, field, message}});
}

Failure forbiddenMatch(const std::string& why) {
  return invalidOptions("FieldValueForbidden", "resourceVersionMatch", "Forbidden: " + why);
}

Status checkMatch(const ListQuery& query) {
  const std::string& match = query.resourceVersionMatch;
  if (match.empty()) return {};
  if (query.resourceVersion.empty())
    return forbiddenMatch("resourceVersionMatch is forbidden unless resourceVersion is provided");
  if (!query.continueToken.empty()) return forbiddenMatch("resourceVersionMatch is forbidden when continue is provided");
  if (match != "Exact" && match != "NotOlderThan") {
    return invalidOptions(
        "FieldValueNotSupported", "resourceVersionMatch",
        fmt::format("Unsupported value: {}: supported values: \"Exact\", \"NotOlderThan\", \"\"", dumpJson(Json(match))));
  }
  if (match == "Exact" && query.resourceVersion == "0")
    return forbiddenMatch("resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"");
  return {};
}

Result<ListStart> resumed(const ListQuery& query) {
  if (!query.resourceVersion.empty() && query.resourceVersion != "0")
    return badRequest("specifying resource version is not allowed when using continue");
  const auto decoded = base64Decode(query.continueToken);
  const Json token = decoded ? Json::parse(*decoded, nullptr, false) : Json();
  const std::string start = textAt(token, "start");
  const auto slash = start.find('/');
  const Json& revision = at(token, "rv");
  if (slash == std::string::npos || !revision.is_number_integer()) return badRequest("continue key is not valid");
  ListStart from;
  from.resumes = true;
  from.ns = start.substr(0, slash);
  from.name = start.substr(slash + 1);
  if (revision.get<std::int64_t>() > 0) from.exactly = revision.get<std::uint64_t>();
  return from;
}

}  // namespace

Result<std::uint64_t> parseRevision(const std::string& text) {
  std::uint64_t revision = 0;
  if (text.empty()) return revision;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), revision);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size())
    return badRequest(fmt::format("Invalid value for resourceVersion: {}", dumpJson(Json(text))));
  return revision;
}

Result<ListStart> listStart(const ListQuery& query) {
  SLIP_CHECK(checkMatch(query));
  if (!query.continueToken.empty()) return resumed(query);
  ListStart start;
  SLIP_TRY(const std::uint64_t revision, parseRevision(query.resourceVersion));
  // A limit with a revision means that revision, as it did before there was a match.
  const bool exact = query.resourceVersionMatch == "Exact" || (query.resourceVersionMatch.empty() && query.limit != 0);
  if (revision != 0 && exact)
    start.exactly = revision;
  else
    start.atLeast = revision;
  return start;
}

Status checkWatchOptions(const std::string& match, bool sendInitialEvents) {
  if (sendInitialEvents && match != "NotOlderThan")
    return forbiddenMatch("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
  if (!match.empty() && !sendInitialEvents)
    return forbiddenMatch("resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
  return {};
}

std::string continueToken(std::optional<std::uint64_t> revision, const std::string& ns, const std::string& name) {
  const Json rv = revision ? Json(*revision) : Json(-1);
  return base64Encode(dumpJson(Json{{"v", "meta.k8s.io/v1"}, {"rv", rv}, {"start", ns + "/" + name}}));
}

}  // namespace slipway::apiserver
