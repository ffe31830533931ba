#include "base/clock.h"
#include "objects/table/cells.h"

namespace slipway::table {

std::string humanDuration(std::int64_t seconds) {
  if (seconds < -1) return "<invalid>";
  if (seconds < 0) return "0s";
  if (seconds < 120) return fmt::format("{}s", seconds);
  const std::int64_t minutes = seconds / 60;
  if (minutes < 10) return seconds % 60 == 0 ? fmt::format("{}m", minutes) : fmt::format("{}m{}s", minutes, seconds % 60);
  if (minutes < 180) return fmt::format("{}m", minutes);
  const std::int64_t hours = minutes / 60;
  if (hours < 8) return minutes % 60 == 0 ? fmt::format("{}h", hours) : fmt::format("{}h{}m", hours, minutes % 60);
  if (hours < 48) return fmt::format("{}h", hours);
  const std::int64_t days = hours / 24;
  if (days < 8) return hours % 24 == 0 ? fmt::format("{}d", days) : fmt::format("{}d{}h", days, hours % 24);
  if (days < 365 * 2) return fmt::format("{}d", days);
  const std::int64_t years = days / 365;
  if (years < 8) return days % 365 == 0 ? fmt::format("{}y", years) : fmt::format("{}y{}d", years, days % 365);
  return fmt::format("{}y", years);
}

std::string age(const Json& time, std::int64_t now) {
  WallTime then;
  if (!time.is_string() || !parseRfc3339(time.get_ref<const std::string&>(), &then)) return "<unknown>";
  return humanDuration(now - std::chrono::duration_cast<std::chrono::seconds>(then.time_since_epoch()).count());
}

std::string labelsText(const Json& labels) {
  std::string out;
  if (labels.is_object()) {
    for (const auto& [key, value] : labels.items())
      out += (out.empty() ? "" : ",") + key + "=" + (value.is_string() ? value.get<std::string>() : dumpJson(value));
  }
  return out.empty() ? "<none>" : out;
}

std::string selectorText(const Json& selector) {
  std::string out = labelsText(at(selector, "matchLabels"));
  if (out == "<none>") out.clear();
  const Json& expressions = at(selector, "matchExpressions");
  if (expressions.is_array()) {
    for (const Json& e : expressions) {
      const std::string key = textAt(e, "key");
      const std::string op = textAt(e, "operator");
      std::string values;
      for (const Json& v : at(e, "values"))
        values += (values.empty() ? "" : ",") + (v.is_string() ? v.get<std::string>() : "");
      const std::string term = op == "Exists"         ? key
                               : op == "DoesNotExist" ? "!" + key
                                                      : key + (op == "In" ? " in (" : " notin (") + values + ")";
      out += (out.empty() ? "" : ",") + term;
    }
  }
  return out.empty() ? "<none>" : out;
}

}  // namespace slipway::table
