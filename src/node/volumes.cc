#include "node/volumes.h"

#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "base/ids.h"
#include "node/quantity.h"
#include "node/security.h"
#include "node/shim/launch_file.h"

namespace slipway::node {
namespace {
namespace fs = std::filesystem;

using Files = std::map<std::string, PublishedFile>;

bool isSafeRelative(const std::string& path) {
  if (path.empty() || path[0] == '/') return false;
  for (const fs::path& part : fs::path(path))
    if (part == "..") return false;
  return true;
}

Status makeFolder(const std::string& path, int mode) {
  std::error_code ec;
  fs::create_directories(path, ec);
  if (ec) return fail(Code::Internal, fmt::format("cannot create {}: {}", path, ec.message()));
  ::chmod(path.c_str(), static_cast<mode_t>(mode));
  return {};
}

int modeOf(const Json& item, const Json& source, int fallback) {
  return static_cast<int>(intAt(item, "mode", intAt(source, "defaultMode", fallback)));
}

// Keys of a ConfigMap or Secret as files: all of them, or those that `items` picks.
Status addKeys(Files& files, const Json& source, const Json& object, bool secret, const std::string& kindAndName, int mode) {
  std::map<std::string, std::string> all;
  for (const char* field : {"data", "binaryData"}) {
    const Json& data = at(object, field);
    if (!data.is_object()) continue;
    for (const auto& [key, value] : data.items()) {
      if (!value.is_string()) continue;
      const bool encoded = secret || std::string_view(field) == "binaryData";
      all[key] = encoded ? decodeBase64(value.get<std::string>()) : value.get<std::string>();
    }
  }
  const Json& items = at(source, "items");
  if (!items.is_array()) {
    for (auto& [key, text] : all) files[key] = {std::move(text), modeOf(Json(), source, mode)};
    return {};
  }
  for (const Json& item : items) {
    const std::string key = textAt(item, "key");
    const auto found = all.find(key);
    if (found == all.end()) {
      if (boolAt(source, "optional")) continue;
      return fail(Code::NotFound, fmt::format("references non-existent {} key: {}", secret ? "secret" : "config", key));
    }
    const std::string path = textAt(item, "path");
    if (!isSafeRelative(path))
      return fail(Code::Invalid, fmt::format("{}: items path \"{}\" must be relative and without ..", kindAndName, path));
    files[path] = {found->second, modeOf(item, source, mode)};
  }
  return {};
}

Status addObject(Files& files, const Json& source, const VolumeInput& in, bool secret, int mode) {
  std::string name = textAt(source, "name");
  if (name.empty()) name = textAt(source, "secretName");
  const auto& table = secret ? in.refs.secrets : in.refs.configMaps;
  const auto found = table.find(name);
  if (found == table.end() || found->second.is_null()) {
    if (boolAt(source, "optional")) return {};
    return fail(Code::NotFound, fmt::format("{} \"{}\" not found", secret ? "secret" : "configmap", name));
  }
  return addKeys(files, source, found->second, secret, name, mode);
}

Status addDownward(Files& files, const Json& source, const VolumeInput& in, int mode) {
  for (const Json& item : at(source, "items")) {
    const std::string path = textAt(item, "path");
    if (!isSafeRelative(path))
      return fail(Code::Invalid, fmt::format("downwardAPI path \"{}\" must be relative and without ..", path));
    const Json& field = at(item, "fieldRef");
    const Json& resource = at(item, "resourceFieldRef");
    Result<std::string> text = field.is_object()
                                   ? fieldValue(in.pod, textAt(field, "fieldPath"), in.facts)
                                   : resourceValue(containerNamed(in.pod, textAt(resource, "containerName")),
                                                   textAt(resource, "resource"), textAt(resource, "divisor"), in.facts);
    SLIP_CHECK(text);
    files[path] = {std::move(*text), modeOf(item, source, mode)};
  }
  return {};
}

Status addProjected(Files& files, const Json& projected, const VolumeInput& in, const std::string& volume) {
  const int mode = static_cast<int>(intAt(projected, "defaultMode", 0644));
  for (const Json& source : at(projected, "sources")) {
    if (source.contains("configMap")) SLIP_CHECK(addObject(files, source["configMap"], in, false, mode));
    if (source.contains("secret")) SLIP_CHECK(addObject(files, source["secret"], in, true, mode));
    if (source.contains("downwardAPI")) SLIP_CHECK(addDownward(files, source["downwardAPI"], in, mode));
    if (source.contains("serviceAccountToken")) {
      const std::string path = textAt(source["serviceAccountToken"], "path", "token");
      const auto token = in.tokens.find(volume + "/" + path);
      if (token == in.tokens.end())
        return fail(Code::Unavailable, fmt::format("no token for the pod's ServiceAccount ({})", path));
      if (!isSafeRelative(path))
        return fail(Code::Invalid, fmt::format("serviceAccountToken path \"{}\" must be relative and without ..", path));
      files[path] = {token->second, fsGroupOf(in.pod) ? 0600 : mode};
    }
  }
  return {};
}

Result<VolumePlace> claimPlace(const Json& source, const VolumeInput& in) {
  const std::string name = textAt(source, "claimName");
  const auto claim = in.refs.claims.find(name);
  if (claim == in.refs.claims.end() || claim->second.is_null())
    return fail(Code::NotFound, fmt::format("persistentvolumeclaim \"{}\" not found", name));
  const std::string volumeName = textAt(at(claim->second, "spec"), "volumeName");
  const auto volume = in.refs.volumes.find(volumeName);
  if (volumeName.empty() || volume == in.refs.volumes.end() || volume->second.is_null())
    return fail(Code::Unavailable, fmt::format("persistentvolumeclaim \"{}\" is not bound to a volume yet", name));
  std::string path = textAt(at(volume->second, "spec", "hostPath"), "path");
  if (path.empty()) path = textAt(at(volume->second, "spec", "local"), "path");
  if (path.empty())
    return fail(Code::Invalid,
                fmt::format("persistentvolume \"{}\": only hostPath and local volumes exist here", volumeName));
  std::error_code ec;
  if (!fs::exists(path, ec)) SLIP_CHECK(makeFolder(path, 0777));
  return VolumePlace{path, boolAt(source, "readOnly")};
}

Result<VolumePlace> hostPlace(const Json& source) {
  const std::string path = textAt(source, "path");
  const std::string type = textAt(source, "type");
  std::error_code ec;
  const bool there = fs::exists(path, ec);
  if (path.empty() || path[0] != '/') return fail(Code::Invalid, fmt::format("hostPath path \"{}\" must be absolute", path));
  if (!there && (type == "DirectoryOrCreate" || type.empty())) {
    SLIP_CHECK(makeFolder(path, 0755));
  } else if (!there && type == "FileOrCreate") {
    SLIP_CHECK(writeFileAtomic(path, "", 0644));
  } else if (!there) {
    return fail(Code::NotFound,
                fmt::format("hostPath type check failed: {} is not a {}", path, type == "File" ? "file" : "directory"));
  }
  const bool folder = fs::is_directory(path, ec);
  if ((type.starts_with("Directory") && !folder) || (type.starts_with("File") && folder))
    return fail(Code::Invalid, fmt::format("hostPath type check failed: {} is not a {}", path,
                                           type.starts_with("File") ? "file" : "directory"));
  return VolumePlace{path, false};
}

bool isMountPoint(const std::string& path) {
  struct stat inner{};
  struct stat outer{};
  return ::stat(path.c_str(), &inner) == 0 && ::stat((path + "/..").c_str(), &outer) == 0 && inner.st_dev != outer.st_dev;
}

// Memory as the medium: a tmpfs of the asked size. Where mounting is not allowed it stays a folder on disk, and only the
// look at its size holds the limit.
void mountMemory(const std::string& folder, const Json& source) {
  if (isMountPoint(folder)) return;
  const auto limit = wholeOf(textAt(source, "sizeLimit", "0"));
  const std::string options = limit && *limit > 0 ? fmt::format("mode=0777,size={}", *limit) : "mode=0777";
  ::mount("tmpfs", folder.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, options.c_str());
}

Result<VolumePlace> emptyPlace(const Json& source, const std::string& folder, const VolumeInput& in) {
  std::error_code ec;
  const bool fresh = !fs::exists(folder, ec);
  if (fresh) SLIP_CHECK(makeFolder(folder, 0777));
  if (textAt(source, "medium") == "Memory") mountMemory(folder, source);
  const auto group = fsGroupOf(in.pod);
  if (fresh && group) {
    if (::chown(folder.c_str(), static_cast<uid_t>(-1), static_cast<gid_t>(*group)) != 0)
      return fail(Code::Invalid, fmt::format("fsGroup {}: {}", *group, std::strerror(errno)));
    ::chmod(folder.c_str(), 02777);
  }
  return VolumePlace{folder, false};
}

// With fsGroup the files belong to that group, which may read them.
void giveToGroup(Files& files, const Json& pod) {
  const auto group = fsGroupOf(pod);
  if (!group) return;
  for (auto& [path, file] : files) {
    file.group = *group == static_cast<std::int64_t>(::getegid()) ? -1 : *group;
    file.mode |= 0440;
  }
}

Result<VolumePlace> setUpVolume(const Json& volume, const VolumeInput& in) {
  const std::string name = textAt(volume, "name");
  const std::string folder = in.folder + "/" + name;
  if (volume.contains("hostPath")) return hostPlace(volume["hostPath"]);
  if (volume.contains("persistentVolumeClaim")) return claimPlace(volume["persistentVolumeClaim"], in);
  if (volume.contains("emptyDir")) return emptyPlace(volume["emptyDir"], folder, in);
  Files files;
  if (volume.contains("configMap")) {
    SLIP_CHECK(addObject(files, volume["configMap"], in, false, 0644));
  } else if (volume.contains("secret")) {
    SLIP_CHECK(addObject(files, volume["secret"], in, true, 0644));
  } else if (volume.contains("downwardAPI")) {
    SLIP_CHECK(
        addDownward(files, volume["downwardAPI"], in, static_cast<int>(intAt(volume["downwardAPI"], "defaultMode", 0644))));
  } else if (volume.contains("projected")) {
    SLIP_CHECK(addProjected(files, volume["projected"], in, name));
  } else {
    std::string kind = "?";
    for (const auto& [key, value] : volume.items())
      if (key != "name") kind = key;
    return fail(Code::Unimplemented, fmt::format("volumes of type {} do not exist here; use emptyDir, configMap, secret, "
                                                 "projected, downwardAPI, persistentVolumeClaim or hostPath",
                                                 kind));
  }
  giveToGroup(files, in.pod);
  SLIP_CHECK(publishFiles(folder, files));
  return VolumePlace{folder, true};
}

// The files now published in `folder`.
std::optional<Files> published(const std::string& folder) {
  std::error_code ec;
  const fs::path data = folder + "/..data";
  if (!fs::exists(data, ec)) return std::nullopt;
  const fs::path real = fs::canonical(data, ec);
  Files files;
  for (fs::recursive_directory_iterator it(real, ec), end; it != end; it.increment(ec)) {
    if (ec || !it->is_regular_file(ec)) continue;
    struct stat info{};
    ::stat(it->path().c_str(), &info);
    files[it->path().lexically_relative(real).string()] = {readWholeFile(it->path().string()).value_or(""),
                                                           static_cast<int>(info.st_mode & 07777),
                                                           info.st_gid == ::getegid() ? -1 : std::int64_t{info.st_gid}};
  }
  return files;
}

}  // namespace

std::vector<TokenWish> tokensWanted(const Json& pod) {
  std::vector<TokenWish> all;
  for (const Json& volume : at(pod, "spec", "volumes")) {
    for (const Json& source : at(volume, "projected", "sources")) {
      const Json& wish = at(source, "serviceAccountToken");
      if (!wish.is_object()) continue;
      all.push_back({textAt(volume, "name") + "/" + textAt(wish, "path", "token"), textAt(wish, "audience"),
                     intAt(wish, "expirationSeconds", 3600)});
    }
  }
  return all;
}

void removePodFolder(const std::string& folder) {
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator(folder + "/volumes", ec))
    if (isMountPoint(entry.path().string())) ::umount2(entry.path().c_str(), MNT_DETACH);
  fs::remove_all(folder, ec);
}

