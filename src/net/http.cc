#include "net/http.h"

#include <array>

namespace slipway::net {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

int hexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool unreserved(char c) {
  return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z') || c == '-' || c == '.' || c == '_' || c == '~';
}

std::string_view trim(std::string_view s) {
  while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
  while (!s.empty() && (s.back() == ' ' || s.back() == '\t')) s.remove_suffix(1);
  return s;
}

}  // namespace

bool iequals(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

bool hasToken(std::string_view list, std::string_view token) {
  while (!list.empty()) {
    const auto comma = list.find(',');
    if (iequals(trim(list.substr(0, comma)), token)) return true;
    if (comma == std::string_view::npos) break;
    list.remove_prefix(comma + 1);
  }
  return false;
}

Headers::Headers(std::initializer_list<Field> fields) {
  for (const auto& [name, value] : fields) add(name, value);
}

std::optional<std::string_view> Headers::get(std::string_view name) const {
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].nameSize != name.size()) continue;
    const Field f = field(i);
    if (iequals(f.first, name)) return f.second;
  }
  return std::nullopt;
}

std::string_view Headers::getOr(std::string_view name, std::string_view fallback) const {
  return get(name).value_or(fallback);
}

void Headers::add(std::string_view name, std::string_view value) {
  // Either view may point into text_ itself: copy before it can move.
  const bool own = name.data() >= text_.data() && name.data() < text_.data() + text_.size();
  const bool ownValue = value.data() >= text_.data() && value.data() < text_.data() + text_.size();
  if (own || ownValue) {
    const std::string n(name), v(value);
    return add(n, v);
  }
  const auto at = static_cast<std::uint32_t>(text_.size());
  const auto nameSize = static_cast<std::uint32_t>(name.size());
  text_.append(name).append(value);
  slots_.push_back({at, nameSize, at + nameSize, static_cast<std::uint32_t>(value.size())});
}

void Headers::set(std::string_view name, std::string_view value) {
  remove(name);
  add(name, value);
}

void Headers::remove(std::string_view name) {
  std::erase_if(slots_, [&](const Slot& s) {
    return s.nameSize == name.size() && iequals(std::string_view(text_).substr(s.name, s.nameSize), name);
  });
}

Task<Result<std::string>> Body::read() {
  if (!reader_) co_return std::exchange(bytes_, {});
  auto chunk = co_await reader_->read();
  co_return chunk;
}

std::size_t BodyPieces::size() const {
  std::size_t all = own.size();
  for (const auto& piece : shared) all += piece->size();
  return all;
}

Task<Result<BodyPieces>> BodyReader::readPieces() {
  auto chunk = co_await read();
  if (!chunk) co_return fail(std::move(chunk).error());
  co_return BodyPieces{std::move(*chunk), {}};
}

Task<Result<BodyPieces>> Body::readPieces() {
  auto pieces = co_await reader_->readPieces();
  co_return pieces;
}

Task<Result<std::string>> Body::readAll(std::size_t limit) {
  const auto tooLarge = [limit] {
    return fail(Code::TooLarge, "body is larger than the limit of " + std::to_string(limit) + " bytes");
  };
  if (length() && *length() > limit) co_return tooLarge();
  if (!reader_) co_return std::exchange(bytes_, {});
  std::string all;
  for (;;) {
    auto chunk = co_await reader_->read();
    if (!chunk) co_return fail(std::move(chunk).error());
    if (chunk->empty()) co_return all;
    if (chunk->size() > limit - all.size()) co_return tooLarge();
    if (all.empty())
      all = std::move(*chunk);
    else
      all += *chunk;
  }
}

std::string_view Request::rawPath() const { return std::string_view(target).substr(0, target.find('?')); }
std::string Request::path() const { return percentDecode(rawPath()); }

std::string_view Request::query() const {
  const auto mark = target.find('?');
  return mark == std::string::npos ? std::string_view() : std::string_view(target).substr(mark + 1);
}

std::vector<std::pair<std::string, std::string>> Request::queryPairs() const {
  std::vector<std::pair<std::string, std::string>> out;
  auto rest = query();
  while (!rest.empty()) {
    const auto end = rest.find('&');
    const auto item = rest.substr(0, end);
    const auto eq = item.find('=');
    if (!item.empty()) {
      out.emplace_back(percentDecode(item.substr(0, eq), true),
                       eq == std::string_view::npos ? std::string() : percentDecode(item.substr(eq + 1), true));
    }
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  return out;
}

std::optional<std::string> Request::queryValue(std::string_view name) const {
  for (auto& [key, value] : queryPairs()) {
    if (key == name) return std::move(value);
  }
  return std::nullopt;
}

Response Response::text(int status, std::string body) {
  Response r;
  r.status = status;
  r.headers.add("Content-Type", "text/plain; charset=utf-8");
  r.body = Body(std::move(body));
  return r;
}

Response Response::json(int status, std::string body) {
  Response r;
  r.status = status;
  r.headers.add("Content-Type", "application/json");
  r.body = Body(std::move(body));
  return r;
}

Response Response::error(const Error& error) {
  return json(httpStatus(error.code), "{\"error\":" + jsonQuote(error.message) + "}\n");
}

std::string percentDecode(std::string_view text, bool plusIsSpace) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hexDigit(text[i + 1]) >= 0 && hexDigit(text[i + 2]) >= 0) {
      out += static_cast<char>(hexDigit(text[i + 1]) * 16 + hexDigit(text[i + 2]));
      i += 2;
    } else {
      out += plusIsSpace && text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

std::string percentEncode(std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (unreserved(c)) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out.append({'%', kHex[byte >> 4], kHex[byte & 15]});
    }
  }
  return out;
}

std::string jsonQuote(std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\')
      out.append({'\\', c});
    else if (c == '\n')
      out += "\\n";
    else if (static_cast<unsigned char>(c) < 0x20)
      out.append("\\u00").append({kHex[c >> 4], kHex[c & 15]});
    else
      out += c;
  }
  return out += '"';
}

std::string_view reasonPhrase(int status) {
  switch (status) {
    case 100: return "Continue";
    case 101: return "Switching Protocols";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 416: return "Range Not Satisfiable";
    case 417: return "Expectation Failed";
    case 422: return "Unprocessable Content";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 499: return "Client Closed Request";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    default: return "Unknown";
  }
}

}  // namespace slipway::net
