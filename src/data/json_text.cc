#include "data/json_text.h"

#include <simdjson.h>

namespace slipway {
namespace {

constexpr std::size_t kNone = std::string_view::npos;

std::size_t skipSpace(std::string_view text, std::size_t at) {
  while (at < text.size() && (text[at] == ' ' || text[at] == '\n' || text[at] == '\t' || text[at] == '\r')) ++at;
  return at;
}

// Behind the string that begins at `at`, or kNone when it does not end.
std::size_t stringEnd(std::string_view text, std::size_t at) {
  const std::size_t begin = at + 1;
  for (at = begin;;) {
    at = text.find('"', at);
    if (at == kNone) return kNone;
    std::size_t escapes = 0;
    while (at - escapes > begin && text[at - escapes - 1] == '\\') ++escapes;
    ++at;
    if (escapes % 2 == 0) return at;
  }
}

// Behind the value that begins at `at`.
std::size_t valueEnd(std::string_view text, std::size_t at) {
  if (at >= text.size()) return kNone;
  if (text[at] == '"') return stringEnd(text, at);
  if (text[at] != '{' && text[at] != '[') {
    const auto end = text.find_first_of(",}] \n\t\r", at);
    return end == kNone ? text.size() : end;
  }
  for (int depth = 0; at < text.size();) {
    const char c = text[at];
    if (c == '"') {
      at = stringEnd(text, at);
      if (at == kNone) return kNone;
      continue;
    }
    ++at;
    if (c == '{' || c == '[') ++depth;
    if ((c == '}' || c == ']') && --depth == 0) return at;
  }
  return kNone;
}

struct Member {
  std::size_t key = kNone, value = kNone, end = kNone;  // where each begins; end: behind the value
};

Member findMember(std::string_view object, std::string_view key) {
  std::size_t at = skipSpace(object, 0);
  if (at >= object.size() || object[at] != '{') return {};
  for (++at;;) {
    at = skipSpace(object, at);
    if (at >= object.size() || object[at] != '"') return {};
    Member member;
    member.key = at;
    const auto keyEnd = stringEnd(object, at);
    if (keyEnd == kNone) return {};
    const bool found = object.substr(at + 1, keyEnd - at - 2) == key;
    at = skipSpace(object, keyEnd);
    if (at >= object.size() || object[at] != ':') return {};
    member.value = skipSpace(object, at + 1);
    member.end = valueEnd(object, member.value);
    if (member.end == kNone) return {};
    if (found) return member;
    at = skipSpace(object, member.end);
    if (at >= object.size() || object[at] != ',') return {};
    ++at;
  }
}

// Numbers get the types that nlohmann's own parser gives them: unsigned unless negative.
Json valueOf(simdjson::dom::element element) {
  using simdjson::dom::element_type;
  switch (element.type()) {
    case element_type::ARRAY: {
      const simdjson::dom::array list = element.get_array().value_unsafe();
      Json out = Json::array();
      auto& items = out.get_ref<Json::array_t&>();
      items.reserve(list.size());
      for (const auto item : list) items.push_back(valueOf(item));
      return out;
    }
    case element_type::OBJECT: {
      Json out = Json::object();
      auto& members = out.get_ref<Json::object_t&>();
      // Our text has its keys in order: each new one goes to the end. Of a key that comes twice the last one counts.
      for (const auto field : element.get_object().value_unsafe())
        members.insert_or_assign(members.end(), std::string(field.key), valueOf(field.value));
      return out;
    }
    case element_type::INT64: {
      const std::int64_t number = element.get_int64().value_unsafe();
      return number < 0 ? Json(number) : Json(static_cast<std::uint64_t>(number));
    }
    case element_type::UINT64: return element.get_uint64().value_unsafe();
    case element_type::DOUBLE: return element.get_double().value_unsafe();
    case element_type::STRING: return std::string(element.get_string().value_unsafe());
    case element_type::BOOL: return element.get_bool().value_unsafe();
    default: return nullptr;
  }
}

Json partOf(simdjson::dom::element element, WantsMember wants, std::string_view of) {
  Json out = Json::object();
  auto& members = out.get_ref<Json::object_t&>();
  for (const auto field : element.get_object().value_unsafe()) {
    if (!wants(of, field.key)) continue;
    const bool whole = !of.empty() || !field.value.is_object();
    members.insert_or_assign(members.end(), std::string(field.key),
                             whole ? valueOf(field.value) : partOf(field.value, wants, field.key));
  }
  return out;
}

// False when it is not JSON, or too long for a parser that keeps its memory.
bool parseFast(std::string_view text, simdjson::dom::element& element) {
  constexpr std::size_t kKept = 1 << 20;
  thread_local simdjson::dom::parser parser(kKept);
  return text.size() <= kKept && parser.parse(text.data(), text.size()).get(element) == simdjson::SUCCESS;
}

}  // namespace

Json parseOwnJson(std::string_view text) {
  simdjson::dom::element element;
  return parseFast(text, element) ? valueOf(element) : Json::parse(text, nullptr, false);
}

Json parseOwnJsonPart(std::string_view text, WantsMember wants) {
  simdjson::dom::element element;
  const bool fast = parseFast(text, element) && element.is_object();
  return fast ? partOf(element, wants, "") : Json::parse(text, nullptr, false);
}

std::string_view memberText(std::string_view object, std::string_view key) {
  const Member member = findMember(object, key);
  return member.key == kNone ? std::string_view() : object.substr(member.value, member.end - member.value);
}

std::string withoutMember(std::string_view object, std::string_view key) {
  const Member member = findMember(object, key);
  if (member.key == kNone) return std::string(object);
  // With the comma behind it, or before it when it is the last.
  std::size_t from = member.key, to = skipSpace(object, member.end);
  if (to < object.size() && object[to] == ',') {
    to = skipSpace(object, to + 1);
  } else {
    const auto before = object.find_last_not_of(" \n\t\r", from - 1);
    if (before != kNone && object[before] == ',') from = before;
  }
  return std::string(object.substr(0, from)) + std::string(object.substr(to));
}

}  // namespace slipway
