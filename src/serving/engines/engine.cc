#include "serving/engines/engine.h"

#include <fstream>

#include "serving/engines/catboost_engine.h"
#include "serving/engines/lightgbm_engine.h"
#include "serving/engines/sklearn_engine.h"
#include "serving/engines/xgboost_engine.h"

namespace slipway::serving {
namespace {

// One row per format. A file belongs to the first row that has its extension and, where several formats share an extension
// (`.bst`), takes its first bytes.
struct Format {
  std::vector<std::string_view> extensions;
  bool (*starts)(std::string_view head);  // null: any
  Result<std::unique_ptr<Model>> (*load)(const std::filesystem::path& file, const EngineOptions& options);
};

bool startsAsLightgbm(std::string_view head) { return head.starts_with("tree\n") || head.starts_with("tree\r\n"); }

const std::vector<Format>& formats() {
  static const std::vector<Format> kFormats = {
      {{".joblib", ".pkl", ".pickle"},
       nullptr,
       [](const auto& file, const auto& o) { return loadSklearn(file, o.predictProba); }},
      {{".bst", ".txt", ".lgb", ".model"},
       startsAsLightgbm,
       [](const auto& file, const auto&) { return loadLightgbm(file); }},
      {{".bst", ".json", ".ubj", ".model", ".xgb"},
       nullptr,
       [](const auto& file, const auto&) { return loadXgboost(file); }},
      {{".cbm"}, nullptr, [](const auto& file, const auto& o) { return loadCatboost(file, o.predictProba); }},
      {{".txt", ".lgb"}, nullptr, [](const auto& file, const auto&) { return loadLightgbm(file); }},
  };
  return kFormats;
}

std::vector<std::string_view> allExtensions() {
  std::vector<std::string_view> out;
  for (const Format& format : formats())
    for (const auto e : format.extensions)
      if (std::find(out.begin(), out.end(), e) == out.end()) out.push_back(e);
  return out;
}

std::string headOf(const std::filesystem::path& file) {
  std::string head(64, '\0');
  std::ifstream in(file, std::ios::binary);
  in.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<std::size_t>(std::max<std::streamsize>(in.gcount(), 0)));
  return head;
}

Result<std::unique_ptr<Model>> load(const std::filesystem::path& path, const EngineOptions& options) {
  const auto extensions = allExtensions();
  SLIP_TRY(const auto file, findModelFile(path, extensions));
  const std::string name = file.filename().string();
  const std::string head = headOf(file);
  bool known = false;
  for (const Format& format : formats()) {
    const auto fits = [&](std::string_view e) { return name.ends_with(e); };
    if (std::none_of(format.extensions.begin(), format.extensions.end(), fits)) continue;
    known = true;
    if (format.starts == nullptr || format.starts(head)) return format.load(file, options);
  }
  // A file named outright may have any name: scikit-learn's reader has always taken such.
  if (!known) return formats().front().load(file, options);
  return fail(Code::Invalid, fmt::format("{}: its first bytes fit no format with this extension", name));
}

}  // namespace

ModelLoader modelLoader(EngineOptions options) {
  return [options](const std::filesystem::path& path) { return load(path, options); };
}

}  // namespace slipway::serving
