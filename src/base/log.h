// Logging: one line per event on stderr, `2026-11-24T10:00:00.123Z info  message`, or JSON lines with setLogFormat(Json).
// Thread-safe. Say what happened to which object; no secrets, no request bodies.
#pragma once
#include <fmt/format.h>

#include <string>

namespace slipway {

enum class LogLevel { Debug, Info, Warn, Error, Off };
enum class LogFormat { Text, Json };

void setLogLevel(LogLevel level);
void setLogFormat(LogFormat format);
bool parseLogLevel(const std::string& text, LogLevel* out);  // "debug", "info", "warn", "error", "off"
bool logEnabled(LogLevel level);
void logLine(LogLevel level, const std::string& message);

template <class... A>
void logAt(LogLevel level, fmt::format_string<A...> format, A&&... args) {
  if (logEnabled(level)) logLine(level, fmt::format(format, std::forward<A>(args)...));
}
template <class... A>
void logDebug(fmt::format_string<A...> f, A&&... a) {
  logAt(LogLevel::Debug, f, std::forward<A>(a)...);
}
template <class... A>
void logInfo(fmt::format_string<A...> f, A&&... a) {
  logAt(LogLevel::Info, f, std::forward<A>(a)...);
}
template <class... A>
void logWarn(fmt::format_string<A...> f, A&&... a) {
  logAt(LogLevel::Warn, f, std::forward<A>(a)...);
}
template <class... A>
void logError(fmt::format_string<A...> f, A&&... a) {
  logAt(LogLevel::Error, f, std::forward<A>(a)...);
}

}  // namespace slipway
