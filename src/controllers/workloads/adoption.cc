#include "controllers/workloads/adoption.h"

#include "kube/apply_children.h"

namespace slipway::workloads {
namespace {

// A patch of the owner references that holds only while the object is as we saw it.
Json ownersPatch(const Json& object, Json owners) {
  const Json& meta = at(object, "metadata");
  return {{"metadata",
           {{"uid", textAt(meta, "uid")},
            {"resourceVersion", textAt(meta, "resourceVersion")},
            {"ownerReferences", owners.empty() ? Json() : std::move(owners)}}}};
}

bool skip(const Error& error) { return error.code == Code::NotFound || error.code == Code::Conflict; }

}  // namespace

Task<Result<std::vector<Object>>> settleClaim(kube::Client& client, Kind kind, Json owner, Claim decided) {
  std::vector<Object> held = std::move(decided.kept);
  for (const auto& object : decided.adopt) {
    Json owners = at(*object, "metadata", "ownerReferences");
    if (!owners.is_array()) owners = Json::array();
    owners.push_back(kube::ownerReference(owner));
    auto written =
        co_await client.patch(kind, kube::keyOf(*object), kube::PatchType::Merge, ownersPatch(*object, std::move(owners)));
    if (written)
      held.push_back(std::make_shared<const Json>(std::move(*written)));
    else if (!skip(written.error()))
      co_return fail(written.error());
  }
  const std::string uid = textAt(at(owner, "metadata"), "uid");
  for (const auto& object : decided.release) {
    Json owners = Json::array();
    for (const auto& ref : at(*object, "metadata", "ownerReferences")) {
      if (textAt(ref, "uid") != uid) owners.push_back(ref);
    }
    auto written =
        co_await client.patch(kind, kube::keyOf(*object), kube::PatchType::Merge, ownersPatch(*object, std::move(owners)));
    if (!written && !skip(written.error())) co_return fail(written.error());
  }
  co_return held;
}

}  // namespace slipway::workloads
