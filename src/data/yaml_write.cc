#include "data/yaml.h"
#include "data/yaml_scalar.h"

namespace slipway {
namespace {

// Whether a text can stand without quotes and reads back as the same text.
bool plain(const std::string& s) {
  if (s.empty() || s.front() == ' ' || s.back() == ' ' || s.back() == ':') return false;
  if (std::string_view("-?:,[]{}#&*!|>'\"%@`").find(s.front()) != std::string_view::npos) return false;
  if (s.find(": ") != std::string::npos || s.find(" #") != std::string::npos || s == "<<" || s == "=") return false;
  if (!std::all_of(s.begin(), s.end(), [](unsigned char c) { return c >= 0x20 && c != 0x7f; })) return false;
  const auto value = yamlScalar(s);
  return value && value->is_string();
}

std::string scalar(const Json& value) {
  if (!value.is_string()) return dumpJson(value);
  const auto& s = value.get_ref<const std::string&>();
  return plain(s) ? s : dumpJson(value);  // JSON text is a double-quoted YAML scalar
}

bool blockText(const Json& value) {
  if (!value.is_string()) return false;
  const auto& s = value.get_ref<const std::string&>();
  if (s.find('\n') == std::string::npos || s.front() == ' ' || s.front() == '\n' || s.size() < 2) return false;
  return std::all_of(s.begin(), s.end(), [](unsigned char c) { return c == '\n' || (c >= 0x20 && c != 0x7f); });
}

void write(const Json& value, std::size_t indent, std::string& out);

void writeText(const std::string& s, std::size_t indent, std::string& out) {
  const auto last = s.find_last_not_of('\n');
  const std::size_t newlines = last == std::string::npos ? 0 : s.size() - last - 1;
  out += newlines == 0 ? "|-\n" : newlines == 1 ? "|\n" : "|+\n";
  std::size_t begin = 0;
  while (begin < s.size()) {
    auto end = s.find('\n', begin);
    if (end == std::string::npos) end = s.size();
    if (end > begin) out.append(indent, ' ').append(s, begin, end - begin);
    out += '\n';
    begin = end + 1;
  }
}

// What follows "key:" or "-".
void writeValue(const Json& value, std::size_t indent, bool inList, std::string& out) {
  if (value.is_object() && !value.empty()) {
    if (!inList)
      out += '\n';
    else
      out += ' ';
    std::string inner;
    write(value, indent + 2, inner);
    out += inList ? inner.substr(indent + 2) : inner;
  } else if (value.is_array() && !value.empty()) {
    out += '\n';
    write(value, inList ? indent + 2 : indent, out);
  } else if (blockText(value)) {
    out += ' ';
    writeText(value.get_ref<const std::string&>(), indent + 2, out);
  } else {
    out += ' ' + scalar(value) + '\n';
  }
}

void write(const Json& value, std::size_t indent, std::string& out) {
  if (value.is_object()) {
    for (const auto& [key, member] : value.items()) {
      out.append(indent, ' ').append(scalar(Json(key))).append(":");
      writeValue(member, indent, false, out);
    }
  } else {
    for (const Json& item : value) {
      out.append(indent, ' ').append("-");
      writeValue(item, indent, true, out);
    }
  }
}

}  // namespace

std::string dumpYaml(const Json& value) {
  if (!value.is_structured() || value.empty()) return scalar(value) + "\n";
  std::string out;
  write(value, 0, out);
  return out;
}

}  // namespace slipway
