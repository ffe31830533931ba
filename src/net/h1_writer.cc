#include "net/h1_writer.h"

#include <charconv>
#include <ctime>

namespace slipway::net::h1 {
namespace {

void appendNumber(std::string& out, std::uint64_t n, int base = 10) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, n, base);
  out.append(digits, end.ptr);
}

void appendClean(std::string& out, std::string_view text) {
  const auto start = out.size();
  out.append(text);
  for (std::size_t i = start; i < out.size(); ++i) {
    const auto c = static_cast<unsigned char>(out[i]);
    if ((c < 0x20 && c != '\t') || c == 0x7f) out[i] = ' ';
  }
}

void appendField(std::string& out, std::string_view name, std::string_view value) {
  appendClean(out, name);
  out += ": ";
  appendClean(out, value);
  out += "\r\n";
}

bool framingField(std::string_view name) {
  switch (name.size()) {
    case 10: return iequals(name, "connection") || iequals(name, "keep-alive");
    case 14: return iequals(name, "content-length");
    case 17: return iequals(name, "transfer-encoding");
    default: return false;
  }
}

BodyMode responseMode(const Response& response, const ResponseContext& context) {
  if (response.status < 200 || response.status == 204 || response.status == 304 || context.head) return BodyMode::None;
  if (response.body.length()) return BodyMode::Length;
  return context.minor >= 1 ? BodyMode::Chunked : BodyMode::UntilClose;
}

}  // namespace

BodyMode appendResponseHead(std::string& out, const Response& response, const ResponseContext& context) {
  const auto mode = responseMode(response, context);
  out += "HTTP/1.1 ";
  appendNumber(out, static_cast<std::uint64_t>(response.status));
  out += ' ';
  out += reasonPhrase(response.status);
  out += "\r\n";
  for (const auto& [name, value] : response.headers) {
    if (response.status == 101 || !framingField(name)) appendField(out, name, value);
  }
  if (!context.server.empty() && !response.headers.has("server")) appendField(out, "Server", context.server);
  if (!context.date.empty() && !response.headers.has("date")) out.append("Date: ").append(context.date).append("\r\n");
  if (mode == BodyMode::Length) {
    out += "Content-Length: ";
    appendNumber(out, *response.body.length());
    out += "\r\n";
  } else if (mode == BodyMode::Chunked) {
    out += "Transfer-Encoding: chunked\r\n";
  } else if (mode == BodyMode::None && response.status >= 200 && response.status != 204) {
    if (const auto own = response.headers.get("content-length")) {
      appendField(out, "Content-Length", *own);
    } else if (response.status != 304 && response.body.length()) {
      appendField(out, "Content-Length", std::to_string(*response.body.length()));
    }
  }
  if (response.status != 101) {
    if (!context.keepAlive || mode == BodyMode::UntilClose)
      out += "Connection: close\r\n";
    else if (context.minor == 0)
      out += "Connection: keep-alive\r\n";
  }
  out += "\r\n";
  return mode;
}

BodyMode appendRequestHead(std::string& out, const Request& request, std::string_view host) {
  appendClean(out, request.method);
  out += ' ';
  appendClean(out, request.target.empty() ? std::string_view("/") : std::string_view(request.target));
  out += " HTTP/1.1\r\n";
  if (!request.headers.has("host")) appendField(out, "Host", host);
  const bool upgrade = request.headers.has("upgrade");
  for (const auto& [name, value] : request.headers) {
    if (!framingField(name) || (upgrade && iequals(name, "connection"))) appendField(out, name, value);
  }
  const auto length = request.body.length();
  BodyMode mode = BodyMode::None;
  if (!length) {
    mode = BodyMode::Chunked;
    out += "Transfer-Encoding: chunked\r\n";
  } else if (*length > 0 || (request.method != "GET" && request.method != "HEAD" && request.method != "DELETE")) {
    mode = BodyMode::Length;
    out += "Content-Length: ";
    appendNumber(out, *length);
    out += "\r\n";
  }
  out += "\r\n";
  return mode;
}

std::string chunkHeader(std::size_t size) {
  std::string out;
  appendNumber(out, size, 16);
  return out += "\r\n";
}

std::string_view httpDate() {
  thread_local std::time_t second = 0;
  thread_local char text[40];
  thread_local std::size_t size = 0;
  const std::time_t now = std::time(nullptr);
  if (now != second) {
    std::tm tm{};
    gmtime_r(&now, &tm);
    size = std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    second = now;
  }
  return {text, size};
}

}  // namespace slipway::net::h1
