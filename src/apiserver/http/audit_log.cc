#include "apiserver/http/audit_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "apiserver/http/content.h"
#include "base/ids.h"
#include "base/log.h"

namespace slipway::apiserver {
namespace {

constexpr std::size_t kMaxText = 1024;  // of what a client chose: URI, user agent

std::string cut(std::string_view text) { return std::string(text.substr(0, kMaxText)); }

Json userOf(const UserInfo& user) {
  Json out = Json::object();
  if (!user.name.empty()) out["username"] = user.name;
  if (!user.uid.empty()) out["uid"] = user.uid;
  if (!user.groups.empty()) out["groups"] = user.groups;
  if (!user.extra.empty()) out["extra"] = user.extra;
  return out;
}

Json objectReference(const RequestInfo& info) {
  Json out = Json::object();
  const auto add = [&](const char* field, const std::string& value) {
    if (!value.empty()) out[field] = cut(value);
  };
  add("resource", info.resource);
  add("namespace", info.ns);
  add("name", info.name);
  add("apiGroup", info.group);
  add("apiVersion", info.version);
  add("subresource", info.subresource);
  return out;
}

Json responseStatus(const net::Response& response) {
  Json out{{"metadata", Json::object()}, {"code", response.status}};
  if (response.status < 400 || response.body.streaming()) return out;
  const Json body = Json::parse(response.body.bytes(), nullptr, false);
  for (const char* field : {"status", "message", "reason"}) {
    if (at(body, field).is_string()) out[field] = cut(textAt(body, field));
  }
  return out;
}

// A body as an object; null: it is none, or a text that no decoder knows.
Json objectOf(const std::string& type, const std::string& bytes) {
  if (type.find("-patch+") != std::string::npos) {  // JSON or YAML under a name of its own
    auto patch = parseYamlOrJson(bytes);
    return patch ? std::move(*patch) : Json();
  }
  auto parsed = parseBody(type, bytes);
  return parsed ? std::move(parsed->object) : Json();
}

void dropManagedFields(Json& object) {
  const auto drop = [](Json& one) {
    if (one.is_object() && one.contains("metadata") && one["metadata"].is_object()) one["metadata"].erase("managedFields");
  };
  drop(object);
  if (object.is_object() && object.contains("items") && object["items"].is_array())
    for (Json& item : object["items"]) drop(item);
}

void addObjects(Json& event, const AuditRecord& r, const net::Response& response, std::size_t limit) {
  const auto add = [&](const char* field, const std::string& type, const std::string& bytes) {
    if (bytes.size() > limit) {
      event["annotations"]["audit.k8s.io/truncated"] = "true";
      return;
    }
    Json object = objectOf(type, bytes);
    if (object.is_null()) return;
    if (r.told->omitManagedFields) dropManagedFields(object);
    event[field] = std::move(object);
  };
  if (!r.info.isResource) return;
  if (!r.body.empty()) add("requestObject", r.bodyType, r.body);
  if (r.told->level == AuditLevel::RequestResponse && !response.body.streaming())
    add("responseObject", std::string(response.headers.getOr("Content-Type", "")), response.body.bytes());
}

}  // namespace

Json auditEvent(const AuditRecord& r, const net::Response& response, WallTime now, std::size_t maxObjectBytes) {
  Json event{{"kind", "Event"},
             {"apiVersion", "audit.k8s.io/v1"},
             {"level", auditLevelName(r.told ? r.told->level : AuditLevel::Metadata)},
             {"auditID", r.id},
             {"stage", response.body.streaming() ? "ResponseStarted" : "ResponseComplete"},
             {"requestURI", cut(r.uri)},
             {"verb", r.info.verb},
             {"user", userOf(r.user)},
             {"sourceIPs", {r.address}},
             {"userAgent", cut(r.userAgent)},
             {"responseStatus", responseStatus(response)},
             {"requestReceivedTimestamp", formatRfc3339Micro(r.received)},
             {"stageTimestamp", formatRfc3339Micro(now)}};
  if (r.acting) event["impersonatedUser"] = userOf(*r.acting);
  if (r.info.isResource) event["objectRef"] = objectReference(r.info);
  if (r.decision) {
    event["annotations"] = {{"authorization.k8s.io/decision", r.decision->allowed ? "allow" : "forbid"},
                            {"authorization.k8s.io/reason", r.decision->reason}};
  }
  if (r.told && r.told->level >= AuditLevel::Request) addObjects(event, r, response, maxObjectBytes);
  return event;
}

AuditDecision AuditLog::decide(const AuditRecord& record) const {
  return options_.policy ? options_.policy->decide(record.user, record.info) : AuditDecision{};
}

bool AuditLog::wantsBody(AuditRecord& record) const {
  if (!record.told) record.told = decide(record);
  return record.told->level >= AuditLevel::Request;
}

Result<std::unique_ptr<AuditLog>> AuditLog::open(AuditOptions options, std::shared_ptr<Clock> clock) {
  std::unique_ptr<AuditLog> log(new AuditLog(std::move(options), std::move(clock)));
  SLIP_CHECK(log->openFile());
  return log;
}

AuditLog::~AuditLog() {
  if (file_ >= 0) ::close(file_);
}

Status AuditLog::openFile() {
  file_ = ::open(options_.path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  struct stat info{};
  if (file_ < 0 || ::fstat(file_, &info) != 0) {
    return fail(Code::Unavailable,
                fmt::format("audit log {}: {}; choose another file with --audit-log", options_.path, std::strerror(errno)));
  }
  size_ = static_cast<std::size_t>(info.st_size);
  return {};
}

void AuditLog::rotate() {
  ::close(std::exchange(file_, -1));
  const auto name = [&](unsigned i) { return i == 0 ? options_.path : fmt::format("{}.{}", options_.path, i); };
  if (options_.backups == 0) std::remove(name(0).c_str());
  for (unsigned i = options_.backups; i > 0; --i) std::rename(name(i - 1).c_str(), name(i).c_str());
  if (Status opened = openFile(); !opened) logError("{}", opened.error().message);
}

AuditRecord AuditLog::begin(const net::Request& request) const {
  AuditRecord record;
  record.id = newUuid();
  record.received = clock_->wall();
  record.method = request.method;
  record.uri = request.target;
  record.userAgent = std::string(request.headers.getOr("User-Agent", ""));
  record.address = request.peer.address.substr(0, request.peer.address.rfind(':'));
  return record;
}

void AuditLog::write(AuditRecord& record, const net::Response& response) {
  if (!record.told) record.told = decide(record);
  if (record.told->level == AuditLevel::None) return;
  const std::string line = dumpJson(auditEvent(record, response, clock_->wall(), options_.maxObjectBytes)) + "\n";
  if (size_ != 0 && size_ + line.size() > options_.maxBytes) rotate();
  if (file_ < 0) (void)openFile();
  const ssize_t written = file_ < 0 ? -1 : ::write(file_, line.data(), line.size());
  if (written > 0) size_ += static_cast<std::size_t>(written);
  if (written == static_cast<ssize_t>(line.size())) return;
  if (dropped_++ == 0) logError("audit log {}: {}; lines are being dropped", options_.path, std::strerror(errno));
}

}  // namespace slipway::apiserver
