#include "base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace slipway {
namespace {

constexpr const char* kText = "%Y-%m-%dT%H:%M:%S.%eZ %-5l %v";

spdlog::logger& logger() {
  static auto instance = [] {
    auto made = std::make_shared<spdlog::logger>("slipway", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern(kText, spdlog::pattern_time_type::utc);
    made->set_level(spdlog::level::info);
    made->flush_on(spdlog::level::info);
    return made;
  }();
  return *instance;
}

std::atomic<LogFormat> currentFormat{LogFormat::Text};

spdlog::level::level_enum toSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::Debug: return spdlog::level::debug;
    case LogLevel::Info: return spdlog::level::info;
    case LogLevel::Warn: return spdlog::level::warn;
    case LogLevel::Error: return spdlog::level::err;
    case LogLevel::Off: return spdlog::level::off;
  }
  return spdlog::level::info;
}

}  // namespace

void setLogLevel(LogLevel level) { logger().set_level(toSpdlog(level)); }

void setLogFormat(LogFormat format) {
  currentFormat = format;
  logger().set_pattern(format == LogFormat::Text ? kText : R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l","message":%v})",
                       spdlog::pattern_time_type::utc);
}

bool parseLogLevel(const std::string& text, LogLevel* out) {
  static const std::map<std::string, LogLevel> names = {{"debug", LogLevel::Debug},
                                                        {"info", LogLevel::Info},
                                                        {"warn", LogLevel::Warn},
                                                        {"error", LogLevel::Error},
                                                        {"off", LogLevel::Off}};
  auto it = names.find(text);
  if (it == names.end()) return false;
  *out = it->second;
  return true;
}

bool logEnabled(LogLevel level) { return logger().should_log(toSpdlog(level)); }

void logLine(LogLevel level, const std::string& message) {
  if (currentFormat == LogFormat::Json) {
    logger().log(toSpdlog(level), nlohmann::json(message).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    return;
  }
  logger().log(toSpdlog(level), message);
}

}  // namespace slipway