Status publishFiles(const std::string& folder, const Files& files) {
  const auto before = published(folder);
  if (before && *before == files) return {};
  SLIP_CHECK(makeFolder(folder, 0755));
  std::error_code ec;
  const fs::path old = fs::read_symlink(folder + "/..data", ec);
  const std::string version = "..v_" + randomHex(6);
  SLIP_CHECK(makeFolder(folder + "/" + version, 0755));
  std::set<std::string> tops;
  for (const auto& [path, file] : files) {
    const std::string full = folder + "/" + version + "/" + path;
    fs::create_directories(fs::path(full).parent_path(), ec);
    SLIP_CHECK(writeFileAtomic(full, file.text, file.mode));
    if (file.group >= 0 && ::chown(full.c_str(), static_cast<uid_t>(-1), static_cast<gid_t>(file.group)) != 0)
      return fail(Code::Invalid, fmt::format("fsGroup {}: {}", file.group, std::strerror(errno)));
    tops.insert(fs::path(path).begin()->string());
  }
  const std::string temporary = folder + "/..data_tmp";
  fs::remove(temporary, ec);
  fs::create_symlink(version, temporary, ec);
  if (!ec) fs::rename(temporary, folder + "/..data", ec);
  if (ec) return fail(Code::Internal, fmt::format("cannot publish {}: {}", folder, ec.message()));
  for (const std::string& top : tops) {
    const std::string link = folder + "/" + top;
    if (!fs::is_symlink(link, ec)) fs::create_symlink("..data/" + top, link, ec);
  }
  for (const auto& entry : fs::directory_iterator(folder, ec)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("..data") || name == version) continue;
    if (name.starts_with("..") ? name == old.string() : !tops.contains(name)) fs::remove_all(entry.path(), ec);
  }
  return {};
}

