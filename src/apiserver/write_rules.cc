#include "apiserver/write_rules.h"

#include "apiserver/api_status.h"
#include "apiserver/kind_rules.h"
#include "base/ids.h"
#include "objects/schema/convert.h"

namespace slipway::apiserver {
namespace {

constexpr int kNameAttempts = 8;
constexpr std::size_t kMaxGeneratedPrefix = 58;  // of 63, five are random
constexpr std::size_t kMaxWarnings = 32;

Json withoutVolatile(Json object) {
  if (object.is_object() && object.contains("metadata") && object["metadata"].is_object()) {
    object["metadata"].erase("resourceVersion");
    object["metadata"].erase("managedFields");
  }
  return object;
}

// What generation counts: everything but metadata, status and the node that a pod is bound to.
bool sameSpec(const Json& a, const Json& b) {
  Json x = a;
  Json y = b;
  for (Json* o : {&x, &y}) {
    o->erase("metadata");
    o->erase("status");
    if (textAt(*o, "kind") == "Pod" && at(*o, "spec").is_object()) (*o)["spec"].erase("nodeName");
  }
  return x == y;
}

const Json& requireObject(const Json& value) {
  static const Json kEmpty = Json::object();
  return value.is_object() ? value : kEmpty;
}

}  // namespace

bool sameObject(const Json& a, const Json& b) { return withoutVolatile(a) == withoutVolatile(b); }

WriteRules::WriteRules(const Registry& registry, const WriteContext& context, Txn& txn)
    : registry_(registry),
      context_(context),
      txn_(txn),
      asked_(*context.resource),
      resource_(registry.storageVersion(*context.resource)),
      bucket_(resource_.qualified()) {}

Written WriteRules::done(EntryPtr entry) {
  Written written;
  written.entry = std::move(entry);
  written.warnings = std::move(warnings_);
  return written;
}

FieldManager WriteRules::fieldManager() const {
  return {context_.fieldManager, context_.subresource, resource_.apiVersion(), context_.force,
          formatRfc3339(registry_.clock().wall())};
}

// Who owns what, before admission adds what nobody asked for.
Json WriteRules::tracked(const Json& old, Json object) const {
  if (ownershipDone_) return object;
  if (!resource_.hasStatus || context_.subresource == "status")
    return trackUpdate(registry_.catalog(), resource_, old, std::move(object), fieldManager());
  // Whatever the status is, it is not this write's.
  Json before = old;
  if (before.is_object()) before.erase("status");
  const Json status = at(object, "status");
  object.erase("status");
  object = trackUpdate(registry_.catalog(), resource_, before, std::move(object), fieldManager());
  if (!status.is_null()) object["status"] = status;
  return object;
}

Result<EntryPtr> WriteRules::current() const {
  EntryPtr entry = txn_.get(bucket_, context_.ns, context_.name);
  if (!entry) return notFound(asked_, context_.name);
  return entry;
}

Result<EntryPtr> WriteRules::put(Json object) {
  EntryPtr entry = txn_.put(bucket_, std::move(object));
  if (entry->text.size() <= registry_.maxObjectBytes()) return entry;
  return fail(Code::TooLarge,
              fmt::format("Request entity too large: {} \"{}\" would be {} bytes, the limit of an object is {} "
                          "(--max-object-bytes)",
                          resource_.qualified(), entry->name, entry->text.size(), registry_.maxObjectBytes()));
}

Status WriteRules::checkIdentity(Json& object) const {
  if (!object.is_object()) return badRequest("the body of the request must be a JSON object");
  const std::string kind = textAt(object, "kind", asked_.kind);
  const std::string apiVersion = textAt(object, "apiVersion", asked_.apiVersion());
  if (apiVersion != asked_.apiVersion()) {
    return badRequest(fmt::format("the API version in the data ({}) does not match the expected API version ({})",
                                  apiVersion, asked_.apiVersion()));
  }
  if (kind != asked_.kind) {
    return badRequest(fmt::format("the kind in the data ({}) does not match the expected kind ({})", kind, asked_.kind));
  }
  Json& meta = object["metadata"];
  if (meta.is_null()) meta = Json::object();
  if (!meta.is_object()) return badRequest("metadata must be an object");
  for (const char* field : {"name", "namespace", "uid", "resourceVersion", "generateName"}) {
    if (meta.contains(field) && meta[field].is_null()) meta.erase(field);
    if (meta.contains(field) && !meta[field].is_string())
      return badRequest(fmt::format("metadata.{} must be a string", field));
  }
  const std::string ns = textAt(meta, "namespace");
  if (!ns.empty() && ns != context_.ns) {
    return badRequest("the namespace of the provided object does not match the namespace sent on the request");
  }
  if (context_.ns.empty())
    meta.erase("namespace");
  else
    meta["namespace"] = context_.ns;
  object["kind"] = asked_.kind;
  object["apiVersion"] = asked_.apiVersion();
  return {};
}

Status WriteRules::checkNamespace() const {
  if (!asked_.namespaced) return {};
  EntryPtr ns = txn_.get("namespaces", "", context_.ns);
  const Resource* namespaces = registry_.resource("", "v1", "namespaces");
  if (!ns) return namespaces ? Status(notFound(*namespaces, context_.ns)) : Status(badRequest("no such namespace"));
  if (!ns->deleting) return {};
  return namespaceTerminating(asked_, context_.name, context_.ns);
}

// Prunes in the version that the client speaks, then turns the object into the one that is stored.
Status WriteRules::reportUnknown(Json& object) {
  std::vector<std::string> unknown = registry_.catalog().prune(asked_, object);
  if (&asked_ != &resource_) object = convertObject(std::move(object), resource_.apiVersion());
  if (context_.validation == FieldValidation::Ignore) return {};
  std::vector<std::string> messages;
  for (const std::string& field : unknown) messages.push_back(fmt::format("unknown field \"{}\"", field));
  for (const std::string& field : context_.duplicateFields) messages.push_back(fmt::format("duplicate field \"{}\"", field));
  if (messages.empty()) return {};
  if (context_.validation == FieldValidation::Warn) {
    for (std::string& m : messages) {
      if (warnings_.size() < kMaxWarnings) warnings_.push_back(std::move(m));
    }
    return {};
  }
  std::string all;
  for (const std::string& m : messages) all += (all.empty() ? "" : ", ") + m;
  return fail(Code::BadRequest, "strict decoding error: " + all);
}

Json WriteRules::find(const std::string& apiVersion, const std::string& kind, const std::string& ns,
                      const std::string& name) const {
  const Resource* r = registry_.catalog().findKind(apiVersion, kind);
  if (!r) return nullptr;
  EntryPtr entry = txn_.get(registry_.bucketOf(*r), r->namespaced ? ns : "", name);
  return entry ? entry->json() : Json(nullptr);
}

AdmissionRequest WriteRules::admissionRequest(Operation operation, const Json* old) {
  AdmissionRequest request{resource_,     operation,       context_.ns, context_.name, context_.subresource,
                           context_.user, context_.dryRun, old,         nullptr,       nullptr,
                           &warnings_};
  request.find = [this](std::string apiVersion, std::string kind, std::string ns, std::string name) {
    return find(apiVersion, kind, ns, name);
  };
  request.list = [this](std::string apiVersion, std::string kind, std::string ns) {
    std::vector<Json> out;
    const Resource* r = registry_.catalog().findKind(apiVersion, kind);
    if (!r) return out;
    for (const EntryPtr& entry : txn_.list(registry_.bucketOf(*r), r->namespaced ? ns : "")) out.push_back(entry->json());
    return out;
  };
  return request;
}

Status WriteRules::admit(Operation operation, const Json* old, Json& object) {
  const AdmissionRequest request = admissionRequest(operation, old);
  for (const Admission& a : registry_.admissions()) {
    if (a.mutate && a.matches(resource_)) SLIP_CHECK(a.mutate(request, object));
  }
  return {};
}

Status WriteRules::validate(const Json* old, const Json& object) const {
  std::vector<FieldError> errors = registry_.catalog().validate(resource_, object);
  const bool undecodable = !errors.empty() && errors.front().reason == "FieldValueTypeInvalid";
  if (old && !undecodable) {
    for (FieldError& e : registry_.catalog().validateUpdate(resource_, *old, object)) errors.push_back(std::move(e));
  }
  if (errors.empty()) return {};
  if (undecodable && !resource_.custom) {
    return badRequest(fmt::format("{} in version \"{}\" cannot be handled as a {}: {}", asked_.kind, asked_.version,
                                  asked_.kind, errors.front().message));
  }
  return invalid(resource_, textAt(at(object, "metadata"), "name"), errors);
}

Result<std::string> WriteRules::chooseName(const Json& meta) const {
  const std::string given = textAt(meta, "name", context_.name);
  const std::string prefix = textAt(meta, "generateName");
  if (!given.empty()) return given;
  if (prefix.empty()) {
    return invalid(asked_, "",
                   {{"FieldValueRequired", "metadata.name", "Required value: name or generateName is required"}});
  }
  std::string name;
  for (int i = 0; i < kNameAttempts; ++i) {
    name = prefix.substr(0, kMaxGeneratedPrefix) + randomSuffix(5);
    if (!txn_.get(bucket_, context_.ns, name)) return name;
  }
  return alreadyExists(asked_, name);
}

// What only the server may say about a new object.
void WriteRules::setServerFields(Json& meta) const {
  for (const char* field : {"uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds",
                            "generation", "selfLink"}) {
    meta.erase(field);
  }
  meta["uid"] = newUuid();
  meta["creationTimestamp"] = formatRfc3339(registry_.clock().wall());
  if (hasGeneration(resource_)) meta["generation"] = 1;
}

Result<Written> WriteRules::create(Json object) {
  SLIP_CHECK(checkIdentity(object));
  SLIP_TRY(const std::string name, chooseName(object["metadata"]));
  object["metadata"]["name"] = name;
  if (!textAt(object["metadata"], "resourceVersion").empty())
    return badRequest("resourceVersion should not be set on objects to be created");
  if (Status unknown = reportUnknown(object); !unknown) {
    return badRequest(fmt::format("{} in version \"{}\" cannot be handled as a {}: {}", asked_.kind, asked_.version,
                                  asked_.kind, unknown.error().message));
  }
  SLIP_CHECK(checkNamespace());
  if (resource_.hasStatus) object.erase("status");
  setServerFields(object["metadata"]);
  prepareCreate(resource_, object);
  registry_.catalog().applyDefaults(resource_, object);
  object = tracked(nullptr, std::move(object));
  if (bucket_ == "services") allocateClusterIp(object);
  SLIP_CHECK(admit(Operation::Create, nullptr, object));
  SLIP_CHECK(validate(nullptr, object));
  const AdmissionRequest request = admissionRequest(Operation::Create, nullptr);
  for (const Admission& a : registry_.admissions()) {
    if (a.validate && a.matches(resource_)) SLIP_CHECK(a.validate(request, object));
  }
  if (txn_.get(bucket_, context_.ns, name)) return alreadyExists(asked_, name);
  SLIP_TRY(EntryPtr entry, put(std::move(object)));
  Written written = done(std::move(entry));
  written.created = true;
  return written;
}

Result<Written> WriteRules::update(Json object) {
  SLIP_TRY(const EntryPtr entry, current());
  const Json old = entry->json();
  if (context_.subresource == "scale") return updateScale(entry, old, object);
  SLIP_CHECK(checkIdentity(object));
  const std::string name = textAt(object["metadata"], "name", context_.name);
  if (name != context_.name) {
    return badRequest(
        fmt::format("the name of the object ({}) does not match the name on the URL ({})", name, context_.name));
  }
  object["metadata"]["name"] = name;
  if (Status unknown = reportUnknown(object); !unknown) {
    return badRequest(fmt::format("{} in version \"{}\" cannot be handled as a {}: {}", asked_.kind, asked_.version,
                                  asked_.kind, unknown.error().message));
  }
  if (asked_.custom && textAt(object["metadata"], "resourceVersion").empty()) {
    return invalid(asked_, name,
                   {{"FieldValueInvalid", "metadata.resourceVersion", "Invalid value: 0: must be specified for an update"}});
  }
  SLIP_CHECK(checkVersion(entry, old, object));
  return finishUpdate(entry, old, std::move(object));
}

Status WriteRules::checkVersion(const EntryPtr& entry, const Json& old, const Json& object) const {
  const Json& meta = at(object, "metadata");
  const std::string uid = textAt(meta, "uid");
  if (!uid.empty() && uid != entry->uid) {
    return conflict(asked_, context_.name,
                    fmt::format("Precondition failed: UID in precondition: {}, UID in object meta: {}", uid, entry->uid));
  }
  const std::string version = textAt(meta, "resourceVersion");
  if (!version.empty() && version != std::to_string(entry->revision)) return modifiedConflict(asked_, context_.name);
  return {};
}

void WriteRules::keepServerFields(const Json& old, Json& object) const {
  const Json& before = requireObject(at(old, "metadata"));
  Json& meta = object["metadata"];
  for (const char* field : {"uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation",
                            "generateName", "resourceVersion", "selfLink"}) {
    if (before.contains(field))
      meta[field] = before[field];
    else
      meta.erase(field);
  }
  if (!ownershipDone_ && !meta.contains("managedFields") && before.contains("managedFields"))
    meta["managedFields"] = before["managedFields"];
}

Status WriteRules::checkFinalizers(const Json& old, const Json& object) const {
  if (at(old, "metadata", "deletionTimestamp").is_null()) return {};
  std::string fresh;
  for (const Json& f : at(object, "metadata", "finalizers")) {
    const Json& before = at(old, "metadata", "finalizers");
    if (std::find(before.begin(), before.end(), f) != before.end()) continue;
    fresh += (fresh.empty() ? "" : ", ") + f.dump();
  }
  if (fresh.empty()) return {};
  return invalid(
      asked_, context_.name,
      {{"FieldValueForbidden", "metadata.finalizers",
        fmt::format(
            "Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
            fresh)}});
}

Result<Written> WriteRules::finishUpdate(const EntryPtr& entry, const Json& old, Json object) {
  keepServerFields(old, object);
  if (context_.subresource == "status") return updateStatus(entry, old, object);
  if (context_.subresource == "finalize") {
    Json next = old;
    next["spec"]["finalizers"] = at(object, "spec", "finalizers");
    if (next["spec"]["finalizers"].is_null()) next["spec"]["finalizers"] = Json::array();
    return store(entry, old, tracked(old, std::move(next)));
  }
  if (resource_.hasStatus) {
    if (old.contains("status"))
      object["status"] = old["status"];
    else
      object.erase("status");
  }
  prepareUpdate(resource_, old, object);
  registry_.catalog().applyDefaults(resource_, object);
  object = tracked(old, std::move(object));
  SLIP_CHECK(admit(Operation::Update, &old, object));
  SLIP_CHECK(validate(&old, object));
  if (bucket_ == "services") allocateClusterIp(object);  // a change of type may need an address or node ports
  SLIP_CHECK(checkFinalizers(old, object));
  const AdmissionRequest request = admissionRequest(Operation::Update, &old);
  for (const Admission& a : registry_.admissions()) {
    if (a.validate && a.matches(resource_)) SLIP_CHECK(a.validate(request, object));
  }
  return store(entry, old, std::move(object));
}

Result<Written> WriteRules::updateStatus(const EntryPtr& entry, const Json& old, const Json& object) {
  Json next = old;
  if (object.contains("status"))
    next["status"] = object["status"];
  else
    next.erase("status");
  // An apply has brought its entries; other writes to the status do not choose theirs.
  if (ownershipDone_) next["metadata"] = object["metadata"];
  SLIP_CHECK(validate(nullptr, next));
  return store(entry, old, tracked(old, std::move(next)));
}

Result<Written> WriteRules::store(const EntryPtr& entry, const Json& old, Json object) {
  if (sameObject(old, object) && at(old, "metadata", "managedFields") == at(object, "metadata", "managedFields"))
    return done(entry);
  if (hasGeneration(resource_) && !sameSpec(old, object)) {
    object["metadata"]["generation"] = intAt(at(old, "metadata"), "generation", 0) + 1;
  }
  const Json& meta = at(object, "metadata");
  const bool finalizersLeft =
      !at(meta, "finalizers").empty() || (bucket_ == "namespaces" && !at(object, "spec", "finalizers").empty());
  const bool graceLeft = bucket_ == "pods" && intAt(meta, "deletionGracePeriodSeconds") > 0;
  if (at(meta, "deletionTimestamp").is_string() && !finalizersLeft && !graceLeft) return removeNow(std::move(object));
  SLIP_TRY(EntryPtr stored, put(std::move(object)));
  return done(std::move(stored));
}

Failure WriteRules::noScale() const { return resource_.custom ? notFound(asked_, context_.name) : noSuchPath(); }

Status WriteRules::checkScale(const Json& scale) const {
  if (!asked_.hasScale) return noScale();
  if (!scale.is_object()) return badRequest("the body of the request must be a Scale object");
  const Json& replicas = at(scale, "spec", "replicas");
  if (replicas.is_null() || (replicas.is_number_integer() && replicas >= 0)) return {};
  Resource kind;
  kind.group = "autoscaling";
  kind.kind = "Scale";
  return invalid(kind, context_.name,
                 {{"FieldValueInvalid", "spec.replicas",
                   fmt::format("Invalid value: {}: must be greater than or equal to 0", dumpJson(replicas))}});
}

Result<Written> WriteRules::updateScale(const EntryPtr& entry, const Json& old, const Json& scale) {
  SLIP_CHECK(checkScale(scale));
  SLIP_CHECK(checkVersion(entry, old, scale));
  Json next = old;
  next["spec"]["replicas"] = intAt(at(scale, "spec"), "replicas");
  SLIP_TRY(Written written, finishUpdate(entry, old, std::move(next)));
  written.entry = makeEntry("scales", scaleOf(resource_, written.entry->json()), 0);
  return written;
}

Json scaleOf(const Resource& resource, const Json& object) {
  if (!resource.hasScale) return nullptr;
  const Json& meta = at(object, "metadata");
  Json scale{{"kind", "Scale"}, {"apiVersion", "autoscaling/v1"}, {"metadata", Json::object()}};
  for (const char* field : {"name", "namespace", "uid", "resourceVersion", "creationTimestamp"}) {
    if (!at(meta, field).is_null()) scale["metadata"][field] = at(meta, field);
  }
  scale["spec"] = Json::object();
  if (intAt(at(object, "spec"), "replicas") != 0) scale["spec"]["replicas"] = at(object, "spec", "replicas");
  scale["status"] = {{"replicas", intAt(at(object, "status"), "replicas")}};
  std::string selector;
  for (const auto& [key, value] : requireObject(at(object, "spec", "selector", "matchLabels")).items()) {
    if (value.is_string()) selector += (selector.empty() ? "" : ",") + key + "=" + value.get<std::string>();
  }
  if (!selector.empty()) scale["status"]["selector"] = selector;
  return scale;
}

}  // namespace slipway::apiserver
