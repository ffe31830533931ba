#include "data/yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <sstream>

#include "data/yaml_scalar.h"

namespace slipway {
namespace {

struct Stop {
  YAML::Mark mark;
  std::string message;
};

std::size_t countValues(const Json& value) {
  std::size_t n = 1;
  if (value.is_structured()) {
    for (const Json& child : value) n += countValues(child);
  }
  return n;
}

// Builds one document from the parser's events; throws Stop, which stays in this file.
class Builder : public YAML::EventHandler {
 public:
  explicit Builder(const YamlLimits& limits, std::size_t& values) : limits_(limits), values_(values) {}

  bool filled = false;
  Json root;

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { put(mark, anchor, Json()); }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    auto it = anchors_.find(anchor);
    if (it == anchors_.end()) throw Stop{mark, "an alias stands inside the value that it names"};
    values_ += it->second.second;
    if (values_ > limits_.values)
      throw Stop{mark, fmt::format("the document has more than {} values after aliases are expanded", limits_.values)};
    place(mark, Json(it->second.first));
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, const std::string& value) override {
    if (tag == "!" || tag == "tag:yaml.org,2002:str") return put(mark, anchor, Json(value));
    if (tag == "tag:yaml.org,2002:binary") return put(mark, anchor, Json(value));
    auto typed = yamlScalar(value);
    if (!typed) throw Stop{mark, fmt::format("{} cannot be written as JSON", value)};
    put(mark, anchor, std::move(*typed));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, anchor, Json::array());
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    open(mark, anchor, Json::object());
  }
  void OnMapEnd() override { close(); }

 private:
  struct Frame {
    YAML::Mark mark;
    YAML::anchor_t anchor;
    Json value;
    std::optional<std::string> key;
    std::vector<Json> merges;
  };

  void count(const YAML::Mark& mark) {
    if (++values_ > limits_.values) throw Stop{mark, fmt::format("the document has more than {} values", limits_.values)};
  }

  void put(const YAML::Mark& mark, YAML::anchor_t anchor, Json value) {
    count(mark);
    remember(anchor, value);
    place(mark, std::move(value));
  }

  void remember(YAML::anchor_t anchor, const Json& value) {
    if (anchor != 0) anchors_[anchor] = {value, countValues(value)};
  }

  void open(const YAML::Mark& mark, YAML::anchor_t anchor, Json empty) {
    count(mark);
    if (static_cast<int>(frames_.size()) >= limits_.depth)
      throw Stop{mark, fmt::format("the document is nested deeper than {} levels", limits_.depth)};
    if (!frames_.empty() && frames_.back().value.is_object() && !frames_.back().key)
      throw Stop{mark, "a key must be a plain value"};
    frames_.push_back({mark, anchor, std::move(empty), std::nullopt, {}});
  }

  void close() {
    Frame frame = std::move(frames_.back());
    frames_.pop_back();
    for (auto it = frame.merges.rbegin(); it != frame.merges.rend(); ++it) merge(frame, *it);
    remember(frame.anchor, frame.value);
    place(frame.mark, std::move(frame.value));
  }

  // "<<": keys that the map has itself win.
  static void merge(Frame& frame, const Json& source) {
    if (source.is_array()) {
      for (const Json& one : source) merge(frame, one);
      return;
    }
    if (!source.is_object()) throw Stop{frame.mark, "map merge requires map or sequence of maps as the value"};
    for (const auto& [key, value] : source.items()) {
      if (!frame.value.contains(key)) frame.value[key] = value;
    }
  }

  void place(const YAML::Mark& mark, Json value) {
    if (frames_.empty()) {
      root = std::move(value);
      filled = true;
      return;
    }
    Frame& frame = frames_.back();
    if (frame.value.is_array()) {
      frame.value.push_back(std::move(value));
    } else if (!frame.key) {
      if (value.is_structured()) throw Stop{mark, "a key must be a plain value"};
      frame.key = value.is_string() ? value.get<std::string>() : dumpJson(value);
    } else {
      setMember(mark, frame, std::move(value));
    }
  }

  static void setMember(const YAML::Mark& mark, Frame& frame, Json value) {
    const std::string key = std::move(*frame.key);
    frame.key.reset();
    if (key == "<<") {
      frame.merges.push_back(std::move(value));
      return;
    }
    if (frame.value.contains(key)) throw Stop{mark, fmt::format("key \"{}\" already set in map", key)};
    frame.value[key] = std::move(value);
  }

  const YamlLimits& limits_;
  std::size_t& values_;
  std::vector<Frame> frames_;
  std::map<YAML::anchor_t, std::pair<Json, std::size_t>> anchors_;
};

tl::unexpected<Error> wrong(const YAML::Mark& mark, const std::string& message) {
  return fail(Code::BadRequest, fmt::format("line {}, column {}: {}", mark.line + 1, mark.column + 1, message));
}

// Deep flow nesting overflows the stack of the parser itself, before any event is seen.
Status checkNesting(std::string_view text, int limit) {
  int depth = 0;
  int worst = 0;
  for (const char c : text) {
    if (c == '[' || c == '{')
      worst = std::max(worst, ++depth);
    else if ((c == ']' || c == '}') && depth > 0)
      --depth;
  }
  // Brackets inside texts count too, so the bound is loose.
  if (worst > limit * 20) return fail(Code::BadRequest, fmt::format("the document is nested deeper than {} levels", limit));
  // "- - - -" and "? ? ?" nest one level per dash on one line.
  int dashes = 0;
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    const bool indicator =
        (text[i] == '-' || text[i] == '?' || text[i] == ':') && (text[i + 1] == ' ' || text[i + 1] == '\t');
    if (indicator) {
      if (++dashes > limit * 20)
        return fail(Code::BadRequest, fmt::format("the document is nested deeper than {} levels", limit));
    } else if (text[i] == '\n') {
      dashes = 0;
    }
  }
  return {};
}

}  // namespace

Result<std::vector<Json>> parseYamlDocuments(std::string_view text, const YamlLimits& limits) {
  if (text.size() > limits.bytes)
    return fail(Code::TooLarge, fmt::format("the YAML text has {} bytes; at most {} are read", text.size(), limits.bytes));
  SLIP_CHECK(checkNesting(text, limits.depth));
  std::vector<Json> documents;
  std::size_t values = 0;
  try {
    std::istringstream in{std::string(text)};
    YAML::Parser parser(in);
    while (true) {
      Builder builder(limits, values);
      if (!parser.HandleNextDocument(builder)) break;
      if (builder.filled && !builder.root.is_null()) documents.push_back(std::move(builder.root));
    }
  } catch (const Stop& stop) {
    return wrong(stop.mark, stop.message);
  } catch (const YAML::Exception& e) {
    return wrong(e.mark, e.msg);
  } catch (const std::exception& e) {
    return fail(Code::BadRequest, e.what());
  }
  return documents;
}

Result<Json> parseYaml(std::string_view text, const YamlLimits& limits) {
  SLIP_TRY(auto documents, parseYamlDocuments(text, limits));
  if (documents.size() > 1)
    return fail(Code::BadRequest, fmt::format("one YAML document is expected, not {}", documents.size()));
  return documents.empty() ? Json() : std::move(documents[0]);
}

}  // namespace slipway
