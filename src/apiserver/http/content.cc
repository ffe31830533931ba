#include "apiserver/http/content.h"

#include "apiserver/api_status.h"
#include "apiserver/http/protobuf.h"
#include "data/yaml.h"

namespace slipway::apiserver {
namespace {

std::string trimLower(std::string_view text, bool lower) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  std::string out(text);
  if (lower) {
    for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
  }
  return out;
}

// Finds keys that occur twice in one object; nlohmann's parser keeps the last of them silently.
class DuplicateFinder final : public nlohmann::json_sax<Json> {
 public:
  std::vector<std::string> found;

  bool null() override { return value(); }
  bool boolean(bool) override { return value(); }
  bool number_integer(number_integer_t) override { return value(); }
  bool number_unsigned(number_unsigned_t) override { return value(); }
  bool number_float(number_float_t, const string_t&) override { return value(); }
  bool string(string_t&) override { return value(); }
  bool binary(binary_t&) override { return value(); }
  bool start_object(std::size_t) override { return open(false); }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(true); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    Level& level = levels_.back();
    level.key = name;
    if (!level.keys.insert(name).second && found.size() < 32) found.push_back(path());
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }

 private:
  struct Level {
    bool array = false;
    std::size_t index = 0;
    std::string key;
    std::set<std::string> keys;
  };
  bool value() {
    if (!levels_.empty() && levels_.back().array) ++levels_.back().index;
    return true;
  }
  bool open(bool array) {
    levels_.push_back({array, 0, "", {}});
    return true;
  }
  bool close() {
    levels_.pop_back();
    return value();
  }
  std::string path() const {
    std::string out;
    for (const Level& l : levels_) {
      if (l.array)
        out += "[" + std::to_string(l.index) + "]";
      else
        out += (out.empty() ? "" : ".") + l.key;
    }
    return out;
  }
  std::vector<Level> levels_;
};

bool endsEarly(const std::string& bytes) {
  try {
    (void)Json::parse(bytes);
  } catch (const Json::parse_error& e) {
    return e.byte > bytes.size();
  } catch (const Json::exception&) {
  }
  return false;
}

Result<Json> parseText(const std::string& bytes) {
  Result<Json> parsed = parseJson(bytes);
  if (parsed) return parsed;
  if (endsEarly(bytes)) return badRequest("unexpected end of JSON input");
  return badRequest("the body of the request is not valid JSON: " + parsed.error().message);
}

}  // namespace

std::string MediaType::param(std::string_view name) const {
  for (const auto& [k, v] : params) {
    if (k == name) return v;
  }
  return "";
}

std::vector<MediaType> parseMediaTypes(std::string_view header) {
  std::vector<MediaType> types;
  while (!header.empty()) {
    const auto comma = header.find(',');
    std::string_view item = header.substr(0, comma);
    header = comma == std::string_view::npos ? std::string_view() : header.substr(comma + 1);
    MediaType m;
    for (bool first = true; first || !item.empty(); first = false) {
      const auto semi = item.find(';');
      const std::string_view part = item.substr(0, semi);
      item = semi == std::string_view::npos ? std::string_view() : item.substr(semi + 1);
      if (first) {
        m.type = trimLower(part, true);
        continue;
      }
      const auto eq = part.find('=');
      if (eq == std::string_view::npos) continue;
      m.params.emplace_back(trimLower(part.substr(0, eq), true), trimLower(part.substr(eq + 1), false));
    }
    if (!m.type.empty()) types.push_back(std::move(m));
  }
  return types;
}

Accepted negotiate(const net::Headers& headers) {
  const auto header = headers.get("Accept");
  if (!header || header->empty()) return {};
  bool protobuf = false;
  for (const MediaType& m : parseMediaTypes(*header)) {
    if (m.type == kProtobufType && m.param("as").empty()) protobuf = true;
    const bool json = m.type == "application/json" || m.type == "*/*" || m.type == "application/*";
    if (!json) continue;
    const std::string as = m.param("as");
    const std::string v = m.param("v");
    if (as.empty()) return {Accepted::Form::Object, "", protobuf};
    if (as == "Table" && (v == "v1" || v == "v1beta1")) return {Accepted::Form::Table, v, protobuf};
    if ((as == "PartialObjectMetadata" || as == "PartialObjectMetadataList") && (v == "v1" || v == "v1beta1"))
      return {Accepted::Form::Metadata, v, protobuf};
    if (as == "APIGroupDiscoveryList" && (v == "v2" || v == "v2beta1")) return {Accepted::Form::Discovery, v, protobuf};
  }
  return {Accepted::Form::None, "", protobuf};
}

Result<Json> parseYamlOrJson(const std::string& bytes) {
  const auto start = bytes.find_first_not_of(" \t\r\n");
  if (start == std::string::npos) return Json(nullptr);
  Result<Json> json = Json(nullptr);
  if (bytes[start] == '{') {
    json = parseText(bytes);
    if (json) return json;
  }
  Result<Json> parsed = parseYaml(bytes);
  if (parsed) return parsed;
  // {a: 1} is YAML too; what is neither was more likely meant as what it looks like.
  return json ? Result<Json>(badRequest("error parsing YAML: " + parsed.error().message)) : json;
}

Result<ParsedBody> parseBody(std::string_view contentType, const std::string& bytes) {
  ParsedBody body;
  const auto types = parseMediaTypes(contentType);
  const std::string type = types.empty() ? "application/json" : types.front().type;
  if (type == kProtobufType) {
    SLIP_TRY(body.object, decodeProtobuf(bytes));
    return body;
  }
  const bool yaml = type == "application/yaml" || type == "text/yaml" || type == "application/x-yaml";
  if (type != "application/json" && !yaml) {
    return unsupportedMediaType({"application/json", "application/yaml", kProtobufType});
  }
  const auto start = bytes.find_first_not_of(" \t\r\n");
  if (start == std::string::npos) return body;
  if (yaml && (bytes[start] != '{' || !parseText(bytes))) {
    SLIP_TRY(body.object, parseYamlOrJson(bytes));
    return body;
  }
  SLIP_TRY(body.object, parseText(bytes));
  DuplicateFinder finder;
  Json::sax_parse(bytes, &finder);
  body.duplicates = std::move(finder.found);
  return body;
}

Result<net::Response> protobufResponse(int status, const Json& object) {
  SLIP_TRY(std::string body, encodeProtobuf(object));
  net::Response response = jsonResponse(status, std::move(body));
  response.headers.set("Content-Type", kProtobufType);
  return response;
}

net::Response jsonResponse(int status, std::string body) {
  net::Response response;
  response.status = status;
  response.headers.set("Content-Type", "application/json");
  response.headers.set("Cache-Control", "no-cache, private");
  response.body = net::Body(std::move(body));
  return response;
}

net::Response errorResponse(const Error& error) {
  const Json status = toStatus(error);
  net::Response response = jsonResponse(static_cast<int>(intAt(status, "code", 500)), dumpJson(status) + "\n");
  if (error.code == Code::TooMany || error.code == Code::Timeout) response.headers.set("Retry-After", "1");
  if (error.code == Code::Unauthorized) response.headers.set("WWW-Authenticate", "Bearer realm=\"slipway\"");
  return response;
}

void addWarnings(net::Response& response, const std::vector<std::string>& warnings) {
  for (const std::string& w : warnings) {
    std::string quoted;
    for (char c : w) {
      if (c == '"' || c == '\\') quoted += '\\';
      quoted += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
    response.headers.add("Warning", "299 - \"" + quoted + "\"");
  }
}

}  // namespace slipway::apiserver
