// A pod's volumes as folders and files of this machine, under DIR/pods/<uid>/volumes/<name>. Blocking file work, small:
// called on the control loop. ConfigMap, Secret, projected and downwardAPI contents swap atomically (the ..data link), as
// the kubelet does.
#pragma once
#include <map>
#include <string>

#include "node/environment.h"
#include "node/runtime.h"

namespace slipway::node {

struct VolumePlace {
  std::string path;       // absolute, on this machine
  bool readOnly = false;  // whatever the mount asks for
};
using VolumePlaces = std::map<std::string, VolumePlace>;

struct VolumeInput {
  const Json& pod;
  const References& refs;
  const PodFacts& facts;
  std::string folder;                         // DIR/pods/<uid>/volumes
  std::map<std::string, std::string> tokens;  // volume/path -> service account token
};

// The tokens that the pod's projected volumes ask for: key as in VolumeInput::tokens.
struct TokenWish {
  std::string key, audience;
  std::int64_t seconds = 3600;
};
std::vector<TokenWish> tokensWanted(const Json& pod);

// Removes a pod's folder with what is mounted in it (memory-backed volumes).
void removePodFolder(const std::string& folder);

// Creates or refreshes every volume. Errors in the kubelet's words: `MountVolume.SetUp failed for volume "v" : secret "s"
// not found`.
Result<VolumePlaces> setUpVolumes(const VolumeInput& input);

// The container's mounts. subPath is created inside the volume when absent and may not lead out of it.
Result<std::vector<Mount>> mountsOf(const Json& container, const VolumePlaces& places, const Environment& env);

// One file of a published folder.
struct PublishedFile {
  std::string text;
  int mode = 0644;
  std::int64_t group = -1;  // -1: the platform's
  bool operator==(const PublishedFile&) const = default;
};
// Makes `folder` hold exactly these files (relative path -> content) in one step for readers. Does nothing when it already
// does.
Status publishFiles(const std::string& folder, const std::map<std::string, PublishedFile>& files);

}  // namespace slipway::node
