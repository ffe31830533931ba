#include <set>

#include "serving/model.h"

namespace slipway::serving {
namespace fs = std::filesystem;
namespace {
std::string joined(const std::set<std::string>& names) {
  std::string out;
  std::size_t shown = 0;
  for (const auto& name : names) {
    if (++shown > 8) return fmt::format("{} and {} more", out, names.size() - 8);
    out += (out.empty() ? "" : ", ") + name;
  }
  return out;
}
}  // namespace

Result<fs::path> findModelFile(const fs::path& path, std::span<const std::string_view> extensions) {
  std::error_code error;
  if (fs::is_regular_file(path, error)) return path;
  fs::directory_iterator it(path, error);
  if (error) return fail(Code::NotFound, fmt::format("model folder {} cannot be read: {}", path.string(), error.message()));
  std::set<std::string> fitting;
  std::set<std::string> others;
  for (; it != fs::directory_iterator(); it.increment(error)) {
    if (error) break;
    const std::string name = it->path().filename();
    // MLServer's settings lie beside a model and are JSON, as xgboost models are.
    const bool settings = name == "model-settings.json" || name == "settings.json";
    const bool fits = !settings && it->is_regular_file(error) &&
                      std::any_of(extensions.begin(), extensions.end(), [&](auto e) { return name.ends_with(e); });
    (fits ? fitting : others).insert(name);
  }
  std::string wanted;
  for (const auto e : extensions) wanted += fmt::format("{}*{}", wanted.empty() ? "" : ", ", e);
  if (fitting.empty())
    return fail(Code::NotFound, fmt::format("no model file ({}) in {}: it {}", wanted, path.string(),
                                            others.empty() ? "is empty" : "holds " + joined(others)));
  if (fitting.size() > 1)
    return fail(Code::Invalid,
                fmt::format("{} holds {} model files ({}): keep one", path.string(), fitting.size(), joined(fitting)));
  return path / *fitting.begin();
}

}  // namespace slipway::serving