Result<VolumePlaces> setUpVolumes(const VolumeInput& in) {
  VolumePlaces places;
  for (const Json& volume : at(in.pod, "spec", "volumes")) {
    const std::string name = textAt(volume, "name");
    Result<VolumePlace> place = setUpVolume(volume, in);
    if (!place) return failIn(fmt::format("MountVolume.SetUp failed for volume \"{}\" ", name), place.error());
    places[name] = std::move(*place);
  }
  return places;
}

Result<std::vector<Mount>> mountsOf(const Json& container, const VolumePlaces& places, const Environment& env) {
  std::vector<Mount> mounts;
  for (const Json& m : at(container, "volumeMounts")) {
    const std::string name = textAt(m, "name");
    const auto place = places.find(name);
    if (place == places.end())
      return fail(Code::Invalid, fmt::format("volumeMounts name \"{}\": the pod has no such volume", name));
    Mount mount{place->second.path, textAt(m, "mountPath"), boolAt(m, "readOnly") || place->second.readOnly};
    if (!mount.target.starts_with("/")) mount.target = "/" + mount.target;
    while (mount.target.size() > 1 && mount.target.back() == '/') mount.target.pop_back();
    std::string sub = textAt(m, "subPath");
    if (sub.empty()) sub = expandVariables(textAt(m, "subPathExpr"), env);
    if (!sub.empty()) {
      if (!isSafeRelative(sub))
        return fail(Code::Invalid, fmt::format("subPath \"{}\" must be relative and without ..", sub));
      std::error_code ec;
      const fs::path wanted = fs::path(place->second.path) / sub;
      if (!fs::exists(wanted, ec) && !place->second.readOnly) fs::create_directories(wanted, ec);
      if (!fs::exists(wanted, ec)) {
        return fail(Code::NotFound,
                    fmt::format("volume \"{}\" has no folder \"{}\": put the files into {}", name, sub, wanted.string()));
      }
      const fs::path real = fs::canonical(wanted, ec);
      const fs::path root = fs::canonical(place->second.path, ec);
      if (ec) return fail(Code::NotFound, fmt::format("failed to prepare subPath \"{}\" for volumeMount \"{}\"", sub, name));
      const fs::path inside = real.lexically_relative(root);
      if (inside.empty() || *inside.begin() == "..")
        return fail(Code::Invalid, fmt::format("subPath \"{}\" leads out of volume \"{}\"", sub, name));
      mount.source = real.string();
    }
    mounts.push_back(std::move(mount));
  }
  return mounts;
}

}  // namespace slipway::node
