#include "apiserver/http/account_tokens.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "apiserver/api_status.h"
#include "base/ids.h"
#include "data/base64.h"

namespace slipway::apiserver {
namespace {

constexpr const char* kIssuer = "https://kubernetes.default.svc.cluster.local";

std::string toUrl(std::string text) {
  while (!text.empty() && text.back() == '=') text.pop_back();
  for (char& c : text) c = c == '+' ? '-' : c == '/' ? '_' : c;
  return text;
}

std::string fromUrl(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c == '-' ? '+' : c == '_' ? '/' : c;
  while (out.size() % 4 != 0) out += '=';
  return out;
}

std::int64_t seconds(WallTime t) { return std::chrono::duration_cast<std::chrono::seconds>(t.time_since_epoch()).count(); }

}  // namespace

AccountTokens::AccountTokens(const Store& store, std::shared_ptr<Clock> clock, std::string key)
    : store_(store), clock_(std::move(clock)), key_(std::move(key)) {}

UserInfo AccountTokens::userOf(const std::string& ns, const std::string& name, const std::string& uid) {
  return {"system:serviceaccount:" + ns + ":" + name, uid, {"system:serviceaccounts", "system:serviceaccounts:" + ns}};
}

std::string AccountTokens::sign(std::string_view text) const {
  unsigned char mac[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()), reinterpret_cast<const unsigned char*>(text.data()),
       text.size(), mac, &size);
  return toUrl(base64Encode(std::string_view(reinterpret_cast<const char*>(mac), size)));
}

AccountTokens::Issued AccountTokens::issue(const Entry& account, std::chrono::seconds validity,
                                           const std::vector<std::string>& audiences) const {
  const WallTime now = clock_->wall();
  const Json header{{"alg", "HS256"}, {"typ", "JWT"}};
  Json claims{
      {"iss", kIssuer},
      {"aud", audiences.empty() ? std::vector<std::string>{kIssuer} : audiences},
      {"sub", "system:serviceaccount:" + account.ns + ":" + account.name},
      {"iat", seconds(now)},
      {"nbf", seconds(now)},
      {"exp", seconds(now + validity)},
      {"jti", newUuid()},
      {"kubernetes.io", {{"namespace", account.ns}, {"serviceaccount", {{"name", account.name}, {"uid", account.uid}}}}}};
  const std::string signedPart = toUrl(base64Encode(dumpJson(header))) + "." + toUrl(base64Encode(dumpJson(claims)));
  return {signedPart + "." + sign(signedPart), formatRfc3339(now + validity)};
}

Result<UserInfo> AccountTokens::verify(std::string_view token) const {
  const auto dot = token.rfind('.');
  const auto first = token.find('.');
  if (dot == std::string_view::npos || first == dot) return unauthorized();
  const std::string expected = sign(token.substr(0, dot));
  const std::string_view given = token.substr(dot + 1);
  unsigned difference = expected.size() == given.size() ? 0 : 1;
  for (std::size_t i = 0; i < expected.size() && i < given.size(); ++i)
    difference |= static_cast<unsigned>(expected[i] ^ given[i]);
  if (difference != 0) return unauthorized();
  const auto decoded = base64Decode(fromUrl(token.substr(first + 1, dot - first - 1)));
  const Json claims = decoded ? Json::parse(*decoded, nullptr, false) : Json();
  if (intAt(claims, "exp") <= seconds(clock_->wall())) return unauthorized();
  const Json& bound = at(claims, "kubernetes.io");
  const std::string ns = textAt(bound, "namespace");
  const std::string name = textAt(at(bound, "serviceaccount"), "name");
  const std::string uid = textAt(at(bound, "serviceaccount"), "uid");
  const EntryPtr account = store_.get("serviceaccounts", ns, name);
  if (!account || account->uid != uid || account->deleting) return unauthorized();
  return userOf(ns, name, uid);
}

}  // namespace slipway::apiserver
