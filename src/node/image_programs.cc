#include "node/image_programs.h"

#include <unistd.h>

#include <sstream>

namespace slipway::node {
namespace {

std::vector<std::string> texts(const Json& list) {
  std::vector<std::string> out;
  for (const Json& item : list)
    if (item.is_string()) out.push_back(item.get<std::string>());
  return out;
}

std::string trim(const std::string& text) {
  const std::size_t from = text.find_first_not_of(" \t\r");
  if (from == std::string::npos) return "";
  return text.substr(from, text.find_last_not_of(" \t\r") - from + 1);
}

// Images that mean "a program of this machine": the command says which.
bool isLocalImage(const std::string& image) {
  const std::string name = image.substr(0, image.find(':'));
  return name == "local" || name == "host" || name == "scratch" || name.starts_with("local/") ||
         name.starts_with("localhost/");
}

}  // namespace

bool globMatches(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t mark = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      mark = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++mark;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

std::vector<std::string> splitWords(const std::string& text) {
  std::vector<std::string> words;
  std::string word;
  char quote = 0;
  bool open = false;
  for (const char c : text) {
    if (quote != 0) {
      if (c == quote)
        quote = 0;
      else
        word += c;
    } else if (c == '"' || c == '\'') {
      quote = c;
      open = true;
    } else if (c == ' ' || c == '\t' || c == '\r') {
      if (open) words.push_back(std::move(word));
      word.clear();
      open = false;
    } else {
      word += c;
      open = true;
    }
  }
  if (open) words.push_back(std::move(word));
  return words;
}

ImagePrograms ImagePrograms::defaults() {
  ImagePrograms images;
  for (const char* server :
       {"sklearnserver", "xgbserver", "lgbserver", "catboostserver", "predictiveserver", "pmmlserver", "paddleserver"}) {
    images.entries_.push_back({fmt::format("*{}:*", server), {"slipway", "model-server"}});
    images.entries_.push_back({fmt::format("*{}", server), {"slipway", "model-server"}});
    images.entries_.push_back({fmt::format("*{}@*", server), {"slipway", "model-server"}});
  }
  for (const char* suffix : {":*", "", "@*"}) {
    images.entries_.push_back({fmt::format("*storage-initializer{}", suffix), {"slipway", "storage-init"}});
    images.entries_.push_back({fmt::format("*kserve-storage-initializer-rhel*{}", suffix), {"slipway", "storage-init"}});
  }
  return images;
}

ImagePrograms ImagePrograms::fromConfigMap(const Json& configMap, std::vector<std::string>* warnings) {
  ImagePrograms images;
  const Json& data = at(configMap, "data");
  if (data.is_object()) {
    for (const auto& [key, value] : data.items()) {
      std::stringstream lines(value.is_string() ? value.get<std::string>() : "");
      int number = 0;
      for (std::string line; std::getline(lines, line);) {
        ++number;
        line = trim(line);
        if (line.empty() || line[0] == '#') continue;
        const std::size_t equals = line.find('=');
        Entry entry;
        if (equals != std::string::npos) entry = {trim(line.substr(0, equals)), splitWords(line.substr(equals + 1))};
        if (!entry.pattern.empty() && !entry.argv.empty()) {
          images.entries_.push_back(std::move(entry));
        } else if (warnings != nullptr) {
          warnings->push_back(fmt::format("ConfigMap {}/{} data.{} line {}: \"{}\" is not `PATTERN = PROGRAM [ARG…]`",
                                          kImagesNamespace, kImagesName, key, number, line));
        }
      }
    }
  }
  const ImagePrograms builtIn = defaults();
  images.entries_.insert(images.entries_.end(), builtIn.entries_.begin(), builtIn.entries_.end());
  return images;
}

std::optional<std::vector<std::string>> ImagePrograms::find(const std::string& image) const {
  for (const Entry& entry : entries_)
    if (globMatches(entry.pattern, image)) return entry.argv;
  return std::nullopt;
}

Result<ContainerProgram> programFor(const Json& container, const ImagePrograms& images, const std::string& self,
                                    bool hasPodman) {
  const std::string image = textAt(container, "image");
  const std::vector<std::string> command = texts(at(container, "command"));
  const std::vector<std::string> args = texts(at(container, "args"));
  ContainerProgram program;
  const bool absolute = !command.empty() && command[0].starts_with("/") && ::access(command[0].c_str(), X_OK) == 0;
  const auto mapped = images.find(image);
  if (mapped && !absolute) {
    // A known image's own entry point is ours: a command that names a program inside the image would not be found here.
    program.argv = *mapped;
    if (program.argv[0] == "slipway") program.argv[0] = self;
    program.known = true;
  } else if (!command.empty() && (mapped || isLocalImage(image))) {
    program.argv = command;
    program.known = true;
  } else if (hasPodman && !isLocalImage(image)) {
    program.podman = true;
    return program;
  } else if (isLocalImage(image)) {
    return fail(Code::Invalid,
                fmt::format("container {}: image \"{}\" means a program of this machine: command must name it",
                            textAt(container, "name"), image));
  } else {
    return fail(Code::NotFound, fmt::format("image \"{}\" has no local program: add it to ConfigMap {}/{} or install podman",
                                            image, kImagesNamespace, kImagesName));
  }
  program.argv.insert(program.argv.end(), args.begin(), args.end());
  return program;
}

}  // namespace slipway::node
