#include "storage/fetch.h"

#include "storage/archive.h"
#include "storage/cache.h"

namespace slipway::storage {
namespace fs = std::filesystem;
namespace {
// Links a local path's files into the target, as KServe does; a single archive is unpacked.
Result<FetchReport> linkLocal(const std::string& path, const fs::path& target, const Settings& settings) {
  std::error_code error;
  const fs::path source = fs::absolute(path, error).lexically_normal();
  if (!fs::exists(source, error)) return fail(Code::NotFound, fmt::format("Local path {} does not exist.", path));
  FetchReport report;
  report.linked = true;
  if (fs::is_regular_file(source, error) && isArchive(source.filename())) {
    SLIP_CHECK(unpackArchive(source, target, settings.archive));
    report.files = 1;
    return report;
  }
  std::vector<fs::path> items;
  if (fs::is_directory(source, error)) {
    for (fs::directory_iterator it(source, error), end; !error && it != end; it.increment(error))
      items.push_back(it->path());
    if (error) return fail(Code::Forbidden, fmt::format("local path {} cannot be read: {}", path, error.message()));
  } else {
    items.push_back(source);
  }
  for (const auto& item : items) {
    if (!settings.wants(item.filename())) continue;
    const fs::path link = target / item.filename();
    if (fs::equivalent(item, link, error)) continue;
    fs::remove(link, error);
    fs::create_symlink(item, link, error);
    if (error) return fail(writeError(link, error.value()));
    ++report.files;
  }
  if (items.empty()) return fail(Code::NotFound, fmt::format("Failed to fetch model. No model found in {}.", path));
  return report;
}

Status download(Source& source, const std::vector<SourceObject>& objects, const fs::path& folder, const Settings& settings,
                Progress& progress) {
  SLIP_CHECK(downloadAll(source, objects, folder, settings.transfer, progress));
  if (objects.size() != 1 || !isArchive(objects[0].path)) return {};
  const fs::path archive = folder / objects[0].path;
  SLIP_CHECK(unpackArchive(archive, folder, settings.archive));
  std::error_code error;
  fs::remove(archive, error);
  return {};
}

// What a listing is called in the cache; empty when the source cannot tell one content from another.
std::string cacheKey(const Source& source, const std::vector<SourceObject>& objects) {
  std::string text = source.where() + "\n";
  for (const auto& o : objects) {
    if (o.etag.empty() || !o.size) return "";
    text += fmt::format("{} {} {}\n", o.etag, *o.size, o.path);
  }
  return sha256Hex(text);
}

Result<std::vector<SourceObject>> listWanted(Source& source, const Settings& settings, Progress& progress) {
  std::vector<SourceObject> objects;
  HttpTransfer http(settings.transfer);
  SLIP_CHECK(withRetries(settings.transfer, progress, [&]() -> Status {
    SLIP_TRY(objects, source.list(http));
    return {};
  }));
  const std::size_t all = objects.size();
  std::erase_if(objects, [&](const auto& o) { return !settings.wants(o.path); });
  if (objects.empty())
    return fail(Code::NotFound,
                fmt::format("{}: none of its {} files passes STORAGE_ALLOW_PATTERNS and STORAGE_IGNORE_PATTERNS",
                            source.where(), all));
  std::sort(objects.begin(), objects.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  return objects;
}
}  // namespace

Result<FetchReport> fetchModel(const std::string& uri, const fs::path& target, const Settings& settings,
                               Progress& progress) {
  std::error_code error;
  fs::create_directories(target, error);
  if (error) return fail(writeError(target, error.value()));
  if (uri.starts_with("pvc://")) {
    if (fs::is_empty(target, error) || error)
      return fail(Code::NotFound, fmt::format("{}: a claim is mounted at {} by the platform, but that folder is empty: "
                                              "check the claim's content and sub-path",
                                              uri, target.string()));
    return FetchReport{0, 0, false, true};
  }
  if (uri.starts_with("file://")) return linkLocal(uri.substr(7), target, settings);
  if (uri.starts_with('/') || fs::exists(uri, error)) return linkLocal(uri, target, settings);

  SLIP_TRY(const auto source, openSource(uri, settings));
  SLIP_TRY(const auto objects, listWanted(*source, settings, progress));
  FetchReport report{objects.size(), 0, false, false};
  for (const auto& o : objects) report.bytes += o.size.value_or(0);
  progress.total = report.bytes;
  const auto fill = [&](const fs::path& folder) { return download(*source, objects, folder, settings, progress); };
  const std::string key = settings.cacheFolder.empty() ? "" : cacheKey(*source, objects);
  if (key.empty()) {
    SLIP_CHECK(fill(target));
    return report;
  }
  report.cached = true;
  SLIP_CHECK(ModelCache(settings.cacheFolder, settings.cacheBytes).provide(key, target, [&](const fs::path& staging) {
    report.cached = false;
    return fill(staging);
  }));
  return report;
}

}  // namespace slipway::storage
