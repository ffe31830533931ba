#include "data/json_pointer.h"

#include <charconv>

namespace slipway {

Result<std::vector<std::string>> pointerSteps(std::string_view pointer) {
  std::vector<std::string> steps;
  if (pointer.empty()) return steps;
  if (pointer[0] != '/') return fail(Code::BadRequest, fmt::format("JSON pointer '{}' must start with '/'", pointer));
  std::string step;
  for (std::size_t i = 1; i <= pointer.size(); ++i) {
    if (i == pointer.size() || pointer[i] == '/') {
      steps.push_back(std::move(step));
      step.clear();
    } else if (pointer[i] == '~' && i + 1 < pointer.size() && (pointer[i + 1] == '0' || pointer[i + 1] == '1')) {
      step.push_back(pointer[++i] == '1' ? '/' : '~');
    } else {
      step.push_back(pointer[i]);
    }
  }
  return steps;
}

std::string pointerEscape(std::string_view step) {
  std::string out;
  for (const char c : step) {
    if (c == '~')
      out += "~0";
    else if (c == '/')
      out += "~1";
    else
      out.push_back(c);
  }
  return out;
}

std::optional<std::size_t> pointerIndex(std::string_view step, std::size_t size) {
  if (step.empty() || (step.size() > 1 && step[0] == '0')) return std::nullopt;
  std::size_t index = 0;
  const auto [end, error] = std::from_chars(step.data(), step.data() + step.size(), index);
  if (error != std::errc() || end != step.data() + step.size() || index >= size) return std::nullopt;
  return index;
}

const Json* pointerFind(const Json& root, const std::vector<std::string>& steps) {
  const Json* value = &root;
  for (const std::string& step : steps) {
    if (value->is_object()) {
      auto it = value->find(step);
      if (it == value->end()) return nullptr;
      value = &*it;
    } else if (value->is_array()) {
      const auto index = pointerIndex(step, value->size());
      if (!index) return nullptr;
      value = &(*value)[*index];
    } else {
      return nullptr;
    }
  }
  return value;
}

Json* pointerFind(Json& root, const std::vector<std::string>& steps) {
  return const_cast<Json*>(pointerFind(static_cast<const Json&>(root), steps));
}

}  // namespace slipway
