#include "apiserver/account_tokens.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "apiserver/api_status.h"
#include "base/ids.h"

namespace slipway::apiserver {
namespace {

constexpr const char* kIssuer = "https://kubernetes.default.svc.cluster.local";
constexpr std::int64_t kDefaultSeconds = 3600;
constexpr std::int64_t kMinSeconds = 600;
constexpr std::int64_t kMaxSeconds = 365 * 24 * 3600;
constexpr std::size_t kMaxAudiences = 16;
// A pod that is being deleted may still use its token while it says goodbye.
constexpr std::chrono::seconds kLeeway{60};

std::int64_t seconds(WallTime t) { return std::chrono::duration_cast<std::chrono::seconds>(t.time_since_epoch()).count(); }

std::string hmac(const std::string& key, std::string_view text) {
  unsigned char mac[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
       text.size(), mac, &size);
  return {reinterpret_cast<const char*>(mac), size};
}

bool sameSecret(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

Json nameAndUid(const Entry& entry) { return {{"name", entry.name}, {"uid", entry.uid}}; }

Failure invalidRequest(const std::string& field, const std::string& message) {
  Resource request;
  request.group = "authentication.k8s.io";
  request.kind = "TokenRequest";
  return invalid(request, "", {{"FieldValueInvalid", field, message}});
}

Result<std::int64_t> validity(const Json& spec) {
  const Json& asked = at(spec, "expirationSeconds");
  if (asked.is_null()) return kDefaultSeconds;
  if (!asked.is_number_integer()) return badRequest("spec.expirationSeconds must be a whole number of seconds");
  const auto value = asked.get<std::int64_t>();
  const char* why = value < kMinSeconds   ? "may not specify a duration less than 10 minutes"
                    : value > kMaxSeconds ? "may not specify a duration larger than one year"
                                          : nullptr;
  if (why) return invalidRequest("spec.expirationSeconds", fmt::format("Invalid value: {}: {}", value, why));
  return value;
}

Result<Json> audiencesOf(const Json& spec) {
  const Json& asked = at(spec, "audiences");
  if (asked.is_null() || asked.empty()) return Json(AccountTokens::serverAudiences());
  if (!asked.is_array() || !std::all_of(asked.begin(), asked.end(), [](const Json& a) { return a.is_string(); }))
    return badRequest("spec.audiences must be a list of strings");
  if (asked.size() > kMaxAudiences) {
    return invalidRequest("spec.audiences",
                          fmt::format("Invalid value: {} audiences: at most {} are allowed", asked.size(), kMaxAudiences));
  }
  return asked;
}

// What Kubernetes tells of a token in userInfo.extra.
void addExtra(UserInfo& user, const Json& claims) {
  const std::string prefix = "authentication.kubernetes.io/";
  const Json& bound = at(claims, "kubernetes.io");
  if (const std::string id = textAt(claims, "jti"); !id.empty()) user.extra[prefix + "credential-id"] = {"JTI=" + id};
  for (const char* kind : {"pod", "node"}) {
    if (!at(bound, kind).is_object()) continue;
    user.extra[prefix + kind + "-name"] = {textAt(at(bound, kind), "name")};
    user.extra[prefix + kind + "-uid"] = {textAt(at(bound, kind), "uid")};
  }
}

}  // namespace

const std::vector<std::string>& AccountTokens::serverAudiences() {
  static const std::vector<std::string> kAudiences = {kIssuer};
  return kAudiences;
}

UserInfo AccountTokens::userOf(const std::string& ns, const std::string& name, const std::string& uid) {
  return {"system:serviceaccount:" + ns + ":" + name, uid, {"system:serviceaccounts", "system:serviceaccounts:" + ns}};
}

Json AccountTokens::claims(const Entry& account, const Binding& bound, std::chrono::seconds validity,
                           const Json& audiences) const {
  const WallTime now = clock_->wall();
  Json ours{{"namespace", account.ns}, {"serviceaccount", nameAndUid(account)}};
  if (bound.pod) ours["pod"] = nameAndUid(*bound.pod);
  if (bound.secret) ours["secret"] = nameAndUid(*bound.secret);
  if (bound.node) ours["node"] = nameAndUid(*bound.node);
  return Json{{"iss", kIssuer},
              {"aud", audiences},
              {"sub", "system:serviceaccount:" + account.ns + ":" + account.name},
              {"iat", seconds(now)},
              {"nbf", seconds(now)},
              {"exp", seconds(now + validity)},
              {"jti", newUuid()},
              {"kubernetes.io", std::move(ours)}};
}

Result<std::string> AccountTokens::issue(const Json& claims) const {
  const SigningKey& key = keys_.pairs.front();
  const Json header{{"alg", key.algorithm()}, {"kid", key.id()}};
  const std::string signedPart = toBase64Url(dumpJson(header)) + "." + toBase64Url(dumpJson(claims));
  SLIP_TRY(const std::string signature, key.sign(signedPart));
  return signedPart + "." + toBase64Url(signature);
}

Json AccountTokens::discoveryDocument(const std::string& url) const {
  std::set<std::string> algorithms;
  for (const SigningKey& key : keys_.pairs) algorithms.insert(key.algorithm());
  return Json{{"issuer", kIssuer},
              {"jwks_uri", url + "/openid/v1/jwks"},
              {"response_types_supported", {"id_token"}},
              {"subject_types_supported", {"public"}},
              {"id_token_signing_alg_values_supported", algorithms}};
}

Json AccountTokens::publicKeys() const {
  Json all = Json::array();
  for (const SigningKey& key : keys_.pairs) all.push_back(key.publicJwk());
  return Json{{"keys", std::move(all)}};
}

Result<AccountTokens::Binding> AccountTokens::bind(const Entry& account, const Json& reference) const {
  Binding bound;
  if (!reference.is_object()) return bound;
  const std::string kind = textAt(reference, "kind");
  const std::string name = textAt(reference, "name");
  const std::string version = textAt(reference, "apiVersion");
  Resource resource;
  resource.kind = kind;
  EntryPtr entry;
  if (version == "v1" && (kind == "Pod" || kind == "Secret" || kind == "Node")) {
    resource.plural = kind == "Pod" ? "pods" : kind == "Secret" ? "secrets" : "nodes";
    entry = store_.get(resource.plural, kind == "Node" ? "" : account.ns, name);
    if (!entry) return notFound(resource, name);
  } else {
    return badRequest(fmt::format("cannot bind token to object of type {}, Kind={}",
                                  version.find('/') == std::string::npos ? "/" + version : version, kind));
  }
  const std::string uid = textAt(reference, "uid");
  if (!uid.empty() && uid != entry->uid) {
    resource.plural = kind;
    return conflict(
        resource, name,
        fmt::format("the UID in the bound object reference ({}) does not match the UID in record. The object might "
                    "have been deleted and then recreated",
                    uid));
  }
  (kind == "Pod" ? bound.pod : kind == "Secret" ? bound.secret : bound.node) = entry;
  if (!bound.pod) return bound;
  const Json pod = entry->json();
  if (textAt(at(pod, "spec"), "serviceAccountName", "default") != account.name) {
    return badRequest(fmt::format(
        "cannot bind token for serviceaccount \"{}\" to pod running with different serviceaccount name.", account.name));
  }
  if (const std::string node = textAt(at(pod, "spec"), "nodeName"); !node.empty())
    bound.node = store_.get("nodes", "", node);
  return bound;
}

Result<Json> AccountTokens::request(const std::string& ns, const std::string& name, const Json& tokenRequest) const {
  const EntryPtr account = store_.get("serviceaccounts", ns, name);
  if (!account) {
    Resource accounts;
    accounts.plural = "serviceaccounts";
    return notFound(accounts, name);
  }
  if (keys_.pairs.empty())
    return fail(Code::Unavailable, "tokens cannot be issued before the server has started; try again");
  const Json& meta = at(tokenRequest, "metadata");
  if (const std::string given = textAt(meta, "name", name); given != name)
    return badRequest(
        fmt::format("the service account name in the token request ({}) must match the one in the path", given));
  if (const std::string given = textAt(meta, "namespace", ns); given != ns)
    return badRequest(fmt::format("the namespace in the token request ({}) must match the one in the path", given));
  const Json& spec = at(tokenRequest, "spec");
  SLIP_TRY(const std::int64_t validFor, validity(spec));
  SLIP_TRY(const Json audiences, audiencesOf(spec));
  SLIP_TRY(const Binding bound, bind(*account, at(spec, "boundObjectRef")));
  const std::chrono::seconds until(validFor);
  SLIP_TRY(std::string token, issue(claims(*account, bound, until, audiences)));
  Json shown = spec.is_object() ? spec : Json::object();
  shown["expirationSeconds"] = validFor;
  shown["audiences"] = audiences;
  return Json{{"kind", "TokenRequest"},
              {"apiVersion", "authentication.k8s.io/v1"},
              {"metadata",
               {{"name", account->name}, {"namespace", account->ns}, {"creationTimestamp", formatRfc3339(clock_->wall())}}},
              {"spec", std::move(shown)},
              {"status", {{"token", std::move(token)}, {"expirationTimestamp", formatRfc3339(clock_->wall() + until)}}}};
}

// The key's own algorithm counts, not the token's word: a public key never serves as the secret of an HMAC.
bool AccountTokens::signedByUs(const Json& header, std::string_view text, std::string_view signature) const {
  const std::string algorithm = textAt(header, "alg");
  if (algorithm == "HS256") {
    return std::any_of(keys_.oldSecrets.begin(), keys_.oldSecrets.end(),
                       [&](const std::string& secret) { return sameSecret(hmac(secret, text), signature); });
  }
  const std::string id = textAt(header, "kid");
  return std::any_of(keys_.pairs.begin(), keys_.pairs.end(), [&](const SigningKey& key) {
    return key.algorithm() == algorithm && (id.empty() || id == key.id()) && key.verify(text, signature);
  });
}

// The claims of a token that one of our keys signed.
Result<Json> AccountTokens::claimsOf(std::string_view token) const {
  const auto dot = token.rfind('.');
  const auto first = token.find('.');
  if (dot == std::string_view::npos || first == dot) return unauthorized();
  const auto header = fromBase64Url(token.substr(0, first));
  const auto signature = fromBase64Url(token.substr(dot + 1));
  if (!header || !signature) return unauthorized();
  if (!signedByUs(Json::parse(*header, nullptr, false), token.substr(0, dot), *signature)) return unauthorized();
  const auto decoded = fromBase64Url(token.substr(first + 1, dot - first - 1));
  return decoded ? Json::parse(*decoded, nullptr, false) : Json();
}

bool AccountTokens::stillThere(const std::string& resource, const std::string& ns, const Json& reference) const {
  const EntryPtr entry = store_.get(resource, ns, textAt(reference, "name"));
  if (!entry || entry->uid != textAt(reference, "uid")) return false;
  if (!entry->deleting) return true;
  const Json object = entry->json();
  WallTime deleted;
  if (!parseRfc3339(textAt(at(object, "metadata"), "deletionTimestamp"), &deleted)) return false;
  return deleted + kLeeway > clock_->wall();
}

Result<AccountTokens::Verified> AccountTokens::verify(std::string_view token,
                                                      const std::vector<std::string>& audiences) const {
  SLIP_TRY(const Json claims, claimsOf(token));
  const std::int64_t now = seconds(clock_->wall());
  if (intAt(claims, "exp") <= now || intAt(claims, "nbf") > now + kLeeway.count()) return unauthorized();
  Verified verified;
  const Json& of = at(claims, "aud");
  for (const std::string& wanted : audiences.empty() ? serverAudiences() : audiences) {
    if (std::find(of.begin(), of.end(), Json(wanted)) != of.end()) verified.audiences.push_back(wanted);
  }
  if (verified.audiences.empty()) return unauthorized();
  const Json& bound = at(claims, "kubernetes.io");
  const std::string ns = textAt(bound, "namespace");
  if (!stillThere("serviceaccounts", ns, at(bound, "serviceaccount"))) return unauthorized();
  const bool hasPod = at(bound, "pod").is_object();
  if (hasPod && !stillThere("pods", ns, at(bound, "pod"))) return unauthorized();
  if (at(bound, "secret").is_object() && !stillThere("secrets", ns, at(bound, "secret"))) return unauthorized();
  // The node of a bound pod is told for information; only a token bound to the node itself ends with it.
  if (!hasPod && at(bound, "node").is_object() && !stillThere("nodes", "", at(bound, "node"))) return unauthorized();
  verified.user = userOf(ns, textAt(at(bound, "serviceaccount"), "name"), textAt(at(bound, "serviceaccount"), "uid"));
  addExtra(verified.user, claims);
  return verified;
}

}  // namespace slipway::apiserver
