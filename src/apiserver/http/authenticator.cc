#include "apiserver/http/authenticator.h"

#include "apiserver/api_status.h"

namespace slipway::apiserver {
namespace {

constexpr const char* kAuthenticated = "system:authenticated";

bool sameSecret(std::string_view a, std::string_view b) {
  unsigned difference = a.size() == b.size() ? 0 : 1;
  for (std::size_t i = 0; i < b.size(); ++i)
    difference |= static_cast<unsigned char>(b[i]) ^ static_cast<unsigned char>(i < a.size() ? a[i] : 0);
  return difference == 0;
}

UserInfo authenticated(UserInfo user) {
  if (!user.inGroup(kAuthenticated)) user.groups.emplace_back(kAuthenticated);
  return user;
}

std::vector<std::string> csvFields(std::string_view line) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (char c : line) {
    if (c == '"')
      quoted = !quoted;
    else if (c == ',' && !quoted)
      fields.emplace_back();
    else if (c != '\r')
      fields.back() += c;
  }
  return fields;
}

}  // namespace

Result<std::vector<StaticToken>> parseTokenFile(std::string_view text) {
  std::vector<StaticToken> tokens;
  int number = 0;
  while (!text.empty()) {
    const auto end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    ++number;
    if (line.empty() || line.front() == '#' || line == "\r") continue;
    const auto fields = csvFields(line);
    if (fields.size() < 2 || fields[0].empty() || fields[1].empty()) {
      return fail(Code::BadRequest,
                  fmt::format("token file, line {}: expected token,user[,uid[,\"group1,group2\"]]", number));
    }
    StaticToken t{fields[0], {fields[1], fields.size() > 2 ? fields[2] : "", {}}};
    if (fields.size() > 3) {
      for (std::string& g : csvFields(fields[3])) {
        if (!g.empty()) t.user.groups.push_back(std::move(g));
      }
    }
    tokens.push_back(std::move(t));
  }
  return tokens;
}

Result<AccountTokens::Verified> Authenticator::byToken(std::string_view token,
                                                       const std::vector<std::string>& audiences) const {
  const StaticToken* found = nullptr;
  for (const StaticToken& t : tokens_) {
    if (sameSecret(token, t.token)) found = &t;
  }
  if (!found) {
    if (!accounts_) return unauthorized();
    SLIP_TRY(AccountTokens::Verified verified, accounts_->verify(token, audiences));
    verified.user = authenticated(std::move(verified.user));
    return verified;
  }
  // A static token is for this server and nobody else.
  AccountTokens::Verified verified{authenticated(found->user), {}};
  for (const std::string& ours : AccountTokens::serverAudiences()) {
    if (audiences.empty() || std::find(audiences.begin(), audiences.end(), ours) != audiences.end())
      verified.audiences.push_back(ours);
  }
  if (verified.audiences.empty()) return unauthorized();
  return verified;
}

Result<std::optional<UserInfo>> Authenticator::authenticate(const net::Request& request) const {
  const auto header = request.headers.get("Authorization");
  if (header) {
    constexpr std::string_view kBearer = "Bearer ";
    if (header->size() <= kBearer.size() || !net::iequals(header->substr(0, kBearer.size()), kBearer)) return unauthorized();
    SLIP_TRY(AccountTokens::Verified verified, byToken(header->substr(kBearer.size())));
    return std::optional(std::move(verified.user));
  }
  if (!request.peer.certCommonName.empty()) {
    return std::optional(authenticated({request.peer.certCommonName, "", request.peer.certOrganizations}));
  }
  return std::optional<UserInfo>();
}

}  // namespace slipway::apiserver
